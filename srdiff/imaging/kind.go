// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package imaging

import (
	"encoding/binary"
	"image"
	"image/color"
	"math"
)

// Visible is FromImage for a picture that will be filtered. Fully transparent pixels take the
// colour of visible pixels near them, so that an invisible colour does not bleed into its
// neighbours. All other pixels keep their colours.
func Visible(img image.Image) Picture {
	p := FromImage(img)
	if isOpaque(img) {
		return p
	}
	weight := make([]float32, 0, p.Width*p.Height)
	alpha := alphaOf(img)
	each(img.Bounds(), func(x, y int) { weight = append(weight, alpha(x, y)) })
	fill(p, weight)
	return p
}

// fill gives pixels of weight 0 the weighted mean of the smallest block around them, of 2x2, 4x4
// and so on, that has any weight: the pull and push of Gortler et al. 1996, "The Lumigraph", 3.4.
// Premultiplied colours are such weighted ones.
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

// As returns p, an enlargement of like, as an image of like's kind. It has 16 bits a channel if
// like has. It is grey, the mean of the channels, if all visible pixels of like are grey. Its
// opacity is that of like, enlarged as by Bilinear. Values are rounded as by Image. The result is
// an *image.Gray or *image.Gray16 if like is stored as shades of grey, and otherwise an
// *image.NRGBA or *image.NRGBA64. Apart from the result, As allocates memory for two rows.
func (p Picture) As(like image.Image) image.Image {
	return kindOf(like, p.Width, p.Height).image(p, 0)
}

// kind is the kind of a picture: see As.
type kind struct {
	grey, deep bool // stored as shades of grey; 16 bits a channel
	colourless bool
	opaque     bool
	opacity    func(y int) []float32 // see enlargedOpacity
}

// kindOf returns the kind of like for enlargements of it.
func kindOf(like image.Image, width, height int) *kind {
	k := &kind{grey: isGrey(like), colourless: hasNoColour(like), opaque: isOpaque(like), opacity: enlargedOpacity(like, width, height)}
	switch like.ColorModel() {
	case color.Gray16Model, color.NRGBA64Model, color.RGBA64Model:
		k.deep = true
	}
	return k
}

// model is the colour model of the kind's images.
func (k *kind) model() color.Model {
	switch {
	case k.grey && k.deep:
		return color.Gray16Model
	case k.grey:
		return color.GrayModel
	case k.deep:
		return color.NRGBA64Model
	}
	return color.NRGBAModel
}

// image returns rows of a picture, the first of which is row top. Rows are to be asked for in their
// order.
func (k *kind) image(p Picture, top int) image.Image {
	value := func(i, c int) float32 { return p.Pix[3*i+c] }
	if k.colourless {
		value = func(i, _ int) float32 { return (p.Pix[3*i] + p.Pix[3*i+1] + p.Pix[3*i+2]) / 3 }
	}
	size, n := image.Rect(0, top, p.Width, top+p.Height), p.Width*p.Height
	put16 := binary.BigEndian.PutUint16
	switch {
	case k.grey && k.deep:
		img := image.NewGray16(size)
		for i := range n {
			put16(img.Pix[2*i:], level16(value(i, 0)))
		}
		return img
	case k.grey:
		img := image.NewGray(size)
		for i := range n {
			img.Pix[i] = level(value(i, 0))
		}
		return img
	case k.deep:
		img := image.NewNRGBA64(size)
		for y := range p.Height {
			for x, a := range k.opacity(top + y) {
				i := y*p.Width + x
				for c := range 3 {
					put16(img.Pix[8*i+2*c:], level16(value(i, c)))
				}
				put16(img.Pix[8*i+6:], level16(a))
			}
		}
		return img
	}
	img := image.NewNRGBA(size)
	for y := range p.Height {
		for x, a := range k.opacity(top + y) {
			i := y*p.Width + x
			for c := range 3 {
				img.Pix[4*i+c] = level(value(i, c))
			}
			img.Pix[4*i+3] = level(a)
		}
	}
	return img
}

// enlargedOpacity returns a function that returns row y of img's opacity, in [-1, 1], enlarged to
// width x height. Callers must ask for the rows in order; a row is valid until the next call.
func enlargedOpacity(img image.Image, width, height int) func(y int) []float32 {
	row, b := make([]float32, width), img.Bounds()
	if b.Empty() || isOpaque(img) {
		for x := range row {
			row[x] = 1
		}
		return func(int) []float32 { return row }
	}
	alpha := alphaOf(img)
	columns, rows := linearTaps(b.Dx(), width), linearTaps(b.Dy(), height)
	stored := make([]float32, b.Dx())
	type stretched struct {
		from int // the row of img, -1 for none yet
		row  []float32
	}
	kept := [2]stretched{{-1, make([]float32, width)}, {-1, make([]float32, width)}}
	stretch := func(from int) []float32 {
		s := &kept[from%2] // Neighbours do not get into each other's way.
		if s.from != from {
			s.from = from
			for x := range stored {
				stored[x] = alpha(b.Min.X+x, b.Min.Y+from)*2 - 1
			}
			for x, t := range columns {
				s.row[x] = t.weights[0]*stored[t.from[0]] + t.weights[1]*stored[t.from[1]]
			}
		}
		return s.row
	}
	return func(y int) []float32 {
		t := rows[y]
		upper, lower := stretch(t.from[0]), stretch(t.from[1])
		for x := range row {
			row[x] = t.weights[0]*upper[x] + t.weights[1]*lower[x]
		}
		return row
	}
}

// twoTaps are the two pixels that Bilinear takes for one, and their weights.
type twoTaps struct {
	from    [2]int
	weights [2]float32
}

func linearTaps(from, to int) []twoTaps {
	taps := make([]twoTaps, to)
	for x := range taps {
		centre := (float64(x)+0.5)*float64(from)/float64(to) - 0.5
		first := math.Floor(centre)
		taps[x].weights = [2]float32{float32(1 - (centre - first)), float32(centre - first)}
		for t := range 2 {
			taps[x].from[t] = min(max(int(first)+t, 0), from-1)
		}
	}
	return taps
}

// level16 maps [-1, 1] to 0..65535, as level does to 0..255.
func level16(v float32) uint16 {
	if v != v { // NaN
		return 0
	}
	return uint16((min(max(v, -1), 1)+1)*32767.5 + 0.5)
}

// hasNoColour reports whether all visible pixels are grey.
func hasNoColour(img image.Image) bool {
	if isGrey(img) {
		return true
	}
	at, alpha, b := reader(img), alphaOf(img), img.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			if red, green, blue := at(x, y); (red != green || red != blue) && alpha(x, y) > 0 {
				return false
			}
		}
	}
	return true
}

// isOpaque reports whether all pixels are fully opaque.
func isOpaque(img image.Image) bool {
	if o, ok := img.(interface{ Opaque() bool }); ok {
		return o.Opaque()
	}
	alpha, b := alphaOf(img), img.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			if alpha(x, y) < 1 {
				return false
			}
		}
	}
	return true
}

// alphaOf returns a function that reads one pixel's opacity, 0 to 1, without an allocation for the
// standard types.
func alphaOf(img image.Image) func(x, y int) float32 {
	if fast, ok := img.(image.RGBA64Image); ok {
		return func(x, y int) float32 { return float32(fast.RGBA64At(x, y).A) / 0xffff }
	}
	return func(x, y int) float32 {
		_, _, _, a := img.At(x, y).RGBA()
		return float32(a) / 0xffff
	}
}
