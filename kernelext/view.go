// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package kernelext

import (
	"fmt"
	"html"
	"image"
	"strings"

	"github.com/janpfeifer/gonb/gonbui"

	"github.com/srdiff/srlab/srdiff/imaging"
)

// View is a place below a cell that is drawn again as often as wanted: pictures on their way from noise, or what
// [Interact] draws anew for each position of its sliders. Its methods add content below what they added before, and
// [View.Redraw] puts all of it in the place of what was there:
//
//	view := kernelext.NewView()
//	for t := range pictures {
//		view.Printf("t = %d", t)
//		view.Strip(nil, pictures[t]...)
//		view.Redraw()
//	}
//
// What was drawn last stays in the saved notebook. Outside a notebook a view shows nothing. A view is for one
// goroutine.
type View struct {
	display string
	content strings.Builder
	err     error // The first thing that could not be drawn since the last redraw.
}

// NewView makes a view. It appears with the first [View.Redraw].
func NewView() *View { return &View{display: "view_" + gonbui.UniqueId()} }

// Printf adds a line of plain text, formatted as fmt.Sprintf does.
func (v *View) Printf(format string, values ...any) {
	fmt.Fprintf(&v.content, `<div style="white-space:pre-wrap">%s</div>`, html.EscapeString(fmt.Sprintf(format, values...)))
}

// Chart adds a chart, or several side by side as in [Row].
func (v *View) Chart(charts ...Chart) {
	v.add(rowHTML(charts))
}

// Picture adds a picture, one screen pixel for each of its own.
func (v *View) Picture(img image.Image) {
	data, err := encode(img)
	v.add("<div>"+imgHTML(data, img.Bounds().Size())+"</div>", err)
}

// Grid adds pictures in rows of so many columns, each over its caption; see [imaging.Grid].
func (v *View) Grid(columns int, captions []string, pictures ...image.Image) {
	v.Picture(imaging.Grid(columns, captions, pictures...))
}

// Strip adds pictures side by side, each over its caption; see [imaging.Grid].
func (v *View) Strip(captions []string, pictures ...image.Image) {
	v.Grid(len(pictures), captions, pictures...)
}

// Redraw shows what was added since the last redraw in the place of what was there. If something could not be drawn,
// such as a chart without a point, it ends the cell as [Check] does.
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

// take empties the view for the next redraw.
func (v *View) take() (content string, err error) {
	content, err = v.content.String(), v.err
	v.content.Reset()
	v.err = nil
	return content, err
}
