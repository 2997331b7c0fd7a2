// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// Package tiles lays overlapping tiles over a picture, crops them, and blends their results into
// one picture.
package tiles

import (
	"math"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/srdiff/srlab/srdiff/imaging"
)

// Line holds the positions of tiles along the height or the width of a picture.
type Line struct {
	Size    int         // of every tile
	At      []int       // where each begins
	Weights [][]float32 // of the pixels of each that lie in the picture; all weights of one pixel sum to 1
}

// One lays one tile, of a size of at least n, over n pixels.
func One(n, size int) Line {
	weights := make([]float32, n)
	for i := range weights {
		weights[i] = 1
	}
	return Line{size, []int{0}, [][]float32{weights}}
}

// Lay spreads tiles of the given size evenly over n pixels, as few as overlap by the given number
// of pixels at least. They begin at multiples of a number that divides n and size. Before the
// weights of a pixel are brought to the sum 1, they are 1 inside a tile and fall to 0 over the
// overlap at both ends, as sin^2 does.
func Lay(n, size, overlap, multiple int) Line {
	count := 1 + max(0, n-overlap-1)/(size-overlap) // each tile after the first adds size - overlap pixels
	l := Line{Size: min(n, size)}
	window, sum := make([]float64, l.Size), make([]float64, n)
	for i := range window {
		edge := min(1, (float64(min(i, l.Size-1-i))+0.5)/float64(overlap))
		window[i] = math.Pow(math.Sin(math.Pi/2*edge), 2)
	}
	for i := range count {
		at := (n - l.Size) / multiple * i / max(1, count-1) * multiple
		l.At = append(l.At, at)
		for j, w := range window {
			sum[at+j] += w
		}
	}
	for _, at := range l.At {
		weights := make([]float32, l.Size)
		for j, w := range window {
			weights[j] = float32(w / sum[at+j])
		}
		l.Weights = append(l.Weights, weights)
	}
	return l
}

// LayExact lays tiles of the given size over n pixels. A tile's result is exact except within
// margin pixels of its ends inside the picture. The weights are 1 where a tile's result is used,
// which is exact, and 0 elsewhere. The size must be greater than twice the margin. Tiles begin at
// multiples of each number that divides n, size and margin.
func LayExact(n, size, margin int) Line {
	l := Line{Size: min(n, size)}
	for done := 0; done < n; {
		at := min(max(0, done-margin), n-l.Size)
		end := at + l.Size - margin
		if at+l.Size == n {
			end = n
		}
		weights := make([]float32, l.Size)
		for i := done - at; i < end-at; i++ {
			weights[i] = 1
		}
		l.At, l.Weights = append(l.At, at), append(l.Weights, weights)
		done = end
	}
	return l
}

// Crop fills a tensor [1, height, width, 3] with the part of a picture that begins at left, top.
// Beyond its border the picture is mirrored.
func Crop(to *tensors.Tensor, p imaging.Picture, left, top int) {
	width := to.Shape().Dimensions[2]
	tensors.MustMutableFlatData(to, func(flat []float32) { crop(flat, width, p, left, top) })
}

// Part returns the part of a picture of the given size that begins at left, top. Beyond its border
// the picture is mirrored.
func Part(p imaging.Picture, left, top, width, height int) imaging.Picture {
	part := imaging.New(width, height)
	crop(part.Pix, width, p, left, top)
	return part
}

func crop(to []float32, width int, p imaging.Picture, left, top int) {
	columns := make([]int, width)
	for x := range columns {
		columns[x] = mirrored(left+x, p.Width)
	}
	for i := range len(to) / 3 / width {
		row := p.Pix[3*p.Width*mirrored(top+i, p.Height):]
		for x, from := range columns {
			copy(to[3*(i*width+x):][:3], row[3*from:])
		}
	}
}

// mirrored returns which of n pixels is at position i if the ends are mirrors: 1 0 | 0 1 2 | 2 1.
func mirrored(i, n int) int {
	i %= 2 * n
	if i < 0 {
		i += 2 * n
	}
	return min(i, 2*n-1-i)
}

// Blend adds a tile, times its weights, to rows of a picture. The tile has three channels and is
// tileWidth pixels wide; the rows are width pixels wide, and the tile begins at column left. The
// numbers of weights say how many rows and columns of the tile are used.
func Blend(to []float32, width, left int, tile []float32, tileWidth int, ofRows, ofColumns []float32) {
	for i, w := range ofRows {
		addWeighted(to[3*(i*width+left):], tile[3*i*tileWidth:], w, ofColumns)
	}
}

// addWeighted adds a row of a tile to a row of the picture.
func addWeighted(to, from []float32, ofRow float32, ofColumns []float32) {
	for i, w := range ofColumns {
		w *= ofRow
		to[3*i] += w * from[3*i]
		to[3*i+1] += w * from[3*i+1]
		to[3*i+2] += w * from[3*i+2]
	}
}
