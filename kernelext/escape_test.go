// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package kernelext

import (
	"context"
	"errors"
	"image"
	"strings"
	"testing"

	"github.com/janpfeifer/gonb/gonbui/protocol"
)

// All text is escaped in HTML, wherever it comes from: a file's name in an error, a caption, a
// title.
func TestTextIsEscaped(t *testing.T) {
	const text = `</div><script>alert(1)</script><img src=x onerror="alert(2)">'`
	tile := image.NewGray(image.Rect(0, 0, 8, 8))
	line := Chart{Title: text, XLabel: text, YLabel: text, Series: []Series{{Name: text, Y: []float64{1, 2}}}}
	texts := 0
	for name, display := range map[string]func() (texts int){
		"Compare": func() int { Compare(tile, tile, text, text); return 4 },
		"View": func() int {
			view := NewView()
			view.Printf("%s", text)
			view.Chart(line, line)
			view.Strip([]string{text}, tile)
			view.Redraw()
			return 1 + 2*2 + 2 // A chart is named by its title and its line, a picture by its caption.
		},
		"Interact": func() int {
			draw := func(view *View) error { view.Printf("%s", text); return nil }
			interact(context.Background(), draw, []Control{NewSlider(text, 0, 1, 1, 0), NewButton(text)})
			return 3
		},
		"Interact, an error": func() int {
			interact(context.Background(), func(*View) error { return errors.New(text) }, nil)
			return 1
		},
		"Progress": func() int {
			p := NewProgress(text)
			p.Update(1, 2, text)
			p.Done(text)
			return 2
		},
		"Monitor": func() int {
			m := NewMonitor(text)
			m.Update(1, 2, 0.5, text)
			m.Done(text)
			return 3
		},
		"Row":   func() int { Row(line, line); return 4 },
		"Chart": func() int { line.Show(); return 2 },
		"Strip": func() int { Strip([]string{text}, tile); return 2 },
	} {
		theKernel.take()
		want := display()
		escaped := map[string]int{} // By display. The last content of each counts.
		for _, m := range theKernel.take() {
			for kind, content := range m.Data {
				page, _ := content.(string)
				if kind != protocol.MIMETextHTML {
					if kind != protocol.MIMEImagePNG && kind != protocol.MIMETextPlain {
						t.Errorf("%s shows %s", name, kind)
					}
					continue
				}
				if strings.Contains(page, "<script>alert") || strings.Contains(page, "<img src=x") || strings.Contains(page, "</div><script") {
					t.Errorf("%s lets HTML through: %.500s", name, page)
				}
				escaped[m.DisplayID] = strings.Count(page, "&lt;script&gt;alert(1)")
			}
		}
		got := 0
		for _, n := range escaped {
			got += n
		}
		if got != want {
			t.Errorf("%s shows %d escaped texts, want %d", name, got, want)
		}
		texts += got
	}
	if page := errorHTML(errors.New(text)); strings.Contains(page, "<script>") || !strings.Contains(page, "&lt;script&gt;") {
		t.Errorf("Check shows %s", page)
	}
	if texts == 0 {
		t.Error("nothing was shown")
	}
}
