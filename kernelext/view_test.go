// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package kernelext

import (
	"image"
	"strings"
	"testing"
)

func TestView(t *testing.T) {
	theKernel.take()
	view := NewView()
	tile := image.NewGray(image.Rect(0, 0, 32, 32))
	line := Chart{Series: []Series{{Y: []float64{1, 2}}}}
	view.Printf("a <%d>", 1)
	view.Picture(tile)
	view.Strip([]string{"one", "two"}, tile, tile)
	view.Chart(line)
	view.Chart(line, line)
	view.Redraw()
	view.Printf("b")
	view.Redraw()
	messages := theKernel.take()
	if len(messages) != 2 || messages[0].DisplayID == "" || messages[0].DisplayID != messages[1].DisplayID {
		t.Fatalf("%d messages, want two to one display", len(messages))
	}
	first, _ := shown(messages[:1], "view_")
	second, _ := shown(messages[1:], "view_")
	if !strings.Contains(first, "a &lt;1&gt;") || strings.Contains(second, "a ") || strings.Contains(second, "<img") ||
		!strings.Contains(second, "b") {
		t.Errorf("first %.100s, then %s", first, second)
	}
	var sizes []image.Point
	for _, p := range pictures(t, first) {
		sizes = append(sizes, p.Bounds().Size())
	}
	want := []image.Point{{32, 32}, {128, 128}, {128, 128}, {1280, 720}, {880, 600}, {880, 600}}
	if len(sizes) != len(want) {
		t.Fatalf("pictures of %v", sizes)
	}
	for i, size := range sizes {
		if size.X != want[i].X || want[i].Y != 0 && size.Y != want[i].Y {
			t.Errorf("picture %d is %v, want %v", i, size, want[i])
		}
	}
}

func TestRow(t *testing.T) {
	theKernel.take()
	Row(Chart{Series: []Series{{Y: []float64{1, 2}}}}, Chart{Series: []Series{{Y: []float64{3, 1}}}})
	page, _ := shown(theKernel.take(), "")
	if len(pictures(t, page)) != 2 || strings.Count(page, `width="440" height="300"`) != 2 {
		t.Errorf("%.200s", page)
	}
	if _, err := rowHTML([]Chart{{Title: "none"}}); err == nil || !strings.Contains(err.Error(), `chart "none"`) {
		t.Errorf("error %v", err)
	}
}
