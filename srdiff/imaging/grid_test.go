// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package imaging

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"testing"
)

func plain(width, height int, c color.NRGBA) image.Image {
	return filled(image.NewNRGBA(image.Rect(-1, -2, width-1, height-2)), c)
}

func TestGridMagnifiesByWholeFactors(t *testing.T) {
	for _, test := range []struct{ width, height, factor int }{
		{1, 1, 128}, {32, 32, 4}, {32, 8, 4}, {48, 48, 2}, {64, 64, 2}, {65, 65, 1}, {128, 128, 1}, {300, 20, 1},
	} {
		small := pattern(test.width, test.height).Image()
		sheet := Grid(1, nil, small)
		want := image.Rect(0, 0, test.width*test.factor+2*gap, test.height*test.factor+2*gap)
		if sheet.Bounds() != want {
			t.Errorf("%dx%d: sheet of %v, want %v", test.width, test.height, sheet.Bounds(), want)
			continue
		}
		for y := range want.Max.Y {
			for x := range want.Max.X {
				got, pixel := sheet.NRGBAAt(x, y), color.NRGBA{255, 255, 255, 255}
				if image.Pt(x, y).In(want.Inset(gap)) {
					pixel = small.NRGBAAt((x-gap)/test.factor, (y-gap)/test.factor)
				}
				if got != pixel {
					t.Fatalf("%dx%d: pixel %d,%d is %v, want %v", test.width, test.height, x, y, got, pixel)
				}
			}
		}
	}
}

func TestGridPlacesPicturesInRows(t *testing.T) {
	red, green, blue := color.NRGBA{255, 0, 0, 255}, color.NRGBA{0, 255, 0, 255}, color.NRGBA{0, 0, 255, 255}
	white := color.NRGBA{255, 255, 255, 255}
	sheet := Grid(2, nil, plain(128, 128, red), plain(128, 128, green), plain(128, 128, blue))
	if want := image.Rect(0, 0, 2*128+3*gap, 2*128+3*gap); sheet.Bounds() != want {
		t.Fatalf("sheet of %v, want %v", sheet.Bounds(), want)
	}
	for _, test := range []struct {
		x, y int
		want color.NRGBA
	}{{70, 70, red}, {200, 70, green}, {70, 200, blue}, {200, 200, white}, {gap + 128 + gap/2, 70, white}} {
		if got := sheet.NRGBAAt(test.x, test.y); got != test.want {
			t.Errorf("pixel %d,%d is %v, want %v", test.x, test.y, got, test.want)
		}
	}
}

func TestGridShowsWhiteThroughTransparency(t *testing.T) {
	sheet := Grid(1, nil, plain(128, 128, color.NRGBA{0, 0, 0, 0}))
	if got := sheet.NRGBAAt(70, 70); got != (color.NRGBA{255, 255, 255, 255}) {
		t.Errorf("got %v", got)
	}
}

// ink returns the bounds of what is darker than a mid grey within part of a sheet.
func ink(sheet *image.NRGBA, part image.Rectangle) (box image.Rectangle) {
	for y := part.Min.Y; y < part.Max.Y; y++ {
		for x := part.Min.X; x < part.Max.X; x++ {
			if sheet.NRGBAAt(x, y).R < 128 {
				box = box.Union(image.Rect(x, y, x+1, y+1))
			}
		}
	}
	return box
}

func TestGridCaptionsDoNotOverlap(t *testing.T) {
	white := plain(128, 64, color.NRGBA{255, 255, 255, 255})
	long := "a caption far wider than the picture that it stands under"
	sheet := Grid(2, []string{long, long}, white, white)
	b := sheet.Bounds()
	left, right := ink(sheet, image.Rect(0, 0, b.Dx()/2, b.Dy())), ink(sheet, image.Rect(b.Dx()/2, 0, b.Dx(), b.Dy()))
	for _, box := range []image.Rectangle{left, right} {
		if box.Dx() < 200 || box.Min.Y < gap+64 || box.Max.Y > b.Dy()-gap {
			t.Errorf("caption in %v of %v", box, b)
		}
	}
	if left.Min.X < gap || right.Max.X > b.Dx()-gap || right.Min.X-left.Max.X < gap {
		t.Errorf("captions in %v and %v of %v", left, right, b)
	}
}

func TestGridWithFewerCaptions(t *testing.T) {
	white := plain(128, 128, color.NRGBA{255, 255, 255, 255})
	sheet := Grid(1, []string{"", "second"}, white, white, white)
	box := ink(sheet, sheet.Bounds())
	if below := sheet.Bounds().Dy() - gap - 128; box.Empty() || box.Min.Y < 2*(gap+128) || box.Max.Y > below-gap {
		t.Errorf("the caption is in %v of %v", box, sheet.Bounds())
	}
	one, two := Grid(1, []string{"first"}, white), Grid(1, []string{"first"}, white, white)
	if got, want := two.Bounds().Dy()-one.Bounds().Dy(), 128+gap; got != want {
		t.Errorf("a row without captions takes %d pixels, want %d", got, want)
	}
}

func TestGridWithOddArguments(t *testing.T) {
	p := plain(2, 2, color.NRGBA{1, 2, 3, 255})
	for _, columns := range []int{-1, 0, 1} {
		if got, want := Grid(columns, nil, p, p), Grid(1, nil, p, p); !bytes.Equal(got.Pix, want.Pix) {
			t.Errorf("%d columns differ from one", columns)
		}
	}
	if got, want := Grid(1<<40, nil, p, p), Grid(2, nil, p, p); !bytes.Equal(got.Pix, want.Pix) {
		t.Errorf("many columns differ from two")
	}
	if got := Grid(3, []string{"nothing"}).Bounds(); got.Empty() {
		t.Errorf("no pictures: %v", got)
	}
	if got := Grid(1, nil, plain(0, 5, color.NRGBA{})).Bounds(); got.Empty() {
		t.Errorf("an empty picture: %v", got)
	}
}

func ExampleGrid() {
	low := New(8, 8) // A network's input, in grey; on the sheet it is as large as the result beside it.
	result := Bicubic(low, 32, 32)
	sheet := Grid(2, []string{"input", "bicubic"}, low.Image(), result.Image())
	fmt.Println("width:", sheet.Bounds().Dx())
	// Output: width: 280
}
