// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package imaging

import (
	"fmt"
	"math"
)

// Shrinking returns the matrix [to][from] that makes a row of from pixels one of to pixels, to at most from, by the filter
//
//	bilinear  the two nearest pixels, without antialiasing: torch's interpolate, mode="bilinear"
//	bicubic   Keys's cubic with a = -0.5, widened for antialiasing: torch's interpolate, mode="bicubic", antialias=True
//	area      the mean over a pixel's area: torch's interpolate, mode="area", where to divides from
//
// after a Gaussian blur whose standard deviation, in pixels of the larger row, is blur; 0 for none. Every row sums to 1. The
// border is repeated, except for bicubic, which leaves out what is beyond it. It panics for an unknown filter.
func Shrinking(filter string, from, to int, blur float64) [][]float32 {
	scale := float64(from) / float64(to)
	var kernel func(x float64) float64
	var radius float64 // of the kernel, in pixels of the larger row
	repeat := true
	switch filter {
	case "bilinear":
		kernel, radius = func(x float64) float64 { return 1 - math.Abs(x) }, 1
	case "bicubic":
		kernel, radius, repeat = func(x float64) float64 { return cubic(-0.5, x/scale) }, 2*scale, false
	case "area":
		kernel = func(x float64) float64 { return max(0, min(x+0.5, scale/2)-max(x-0.5, -scale/2)) }
		radius = scale/2 + 0.5
	default:
		panic(fmt.Sprintf("unknown filter %q", filter))
	}
	centre := func(x int) float64 { return (float64(x)+0.5)*scale - 0.5 }
	shrink := matrix(from, to, centre, radius, repeat, kernel)
	if blur > 0 {
		here := func(x int) float64 { return float64(x) }
		gaussian := func(x float64) float64 { return math.Exp(-x * x / (2 * blur * blur)) }
		shrink = product(shrink, matrix(from, from, here, 4*blur, true, gaussian))
	}
	rows := make([][]float32, to)
	for x, row := range shrink {
		for _, w := range row {
			rows[x] = append(rows[x], float32(w))
		}
	}
	return rows
}

// matrix weighs the pixels around centre(x) by their distance, for every x; the weights of each sum to 1.
func matrix(from, to int, centre func(x int) float64, radius float64, repeat bool, kernel func(float64) float64) [][]float64 {
	rows := make([][]float64, to)
	for x := range rows {
		rows[x] = make([]float64, from)
		c, sum := centre(x), 0.0
		for i := int(math.Floor(c - radius)); i <= int(math.Ceil(c+radius)); i++ {
			d := float64(i) - c
			if math.Abs(d) >= radius || !repeat && (i < 0 || i >= from) {
				continue
			}
			w := kernel(d)
			rows[x][min(max(i, 0), from-1)] += w
			sum += w
		}
		for i := range rows[x] {
			rows[x][i] /= sum
		}
	}
	return rows
}

func product(a, b [][]float64) [][]float64 {
	c := make([][]float64, len(a))
	for i, row := range a {
		c[i] = make([]float64, len(b[0]))
		for k, w := range row {
			if w == 0 {
				continue
			}
			for j, v := range b[k] {
				c[i][j] += w * v
			}
		}
	}
	return c
}

// Shrink makes a picture smaller by Shrinking's matrices, one for each axis.
func Shrink(p Picture, filter string, width, height int, blur float64) Picture {
	if p.Width == 0 || p.Height == 0 {
		return New(width, height)
	}
	return across(across(p, Shrinking(filter, p.Width, width, blur)), Shrinking(filter, p.Height, height, blur))
}

// across multiplies every row of p by the matrix and returns the result transposed, as stretch does.
func across(p Picture, rows [][]float32) Picture {
	out := New(p.Height, len(rows))
	for x, weights := range rows {
		for y := range p.Height {
			to := out.Pix[(x*p.Height+y)*3:][:3]
			for i, w := range weights {
				if w == 0 {
					continue
				}
				for c, v := range p.Pix[(y*p.Width+i)*3:][:3] {
					to[c] += w * v
				}
			}
		}
	}
	return out
}
