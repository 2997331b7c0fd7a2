// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package imaging

import (
	"image"
	"image/color"
	"iter"
	"slices"
)

// Strips are the rows of a picture from the top down, some at a time, so that all of them need not be
// in memory. All strips have one width. A strip is valid until the next one. An error is the last value.
type Strips = iter.Seq2[Picture, error]

// VisibleRows returns a function that returns the rows of Visible's picture from top to before bottom. Of
// an opaque picture, no more than these rows are converted.
func VisibleRows(img image.Image) func(top, bottom int) Picture {
	sub, ok := img.(interface {
		SubImage(image.Rectangle) image.Image
	})
	if ok && isOpaque(img) {
		b := img.Bounds()
		return func(top, bottom int) Picture {
			return FromImage(sub.SubImage(image.Rect(b.Min.X, b.Min.Y+top, b.Max.X, b.Min.Y+bottom)))
		}
	}
	p := Visible(img)
	return func(top, bottom int) Picture { return rowsOf(p, top, bottom) }
}

// MemoryOf returns about how many bytes a decoded picture takes together with VisibleRows.
func MemoryOf(img image.Image) int64 {
	bytes := int64(8)
	switch img.ColorModel() {
	case color.GrayModel:
		bytes = 1
	case color.Gray16Model:
		bytes = 2
	case color.YCbCrModel:
		bytes = 3
	case color.NRGBAModel, color.RGBAModel, color.CMYKModel:
		bytes = 4
	}
	if !isOpaque(img) {
		bytes += 12 + 4 // Visible's picture, and the weights of its pixels
	}
	size := img.Bounds().Size()
	return bytes * int64(size.X) * int64(size.Y)
}

// ResizeStrips resizes a picture of from to one of to, both at least 1x1, by the cubic convolution of
// Imresize, widened for antialiasing on an axis that becomes shorter. Values are not rounded.
func ResizeStrips(strips Strips, from, to image.Point) Strips {
	if from == to {
		return strips
	}
	columns := matlabBicubic(from.X, to.X, float64(to.X)/float64(from.X))
	rows := matlabBicubic(from.Y, to.Y, float64(to.Y)/float64(from.Y))
	return func(yield func(Picture, error) bool) {
		r := &rowResizer{rows: rows, width: to.X}
		for strip, err := range strips {
			if err != nil {
				yield(Picture{}, err)
				return
			}
			const some = 64 // rows, so that what is between takes little memory
			for top := 0; top < strip.Height; top += some {
				r.add(transposed(across(rowsOf(strip, top, min(strip.Height, top+some)), columns)))
				if out := r.ready(); out.Height > 0 && !yield(out, nil) {
					return
				}
			}
		}
	}
}

// rowsOf is the part of a picture from top to before bottom, which shares its values.
func rowsOf(p Picture, top, bottom int) Picture {
	return Picture{Width: p.Width, Height: bottom - top, Pix: p.Pix[3*p.Width*top : 3*p.Width*bottom]}
}

// rowResizer makes rows of the result of rows that come in their order.
type rowResizer struct {
	rows  []taps // of the rows of the result that are still to be made
	width int
	first int       // number of the first row that is kept
	kept  []float32 // rows, all of the result's width
}

func (r *rowResizer) add(p Picture) { r.kept = append(r.kept, p.Pix...) }

// ready returns the rows of the result that can be made, and forgets the rows that no other needs.
func (r *rowResizer) ready() Picture {
	line := 3 * r.width
	end := r.first + len(r.kept)/line
	n := 0
	for n < len(r.rows) && r.rows[n].first+len(r.rows[n].weights) <= end {
		n++
	}
	out := New(r.width, n)
	for y, t := range r.rows[:n] {
		to := out.Pix[y*line:][:line]
		for i, w := range t.weights {
			from := r.kept[(t.first+i-r.first)*line:][:line]
			for x, v := range from {
				to[x] += float32(w) * v
			}
		}
	}
	r.rows = r.rows[n:]
	if len(r.rows) > 0 {
		if next := r.rows[0].first; next > r.first {
			r.kept = slices.Delete(r.kept, 0, (min(next, end)-r.first)*line)
			r.first = min(next, end)
		}
	}
	return out
}
