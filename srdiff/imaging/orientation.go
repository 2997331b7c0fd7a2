// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package imaging

import (
	"image"
	"image/draw"
)

// orientation returns the EXIF orientation, 1 to 8, from a TIFF structure's first directory. It
// returns 1 (upright) if there is none or the data is damaged: a photograph on its side is better
// than an error.
func orientation(tiff []byte) int {
	f := firstDirectory(tiff).fields[tagOrientation]
	if f.kind == short && len(f.value) >= 2 {
		if o := byteOrder(tiff).Uint16(f.value); 1 <= o && o <= 8 {
			return int(o)
		}
	}
	return 1
}

// upright turns a picture upright, given its EXIF orientation, 1 to 8. The result has one of the
// standard library's types, with the depth, grey, palette and opacity of img.
func upright(img image.Image, orientation int) image.Image {
	if orientation == 1 {
		return img
	}
	size := image.Rectangle{Max: img.Bounds().Size()}
	if orientation >= 5 {
		size.Max.X, size.Max.Y = size.Max.Y, size.Max.X
	}
	corner := func(pix []byte, offset func(x, y int) int) []byte {
		if size.Empty() {
			return nil
		}
		return pix[offset(img.Bounds().Min.X, img.Bounds().Min.Y):]
	}
	switch img := img.(type) {
	case *image.Gray:
		out := image.NewGray(size)
		turn(out.Pix, size.Max, corner(img.Pix, img.PixOffset), img.Stride, 1, orientation)
		return out
	case *image.Gray16:
		out := image.NewGray16(size)
		turn(out.Pix, size.Max, corner(img.Pix, img.PixOffset), img.Stride, 2, orientation)
		return out
	case *image.Paletted:
		out := image.NewPaletted(size, img.Palette)
		turn(out.Pix, size.Max, corner(img.Pix, img.PixOffset), img.Stride, 1, orientation)
		return out
	case *image.RGBA:
		out := image.NewRGBA(size)
		turn(out.Pix, size.Max, corner(img.Pix, img.PixOffset), img.Stride, 4, orientation)
		return out
	case *image.RGBA64:
		out := image.NewRGBA64(size)
		turn(out.Pix, size.Max, corner(img.Pix, img.PixOffset), img.Stride, 8, orientation)
		return out
	case *image.NRGBA:
		out := image.NewNRGBA(size)
		turn(out.Pix, size.Max, corner(img.Pix, img.PixOffset), img.Stride, 4, orientation)
		return out
	case *image.NRGBA64:
		out := image.NewNRGBA64(size)
		turn(out.Pix, size.Max, corner(img.Pix, img.PixOffset), img.Stride, 8, orientation)
		return out
	case *image.CMYK:
		out := image.NewCMYK(size)
		turn(out.Pix, size.Max, corner(img.Pix, img.PixOffset), img.Stride, 4, orientation)
		return out
	}
	rgba := image.NewRGBA(image.Rectangle{Max: img.Bounds().Size()}) // a photograph: YCbCr is opaque
	draw.Draw(rgba, rgba.Rect, img, img.Bounds().Min, draw.Src)
	return upright(rgba, orientation)
}

// turn fills the upright picture to from the stored picture from. Both have the given number of
// bytes a pixel.
func turn(to []byte, size image.Point, from []byte, stride, bytes, orientation int) {
	// The place in the stored picture, whose last column and row are right and bottom, that is seen
	// at x, y.
	right, bottom := size.X-1, size.Y-1
	if orientation >= 5 {
		right, bottom = bottom, right
	}
	place := func(x, y int) (int, int) { return x, y }
	switch orientation {
	case 2: // mirrored left to right
		place = func(x, y int) (int, int) { return right - x, y }
	case 3: // half a turn
		place = func(x, y int) (int, int) { return right - x, bottom - y }
	case 4: // mirrored top to bottom
		place = func(x, y int) (int, int) { return x, bottom - y }
	case 5: // transposed
		place = func(x, y int) (int, int) { return y, x }
	case 6: // to be turned clockwise
		place = func(x, y int) (int, int) { return y, bottom - x }
	case 7: // transposed along the other diagonal
		place = func(x, y int) (int, int) { return right - y, bottom - x }
	case 8: // to be turned anticlockwise
		place = func(x, y int) (int, int) { return right - y, x }
	}
	for y := range size.Y {
		for x := range size.X {
			fromX, fromY := place(x, y)
			copy(to[:bytes], from[fromY*stride+fromX*bytes:])
			to = to[bytes:]
		}
	}
}
