// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package imaging

import (
	"image"
	"image/color"
	"math"
	"runtime"
	"slices"
	"testing"
)

// What is fully transparent has the colour of what can be seen; all else is as FromImage has it.
func TestVisible(t *testing.T) {
	img := image.NewNRGBA(image.Rect(3, 5, 7, 6))
	img.SetNRGBA(3, 5, color.NRGBA{255, 0, 0, 255})
	img.SetNRGBA(4, 5, color.NRGBA{0, 0, 255, 85})
	img.SetNRGBA(5, 5, color.NRGBA{0, 255, 0, 0})
	img.SetNRGBA(6, 5, color.NRGBA{9, 255, 77, 0})
	// The weights of red and blue are 1 and 1/3: 3/4 red and 1/4 blue, in [-1, 1].
	want := []float32{1, -1, -1, -1, -1, 1, .5, -1, -.5, .5, -1, -.5}
	for i, got := range Visible(img).Pix {
		if !(math.Abs(float64(got-want[i])) <= 1e-6) {
			t.Errorf("value %d is %v, want %v", i, got, want[i])
		}
	}
	// The nearer colour wins: of two halves with a hole, each side of the hole is its half's
	// colour.
	halves := image.NewNRGBA(image.Rect(0, 0, 8, 8))
	for y := range 8 {
		for x := range 8 {
			c := color.NRGBA{255, 0, 0, 255}
			if x >= 4 {
				c = color.NRGBA{0, 0, 255, 255}
			}
			if y == 3 && x > 1 && x < 6 {
				c = color.NRGBA{0, 255, 0, 0}
			}
			halves.SetNRGBA(x, y, c)
		}
	}
	p := Visible(halves)
	for x, want := range []float32{1, 1, 1, 1, -1, -1, -1, -1} {
		if pixel := p.Pix[(3*8+x)*3:][:3]; !slices.Equal(pixel, []float32{want, -1, -want}) {
			t.Errorf("pixel %d of the row with the hole is %v", x, pixel)
		}
	}
	for _, v := range Visible(image.NewNRGBA(image.Rect(0, 0, 3, 3))).Pix { // nothing can be seen
		if v != v {
			t.Error("a picture that is all transparent has values that are no numbers")
		}
	}
}

func TestAsKeepsTheKind(t *testing.T) {
	rect := image.Rect(2, 2, 6, 5)
	deep := image.NewNRGBA64(rect)
	for i := range deep.Pix {
		deep.Pix[i] = byte(i*i*7 + 1)
	}
	deep16 := image.NewGray16(rect)
	copy(deep16.Pix, deep.Pix)
	shallow := image.NewNRGBA(rect)
	copy(shallow.Pix, deep.Pix)
	grey := image.NewGray(rect)
	copy(grey.Pix, deep.Pix)
	for _, img := range []image.Image{deep, deep16, shallow, grey} { // not enlarged, so that nothing may change
		same(t, FromImage(img).As(img), img)
	}
	// Of grey pictures, the mean of the channels: 30, 60 and 120 of 255 make 70.
	p := New(1, 1)
	p.Pix = []float32{30/127.5 - 1, 60/127.5 - 1, 120/127.5 - 1}
	stored := filled(image.NewNRGBA(image.Rect(0, 0, 1, 1)), color.NRGBA{8, 8, 8, 255})
	for _, test := range []struct {
		like image.Image
		want color.Color
	}{
		{filled(image.NewGray(stored.Bounds()), color.Gray{1}), color.Gray{70}},
		{filled(image.NewGray16(stored.Bounds()), color.Gray16{1}), color.Gray16{70 * 257}},
		{stored, color.NRGBA{70, 70, 70, 255}},
		{filled(image.NewNRGBA64(stored.Bounds()), color.NRGBA64{5, 5, 5, 0xffff}), color.NRGBA64{70 * 257, 70 * 257, 70 * 257, 0xffff}},
		{filled(image.NewNRGBA(stored.Bounds()), color.NRGBA{8, 8, 9, 255}), color.NRGBA{30, 60, 120, 255}},
		{filled(image.NewPaletted(stored.Bounds(), color.Palette{color.White}), color.White), color.NRGBA{70, 70, 70, 255}},
	} {
		if got := p.As(test.like).At(0, 0); got != test.want {
			t.Errorf("like %T it is %v, want %v", test.like, got, test.want)
		}
	}
}

// Two pixels, clear and opaque, four times as wide: centres at (x + 1/2)/4 - 1/2, so that opacities
// are eighths.
func TestAsEnlargesOpacity(t *testing.T) {
	shallow, deep := image.NewNRGBA(image.Rect(0, 0, 2, 1)), image.NewNRGBA64(image.Rect(0, 0, 2, 1))
	shallow.SetNRGBA(1, 0, color.NRGBA{1, 2, 3, 255})
	deep.SetNRGBA64(1, 0, color.NRGBA64{1, 2, 3, 0xffff})
	p := New(8, 1)
	for x, eighths := range []float64{0, 0, 1, 3, 5, 7, 8, 8} {
		if got, want := p.As(shallow).At(x, 0).(color.NRGBA).A, uint8(math.Round(eighths/8*255)); got != want {
			t.Errorf("opacity of pixel %d is %d, want %d", x, got, want)
		}
		if got, want := p.As(deep).At(x, 0).(color.NRGBA64).A, uint16(math.Round(eighths/8*0xffff)); got != want {
			t.Errorf("opacity of pixel %d of 16 bits is %d, want %d", x, got, want)
		}
	}
}

// The opacity is Bilinear's to the last bit, though it is made row by row.
func TestAsOpacityEqualsBilinear(t *testing.T) {
	for _, size := range [][4]int{{5, 4, 20, 16}, {1, 1, 4, 4}, {7, 1, 28, 4}, {1, 9, 4, 36}, {6, 5, 6, 5}, {8, 9, 4, 3}} {
		like := image.NewNRGBA64(image.Rect(3, 4, 3+size[0], 4+size[1]))
		alpha := New(size[0], size[1])
		for i := range size[0] * size[1] {
			a := uint16(i * i * 7919)
			like.SetNRGBA64(3+i%size[0], 4+i/size[0], color.NRGBA64{1, 2, 3, a})
			for c := range 3 {
				alpha.Pix[3*i+c] = float32(a)/0xffff*2 - 1
			}
		}
		want := Bilinear(alpha, size[2], size[3])
		got := New(size[2], size[3]).As(like).(*image.NRGBA64)
		for i := range size[2] * size[3] {
			if a := got.NRGBA64At(i%size[2], i/size[2]).A; a != level16(want.Pix[3*i]) {
				t.Fatalf("%v: opacity %d is %d, want %d", size, i, a, level16(want.Pix[3*i]))
			}
		}
	}
}

// allocated is how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// As takes no more memory for a transparent picture than for an opaque one, but for a few rows.
func TestAsMemory(t *testing.T) {
	const width, height = 1024, 768
	rect := image.Rect(0, 0, width/4, height/4)
	p := New(width, height)
	palette := color.Palette{color.NRGBA{1, 2, 3, 4}, color.NRGBA{5, 6, 7, 255}}
	for _, test := range []struct {
		like  image.Image
		bytes int // a pixel of the result
	}{
		{filled(image.NewNRGBA(rect), color.NRGBA{9, 8, 7, 6}), 4},
		{filled(image.NewNRGBA(rect), color.NRGBA{9, 9, 9, 6}), 4},
		{filled(image.NewRGBA(rect), color.RGBA{9, 8, 7, 99}), 4},
		{filled(image.NewNRGBA64(rect), color.NRGBA64{9, 8, 7, 6}), 8},
		{image.NewPaletted(rect, palette), 4},
		{image.NewGray(rect), 1},
		{filled(image.NewNRGBA(rect), color.NRGBA{9, 8, 7, 255}), 4},
	} {
		size := allocated(func() { p.As(test.like) })
		if most := uint64(width*height) * uint64(test.bytes+1); size > most {
			t.Errorf("like %T: %d bytes, want %d at most", test.like, size, most)
		}
	}
}

// same checks that two pictures are of one kind and have the same pixels.
func same(t *testing.T, got, want image.Image) {
	t.Helper()
	if got.ColorModel() != want.ColorModel() || got.Bounds().Size() != want.Bounds().Size() {
		t.Fatalf("%T of %v, want %T of %v", got, got.Bounds(), want, want.Bounds())
	}
	corner, other := got.Bounds().Min, want.Bounds().Min
	for y := range want.Bounds().Dy() {
		for x := range want.Bounds().Dx() {
			g, w := got.At(corner.X+x, corner.Y+y), want.At(other.X+x, other.Y+y)
			if g != w {
				t.Fatalf("%T: pixel %d,%d is %v, want %v", want, x, y, g, w)
			}
		}
	}
}
