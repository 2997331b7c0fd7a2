// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// Package imaging reads and writes picture files, and resizes pictures exactly as PyTorch does. It
// limits the size of files and pictures, so that a bad file is an error and neither a crash nor out
// of memory.
package imaging

import (
	"image"
	"image/color"
)

// Picture is an RGB picture of float32 values, the input of a network.
type Picture struct {
	Width, Height int

	// Pix holds Height rows of Width pixels of red, green and blue: len(Pix) = Height*Width*3.
	// Black is -1 and full intensity is 1. Values may lie beyond that range; Image clamps them.
	Pix []float32
}

// New returns a mid-grey picture (every value is 0). Like image.NewNRGBA it panics if a side is
// negative.
func New(width, height int) Picture {
	return Picture{Width: width, Height: height, Pix: make([]float32, height*width*3)}
}

// CentreCrop returns the square of the given side in the middle of a picture whose sides are at least
// as long.
func (p Picture) CentreCrop(side int) Picture {
	left, top := (p.Width-side)/2, (p.Height-side)/2
	crop := New(side, side)
	for y := range side {
		copy(crop.Pix[3*y*side:3*(y+1)*side], p.Pix[3*((top+y)*p.Width+left):])
	}
	return crop
}

// FromImage returns img in [-1, 1]: an 8-bit value v becomes v/255*2 - 1, and 16-bit pictures keep
// their precision. Grey becomes three equal channels. FromImage ignores transparency and
// keeps the colours: it divides premultiplied colours by their alpha, and a fully transparent pixel
// has the stored colour (NRGBA and similar types) or else is black.
func FromImage(img image.Image) Picture {
	b := img.Bounds()
	p := New(b.Dx(), b.Dy())
	at := reader(img)
	i := 0
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			p.Pix[i], p.Pix[i+1], p.Pix[i+2] = at(x, y)
			i += 3
		}
	}
	return p
}

// reader returns a function that reads one pixel of img. The usual types are read without an
// allocation a pixel.
func reader(img image.Image) func(x, y int) (r, g, b float32) {
	switch img := img.(type) {
	case *image.NRGBA:
		return func(x, y int) (r, g, b float32) {
			c := img.NRGBAAt(x, y)
			return scale(uint32(c.R), uint32(c.G), uint32(c.B), 0xff)
		}
	case *image.RGBA:
		return func(x, y int) (r, g, b float32) {
			c := img.RGBAAt(x, y)
			return scale(uint32(c.R), uint32(c.G), uint32(c.B), uint32(c.A))
		}
	case *image.YCbCr:
		return func(x, y int) (r, g, b float32) {
			c := img.YCbCrAt(x, y)
			return scaleYCbCr(c)
		}
	case *image.Gray:
		return func(x, y int) (r, g, b float32) {
			c := uint32(img.GrayAt(x, y).Y)
			return scale(c, c, c, 0xff)
		}
	}
	return func(x, y int) (r, g, b float32) {
		switch c := img.At(x, y).(type) {
		case color.NRGBA:
			return scale(uint32(c.R), uint32(c.G), uint32(c.B), 0xff)
		case color.NRGBA64:
			return scale(uint32(c.R), uint32(c.G), uint32(c.B), 0xffff)
		case color.NYCbCrA:
			return scaleYCbCr(c.YCbCr)
		case color.YCbCr:
			return scaleYCbCr(c)
		default:
			return scale(c.RGBA())
		}
	}
}

// scale maps 0..white to [-1, 1]. For premultiplied colours white is the pixel's alpha.
func scale(r, g, b, white uint32) (x, y, z float32) {
	if white == 0 {
		return -1, -1, -1
	}
	w := float32(white)
	// The minimum guards against broken premultiplied colours, brighter than their alpha.
	return min(float32(r)/w*2-1, 1), min(float32(g)/w*2-1, 1), min(float32(b)/w*2-1, 1)
}

// scaleYCbCr converts in 8 bits, which is what a JPEG or lossy WebP file defines.
func scaleYCbCr(c color.YCbCr) (x, y, z float32) {
	r, g, b := color.YCbCrToRGB(c.Y, c.Cb, c.Cr)
	return scale(uint32(r), uint32(g), uint32(b), 0xff)
}

// Image returns p as an opaque 8-bit picture. Values are clamped to [-1, 1] and rounded to the
// nearest of the 256 levels; NaN becomes black.
func (p Picture) Image() *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, p.Width, p.Height))
	for i := range p.Width * p.Height {
		from, to := p.Pix[3*i:3*i+3], img.Pix[4*i:4*i+4]
		to[0], to[1], to[2], to[3] = level(from[0]), level(from[1]), level(from[2]), 0xff
	}
	return img
}

// level maps [-1, 1] to 0..255.
func level(v float32) uint8 {
	if v != v { // NaN
		return 0
	}
	return uint8((min(max(v, -1), 1)+1)*127.5 + 0.5)
}
