// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package imaging

import (
	"encoding/binary"
	"image"
	"image/color"
)

// Visible is FromImage for a picture that is to be filtered: pixels that are fully transparent take the colour of what
// can be seen near them, so that a colour which nobody sees does not run into its neighbours. Pixels that can be seen keep
// theirs, however little of it that is.
func Visible(img image.Image) Picture {
	p := FromImage(img)
	if alpha, transparent := opacity(img); transparent {
		weight := make([]float32, p.Width*p.Height)
		for i := range weight {
			weight[i] = (alpha.Pix[3*i] + 1) / 2
		}
		fill(p, weight)
	}
	return p
}

// fill gives pixels of weight 0 the weighted mean of the smallest block around them, of 2x2, 4x4 and so on, that has any
// weight: the pull and push of Gortler et al. 1996, "The Lumigraph", 3.4. Premultiplied colours are such weighted ones.
func fill(p Picture, weight []float32) {
	empty := false
	for _, w := range weight {
		empty = empty || w == 0
	}
	if !empty || len(weight) == 1 {
		return
	}
	half := New((p.Width+1)/2, (p.Height+1)/2)
	sum := make([]float32, half.Width*half.Height)
	block := func(i int) int { return i/p.Width/2*half.Width + i%p.Width/2 }
	for i, w := range weight {
		b := block(i)
		sum[b] += w
		for c := range 3 {
			half.Pix[3*b+c] += w * p.Pix[3*i+c]
		}
	}
	for b, s := range sum {
		for c := range 3 {
			if s > 0 {
				half.Pix[3*b+c] /= s
			}
		}
	}
	fill(half, sum)
	for i, w := range weight {
		if w == 0 {
			copy(p.Pix[3*i:3*i+3], half.Pix[3*block(i):])
		}
	}
}

// As returns p as a picture of the kind that like is, of which p is an enlargement: with 16 bits a channel where like has
// them; grey, the mean of the channels, where all that can be seen of like is grey; and as opaque as like, whose opacity is
// enlarged by itself, bilinear. Values are rounded as Image does it. The result is an *image.Gray or *image.Gray16 where
// like is stored as shades of grey, else an *image.NRGBA or *image.NRGBA64.
func (p Picture) As(like image.Image) image.Image {
	deep := false
	switch like.ColorModel() {
	case color.Gray16Model, color.NRGBA64Model, color.RGBA64Model:
		deep = true
	}
	value := func(i, c int) float32 { return p.Pix[3*i+c] }
	if hasNoColour(like) {
		value = func(i, _ int) float32 { return (p.Pix[3*i] + p.Pix[3*i+1] + p.Pix[3*i+2]) / 3 }
	}
	alpha, transparent := opacity(like)
	if transparent {
		alpha = Bilinear(alpha, p.Width, p.Height)
	}
	opaque := func(i int) float32 {
		if transparent {
			return alpha.Pix[3*i]
		}
		return 1
	}
	size, n := image.Rect(0, 0, p.Width, p.Height), p.Width*p.Height
	put16 := binary.BigEndian.PutUint16
	switch {
	case isGrey(like) && deep:
		img := image.NewGray16(size)
		for i := range n {
			put16(img.Pix[2*i:], level16(value(i, 0)))
		}
		return img
	case isGrey(like):
		img := image.NewGray(size)
		for i := range n {
			img.Pix[i] = level(value(i, 0))
		}
		return img
	case deep:
		img := image.NewNRGBA64(size)
		for i := range n {
			for c := range 3 {
				put16(img.Pix[8*i+2*c:], level16(value(i, c)))
			}
			put16(img.Pix[8*i+6:], level16(opaque(i)))
		}
		return img
	}
	img := image.NewNRGBA(size)
	for i := range n {
		for c := range 3 {
			img.Pix[4*i+c] = level(value(i, c))
		}
		img.Pix[4*i+3] = level(opaque(i))
	}
	return img
}

// level16 maps [-1, 1] to 0..65535, as level does to 0..255.
func level16(v float32) uint16 {
	if v != v { // NaN
		return 0
	}
	return uint16((min(max(v, -1), 1)+1)*32767.5 + 0.5)
}

// hasNoColour is whether all pixels that can be seen are grey.
func hasNoColour(img image.Image) bool {
	if isGrey(img) {
		return true
	}
	p := Visible(img)
	for i := range p.Width * p.Height {
		if p.Pix[3*i] != p.Pix[3*i+1] || p.Pix[3*i] != p.Pix[3*i+2] {
			return false
		}
	}
	return true
}

// opacity returns a picture's opacity as shades of grey, and whether any pixel is not opaque.
func opacity(img image.Image) (alpha Picture, transparent bool) {
	if o, ok := img.(interface{ Opaque() bool }); ok && o.Opaque() {
		return Picture{}, false
	}
	bounds := img.Bounds()
	alpha = New(bounds.Dx(), bounds.Dy())
	for i := range bounds.Dx() * bounds.Dy() {
		_, _, _, a := img.At(bounds.Min.X+i%bounds.Dx(), bounds.Min.Y+i/bounds.Dx()).RGBA()
		transparent = transparent || a != 0xffff
		for c := range 3 {
			alpha.Pix[3*i+c] = float32(a)/0xffff*2 - 1
		}
	}
	return alpha, transparent
}
