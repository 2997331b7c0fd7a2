// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package imaging

import (
	"image"
	"image/color"
	"image/draw"
	"math"
	"slices"
	"testing"
)

// pattern is noise in [-1, 1] from whole numbers, as in testdata/goldens.py.
func pattern(width, height int) Picture {
	p := New(width, height)
	for i := range p.Pix {
		p.Pix[i] = float32((i*i*7919+i*104729)%511)/255 - 1
	}
	return p
}

// maxDiff is the greatest difference of two lists of one length; NaN counts as infinite.
func maxDiff(t *testing.T, got, want []float32) float64 {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d values, want %d", len(got), len(want))
	}
	worst := 0.0
	for i := range got {
		d := math.Abs(float64(got[i]) - float64(want[i]))
		if math.IsNaN(d) {
			d = math.Inf(1)
		}
		worst = max(worst, d)
	}
	return worst
}

// filled sets one colour over an image that starts away from the origin.
func filled(img draw.Image, c color.Color) image.Image {
	b := img.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			img.Set(x, y, c)
		}
	}
	return img
}

func TestFromImageReadsEveryKindOfPicture(t *testing.T) {
	rect := image.Rect(-3, 5, -1, 8) // 2x3, away from the origin
	stored := color.NRGBA{200, 100, 50, 0}
	clear := color.NRGBA64{0x1234, 0x5678, 0x9abc, 0}
	yellow, blue, red := color.YCbCr{210, 16, 146}, color.YCbCr{29, 255, 107}, color.YCbCr{76, 85, 255}
	ycc := image.NewYCbCr(rect, image.YCbCrSubsampleRatio444)
	nycca := image.NewNYCbCrA(rect, image.YCbCrSubsampleRatio444) // Its alpha is 0.
	for i := range ycc.Y {
		ycc.Y[i], ycc.Cb[i], ycc.Cr[i] = yellow.Y, yellow.Cb, yellow.Cr
		nycca.Y[i], nycca.Cb[i], nycca.Cr[i] = blue.Y, blue.Cb, blue.Cr
	}
	rgb8 := func(r, g, b float64) [3]float64 { return [3]float64{r/255*2 - 1, g/255*2 - 1, b/255*2 - 1} }
	rgb16 := func(r, g, b float64) [3]float64 { return [3]float64{r/65535*2 - 1, g/65535*2 - 1, b/65535*2 - 1} }
	fromYCC := func(c color.YCbCr) [3]float64 {
		r, g, b := color.YCbCrToRGB(c.Y, c.Cb, c.Cr)
		return rgb8(float64(r), float64(g), float64(b))
	}
	for _, test := range []struct {
		name string
		img  image.Image
		want [3]float64
	}{
		{"NRGBA", filled(image.NewNRGBA(rect), color.NRGBA{1, 128, 255, 255}), rgb8(1, 128, 255)},
		{"NRGBA half transparent", filled(image.NewNRGBA(rect), color.NRGBA{1, 128, 255, 77}), rgb8(1, 128, 255)},
		{"NRGBA transparent", filled(image.NewNRGBA(rect), stored), rgb8(200, 100, 50)},
		{"NRGBA64 transparent", filled(image.NewNRGBA64(rect), clear), rgb16(0x1234, 0x5678, 0x9abc)},
		{"RGBA", filled(image.NewRGBA(rect), color.RGBA{1, 128, 255, 255}), rgb8(1, 128, 255)},
		{"RGBA half transparent", filled(image.NewRGBA(rect), color.RGBA{10, 20, 40, 40}), [3]float64{-.5, 0, 1}},
		{"RGBA transparent", image.NewRGBA(rect), rgb8(0, 0, 0)},
		{"RGBA brighter than its alpha", filled(image.NewRGBA(rect), color.RGBA{255, 0, 0, 5}), rgb8(255, 0, 0)},
		{"RGBA64", filled(image.NewRGBA64(rect), color.RGBA64{1, 0x8001, 0xffff, 0xffff}), rgb16(1, 0x8001, 0xffff)},
		{"grey", filled(image.NewGray(rect), color.Gray{77}), rgb8(77, 77, 77)},
		{"grey 16-bit", filled(image.NewGray16(rect), color.Gray16{12345}), rgb16(12345, 12345, 12345)},
		{"alpha only", filled(image.NewAlpha(rect), color.Alpha{9}), rgb8(255, 255, 255)},
		{"CMYK", filled(image.NewCMYK(rect), color.CMYK{255, 0, 0, 0}), rgb8(0, 255, 255)},
		{"YCbCr", ycc, fromYCC(yellow)},
		{"YCbCr transparent", nycca, fromYCC(blue)},
		{"paletted", filled(image.NewPaletted(rect, color.Palette{color.Black, color.RGBA{9, 8, 7, 255}}),
			color.RGBA{9, 8, 7, 255}), rgb8(9, 8, 7)},
		{"paletted transparent", filled(image.NewPaletted(rect, color.Palette{stored}), stored), rgb8(200, 100, 50)},
		{"uniform", subimage{image.NewUniform(red), rect}, fromYCC(red)},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := FromImage(test.img)
			if p.Width != 2 || p.Height != 3 || len(p.Pix) != 18 {
				t.Fatalf("got %dx%d with %d values, want 2x3 with 18", p.Width, p.Height, len(p.Pix))
			}
			for i, got := range p.Pix {
				if want := test.want[i%3]; !(math.Abs(float64(got)-want) <= 1e-6) {
					t.Fatalf("value %d is %v, want %v", i, got, want)
				}
			}
		})
	}
}

// subimage gives a picture of no known type some bounds.
type subimage struct {
	image.Image
	bounds image.Rectangle
}

func (s subimage) Bounds() image.Rectangle { return s.bounds }

func TestFromImageKeepsPlaces(t *testing.T) {
	whole := pattern(7, 5).Image()
	part := FromImage(whole.SubImage(image.Rect(2, 1, 6, 4)))
	for y := range part.Height {
		for x := range part.Width {
			want := whole.NRGBAAt(2+x, 1+y)
			i := (y*part.Width + x) * 3
			got := [3]uint8{level(part.Pix[i]), level(part.Pix[i+1]), level(part.Pix[i+2])}
			if got != [3]uint8{want.R, want.G, want.B} {
				t.Fatalf("pixel %d,%d is %v, want %v", x, y, got, want)
			}
		}
	}
}

func TestImageClampsAndRounds(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, test := range []struct {
		v    float32
		want uint8
	}{
		{-1, 0}, {1, 255}, {-1.5, 0}, {1.2, 255}, {nan, 0}, {inf, 255}, {-inf, 0}, {0, 128},
		{1.0/255*2 - 1, 1}, {0.4/255*2 - 1, 0}, {0.6/255*2 - 1, 1}, {254.4/255*2 - 1, 254}, {254.6/255*2 - 1, 255},
	} {
		img := Picture{Width: 1, Height: 1, Pix: []float32{test.v, -1, 1}}.Image()
		if got, want := img.NRGBAAt(0, 0), (color.NRGBA{test.want, 0, 255, 255}); got != want {
			t.Errorf("%v becomes %v, want %v", test.v, got, want)
		}
	}
}

func TestEveryLevelSurvives(t *testing.T) {
	ramp := image.NewNRGBA(image.Rect(0, 0, 256, 1))
	for v := range 256 {
		ramp.SetNRGBA(v, 0, color.NRGBA{uint8(v), uint8(255 - v), uint8(v * 7), 255})
	}
	back := FromImage(ramp).Image()
	for v := range 256 {
		if got, want := back.NRGBAAt(v, 0), ramp.NRGBAAt(v, 0); got != want {
			t.Fatalf("%v came back as %v", want, got)
		}
	}
}

func TestEmptyPicture(t *testing.T) {
	p := FromImage(image.NewNRGBA(image.Rect(0, 0, 0, 4)))
	if p.Width != 0 || p.Height != 4 || len(p.Pix) != 0 {
		t.Errorf("got %+v, want 0x4 without pixels", p)
	}
	if got := p.Image().Bounds(); got.Dx() != 0 {
		t.Errorf("its image is %v", got)
	}
}

func TestCentreCrop(t *testing.T) {
	p := New(5, 4)
	for i := range p.Pix {
		p.Pix[i] = float32(i)
	}
	want := []float32{18, 19, 20, 21, 22, 23, 33, 34, 35, 36, 37, 38} // columns 1 and 2 of rows 1 and 2
	if got := p.CentreCrop(2); got.Width != 2 || got.Height != 2 || !slices.Equal(got.Pix, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
