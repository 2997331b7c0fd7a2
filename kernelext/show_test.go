// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package kernelext

import (
	"image"
	"image/color"
	"strings"
	"testing"

	"github.com/janpfeifer/gonb/gonbui/protocol"
)

func TestShow(t *testing.T) {
	theKernel.take()
	picture := image.NewNRGBA(image.Rect(0, 0, 5, 3))
	picture.Set(4, 2, color.NRGBA{R: 200, G: 100, B: 50, A: 255})
	Show(picture)
	page, text := page(t)
	back := pictures(t, page)
	if len(back) != 1 || back[0].Bounds() != picture.Bounds() || color.NRGBAModel.Convert(back[0].At(4, 2)) != picture.At(4, 2) {
		t.Errorf("another picture came out: %.200s", page)
	}
	if text != "picture, 5x3" || !strings.Contains(page, `width="5" height="3" alt="picture, 5x3"`) {
		t.Errorf("text %q, page %.200s", text, page)
	}
}

// page returns the one part of a page that was displayed, and the text that stands for it.
func page(t *testing.T) (part, text string) {
	t.Helper()
	messages := theKernel.take()
	if len(messages) != 1 {
		t.Fatalf("%d messages", len(messages))
	}
	part, _ = messages[0].Data[protocol.MIMETextHTML].(string)
	text, _ = messages[0].Data[protocol.MIMETextPlain].(string)
	return part, text
}

// A nil picture is an error that names it, and not a panic.
func TestNilPictures(t *testing.T) {
	tile := image.NewGray(image.Rect(0, 0, 8, 8))
	var none *image.NRGBA
	for name, draw := range map[string]func(*View) error{
		"Show":             func(*View) error { _, err := encode(nil); return err },
		"Show, typed":      func(*View) error { _, err := encode(none); return err },
		"Compare":          func(*View) error { _, err := compareHTML(tile, nil, nil); return err },
		"Compare, typed":   func(*View) error { _, err := compareHTML(none, tile, nil); return err },
		"Grid":             func(*View) error { _, err := gridHTML(2, nil, []image.Image{tile, nil}); return err },
		"View.Picture":     func(v *View) error { v.Picture(nil); return nil },
		"View.Strip":       func(v *View) error { v.Strip(nil, tile, none); return nil },
		"View.Grid, typed": func(v *View) error { v.Grid(1, nil, none); return nil },
	} {
		view := NewView()
		err := draw(view)
		if _, drawing := view.take(); err == nil {
			err = drawing
		}
		if err == nil || !strings.Contains(err.Error(), "is nil") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// A grid has rows, magnifies pictures by whole factors, and names each picture; its colours are the
// page's own.
func TestGrid(t *testing.T) {
	theKernel.take()
	tile, large := image.NewNRGBA(image.Rect(0, 0, 50, 30)), image.NewGray(image.Rect(0, 0, 200, 100))
	tile.Set(3, 2, color.NRGBA{R: 200, A: 255})
	Grid(2, []string{"one", "two\nlines"}, tile, tile, large)
	grid, text := page(t)
	if rows := strings.Count(grid, "display:flex"); rows != 2 || text != "3 pictures" {
		t.Errorf("%d rows, text %q", rows, text)
	}
	for _, want := range []string{`width="100" height="60" alt="one"`, "two\nlines", `width="200" height="100" alt="picture 3 of 3"`,
		"image-rendering:pixelated", `aria-label="zoom"`} {
		if !strings.Contains(grid, want) {
			t.Errorf("the grid lacks %s", want)
		}
	}
	if strings.Contains(grid, "color:") {
		t.Error("the grid has colours of its own")
	}
	shown := pictures(t, grid)
	for y := range 60 {
		for x := range 100 {
			if shown[0].At(x, y) != color.NRGBAModel.Convert(tile.At(x/2, y/2)) {
				t.Fatalf("pixel %d,%d is %v", x, y, shown[0].At(x, y))
			}
		}
	}
	Strip(nil, tile, tile, tile)
	if strip, _ := page(t); strings.Count(strip, "display:flex") != 1 {
		t.Error("a strip is not one row")
	}
}

// A row of small pictures is as wide as the page at most. All pictures of a grid have one length.
func TestGridFits(t *testing.T) {
	tiles := func(n int, sides ...int) (pictures []image.Image) {
		for i := range n {
			side := sides[i*len(sides)/n]
			pictures = append(pictures, image.NewGray(image.Rect(0, 0, side, side)))
		}
		return pictures
	}
	for _, test := range []struct {
		columns  int
		pictures []image.Image
		width    string
	}{
		{1, tiles(1, 32), `width="128"`},
		{6, tiles(6, 32), `width="128"`},
		{7, tiles(7, 32), `width="96"`},
		{8, tiles(16, 32, 8), `width="96"`}, // Originals and their inputs.
		{8, tiles(16, 64, 16), `width="128"`},
		{40, tiles(40, 32), `width="128"`},
		{3, tiles(3, 200), `width="200"`},
	} {
		grid, err := gridHTML(test.columns, nil, test.pictures)
		if n := strings.Count(grid, test.width); err != nil || n != len(test.pictures) {
			t.Errorf("%d columns of %v: %d pictures have %s, %v", test.columns, test.pictures[0].Bounds(), n, test.width, err)
		}
	}
}

// A caption that is too long for its picture does not break within an equation.
func TestGridCaption(t *testing.T) {
	grid, err := gridHTML(1, []string{"predicted x_0, t = 999"}, []image.Image{image.NewGray(image.Rect(0, 0, 8, 8))})
	if err != nil || !strings.Contains(grid, ">predicted x_0, t\u00a0=\u00a0999<") || !strings.Contains(grid, `alt="predicted x_0, t = 999"`) {
		t.Errorf("the grid is %s, %v", grid, err)
	}
}
