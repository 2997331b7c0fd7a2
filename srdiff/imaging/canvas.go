// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package imaging

import (
	"image"
	"image/color"
)

// onCanvas puts an animation's first frame on its canvas. The rest of the canvas is transparent, as
// in browsers. The result begins at 0,0. A frame that covers the canvas is returned as it is.
func onCanvas(frame image.Image, at, canvas image.Point) image.Image {
	b := frame.Bounds()
	if b.Size() == canvas && b.Min == (image.Point{}) {
		return frame
	}
	switch frame.ColorModel() {
	case color.Gray16Model, color.NRGBA64Model, color.RGBA64Model:
		out := image.NewNRGBA64(image.Rectangle{Max: canvas})
		each(b, func(x, y int) {
			out.Set(at.X+x-b.Min.X, at.Y+y-b.Min.Y, frame.At(x, y))
		})
		return out
	}
	out := image.NewNRGBA(image.Rectangle{Max: canvas})
	each(b, func(x, y int) {
		out.Set(at.X+x-b.Min.X, at.Y+y-b.Min.Y, frame.At(x, y))
	})
	return out
}

// each calls f for every pixel of a rectangle, row by row.
func each(b image.Rectangle, f func(x, y int)) {
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			f(x, y)
		}
	}
}
