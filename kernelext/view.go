// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package kernelext

import (
	"fmt"
	"html"
	"image"
	"strings"

	"github.com/janpfeifer/gonb/gonbui"
)

// View is an output of a cell that can be replaced, for instance to show each step of sampling.
// [Interact] redraws one for each position of its sliders. The methods of a view append content,
// and [View.Redraw] shows all of it instead of what was shown before:
//
//	view := kernelext.NewView()
//	for t := range pictures {
//		view.Printf("t = %d", t)
//		view.Strip(nil, pictures[t]...)
//		view.Redraw()
//	}
//
// The notebook is saved with what was shown last. Outside a notebook a view shows nothing. Only one
// goroutine may use a view at a time.
type View struct {
	display string
	content strings.Builder
	err     error // The first error since the last redraw.
}

// NewView makes a view. It appears with the first [View.Redraw].
func NewView() *View { return &View{display: "view_" + gonbui.UniqueId()} }

// Printf adds a line of plain text, formatted as by fmt.Sprintf.
func (v *View) Printf(format string, values ...any) {
	fmt.Fprintf(&v.content, `<div style="white-space:pre-wrap">%s</div>`, html.EscapeString(fmt.Sprintf(format, values...)))
}

// Chart adds a chart, or several side by side as in [Row].
func (v *View) Chart(charts ...Chart) {
	v.add(rowHTML(charts))
}

// Picture adds a picture with one screen pixel for each of its pixels.
func (v *View) Picture(img image.Image) {
	data, err := encode(img)
	if err != nil {
		v.add("", err)
		return
	}
	size := img.Bounds().Size()
	v.add("<div>"+imgHTML(data, size, fmt.Sprintf("picture, %dx%d", size.X, size.Y))+"</div>", nil)
}

// Grid adds pictures in rows of so many columns, each above its caption; see [Grid].
func (v *View) Grid(columns int, captions []string, pictures ...image.Image) {
	v.add(gridHTML(columns, captions, pictures))
}

// Strip adds pictures side by side, each above its caption; see [Grid].
func (v *View) Strip(captions []string, pictures ...image.Image) {
	v.Grid(len(pictures), captions, pictures...)
}

// Redraw shows what was added since the last redraw, instead of what was shown before. If something
// could not be drawn, for instance a chart without points, Redraw ends the cell as [Check] does.
func (v *View) Redraw() {
	content, err := v.take()
	Check(err)
	gonbui.UpdateHTML(v.display, content)
	flush()
}

func (v *View) add(content string, err error) {
	if err != nil && v.err == nil {
		v.err = err
	}
	v.content.WriteString(content)
}

// take returns the content and empties the view for the next redraw.
func (v *View) take() (content string, err error) {
	content, err = v.content.String(), v.err
	v.content.Reset()
	v.err = nil
	return content, err
}
