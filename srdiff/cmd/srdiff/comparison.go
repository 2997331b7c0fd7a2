// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"image"
	"slices"

	"github.com/srdiff/srlab/srdiff/imaging"
	"golang.org/x/image/draw"
)

// comparison is a sheet of interpolated enlargements and the model's result. It shows the middle of
// large pictures, because differences are visible only at full size.
type comparison struct {
	low   *image.NRGBA    // the part of the input that is shown
	place image.Rectangle // of the part in the result
	whole bool
	made  imaging.Picture // the part of the result, as far as its rows are there
}

// comparisonSide is the side of the shown part of a result, at most.
const comparisonSide = 1024

// newComparison chooses the part of a picture whose result has the given size.
func newComparison(img image.Image, size image.Point) *comparison {
	from := img.Bounds().Size()
	scaled := func(n, to, of int) int { return n * to / of }
	side := max(1, scaled(comparisonSide, from.X, size.X))
	middle := image.Rectangle{Max: image.Pt(min(from.X, side), min(from.Y, side))}
	middle = middle.Add(from.Sub(middle.Size()).Div(2))
	c := &comparison{low: image.NewNRGBA(image.Rectangle{Max: middle.Size()}), whole: middle.Size() == from}
	draw.Draw(c.low, c.low.Rect, img, img.Bounds().Min.Add(middle.Min), draw.Src)
	c.place = image.Rect(scaled(middle.Min.X, size.X, from.X), scaled(middle.Min.Y, size.Y, from.Y),
		max(1, scaled(middle.Max.X, size.X, from.X)), max(1, scaled(middle.Max.Y, size.Y, from.Y)))
	c.made = imaging.Picture{Width: c.place.Dx()}
	return c
}

// watch passes strips on and keeps the part of the result.
func (c *comparison) watch(strips imaging.Strips) imaging.Strips {
	return func(yield func(imaging.Picture, error) bool) {
		y := 0
		for strip, err := range strips {
			for row := range slices.Chunk(strip.Pix, max(1, 3*strip.Width)) {
				if y >= c.place.Min.Y && y < c.place.Max.Y {
					c.made.Pix = append(c.made.Pix, row[3*c.place.Min.X:3*c.place.Max.X]...)
					c.made.Height++
				}
				y++
			}
			if !yield(strip, err) {
				return
			}
		}
	}
}

// sheet draws the sheet when all strips have passed.
func (c *comparison) sheet() image.Image {
	size := c.place.Size()
	nearest := image.NewNRGBA(image.Rectangle{Max: size})
	draw.NearestNeighbor.Scale(nearest, nearest.Rect, c.low, c.low.Rect, draw.Src, nil)
	visible := imaging.Visible(c.low)
	caption := "result"
	if !c.whole {
		caption = "result, its middle"
	}
	return imaging.Grid(2, []string{"nearest", "bilinear", "bicubic", caption}, nearest,
		imaging.Bilinear(visible, size.X, size.Y).As(c.low), imaging.Bicubic(visible, size.X, size.Y).As(c.low), c.made.As(c.low))
}
