// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package imaging

import (
	"fmt"
	"math"
)

// Shrinking returns the matrix [to][from] that makes a row of from pixels one of to pixels, to at most from, by the filter
//
//	bilinear        the two nearest pixels, without antialiasing: torch's interpolate, mode="bilinear"
//	bicubic         Keys's cubic with a = -0.5, widened for antialiasing: torch's interpolate, mode="bicubic", antialias=True
//	matlab-bicubic  the same with the border repeated: MATLAB's, but for rounding and clamping; see Imresize
//	area            the mean over a pixel's area: torch's interpolate, mode="area", where to divides from
//
// after a Gaussian blur whose standard deviation, in pixels of the larger row, is blur; 0 for none. Every row sums to 1. The
// border is repeated, except for bicubic, which omits what is beyond it. It panics for an unknown filter.
func Shrinking(filter string, from, to int, blur float64) [][]float32 {
	rows := make([][]float32, to)
	for x, t := range shrinking(filter, from, to, blur) {
		rows[x] = make([]float32, from)
		for i, w := range t.weights {
			rows[x][t.first+i] = float32(w)
		}
	}
	return rows
}

// Shrink makes a picture smaller by Shrinking's matrices, one for each axis. It costs as much as their weights that are not 0.
func Shrink(p Picture, filter string, width, height int, blur float64) Picture {
	if p.Width == 0 || p.Height == 0 {
		return New(width, height)
	}
	return across(across(p, shrinking(filter, p.Width, width, blur)), shrinking(filter, p.Height, height, blur))
}

// Imresize resizes a picture as MATLAB's imresize(p, scale) does it to pictures of 8 bits: the cubic convolution of Keys
// (1981) with a = -0.5, widened for antialiasing where scale is below 1, rounded to the 256 levels and clamped after the
// columns and again after the rows. The result has scale times as many pixels each way, rounded up. It panics unless scale is
// positive.
//
// The border is repeated, as MATLAB did when Set5, Set14 and BSD100 were made: their low-resolution pictures are this
// function's to within one level. Newer releases of MATLAB mirror it, which differs by up to 10 levels there.
func Imresize(p Picture, scale float64) Picture {
	if !(scale > 0) {
		panic(fmt.Sprintf("imresize by %v: want more than 0", scale))
	}
	// The small amount is for scales such as 1/3, which are not what they mean to the last bit.
	side := func(n int) int { return int(math.Ceil(float64(n)*scale - 1e-9)) }
	if p.Width == 0 || p.Height == 0 {
		return New(side(p.Width), side(p.Height))
	}
	columns := across(transposed(p), matlabBicubic(p.Height, side(p.Height), scale)).rounded()
	return transposed(across(columns, matlabBicubic(p.Width, side(p.Width), scale)).rounded())
}

// rounded rounds a picture's values to the 256 levels, in their place.
func (p Picture) rounded() Picture {
	for i, v := range p.Pix {
		p.Pix[i] = float32(level(v))/255*2 - 1
	}
	return p
}

// transposed swaps a picture's axes.
func transposed(p Picture) Picture {
	out := New(p.Height, p.Width)
	for i := range p.Width * p.Height {
		copy(out.Pix[(i%p.Width*p.Height+i/p.Width)*3:][:3], p.Pix[3*i:])
	}
	return out
}

// taps are the weights of neighbouring pixels, from the first one on, that make one pixel. They sum to 1.
type taps struct {
	first   int
	weights []float64
}

// shrinking returns the taps of each of to pixels; see Shrinking.
func shrinking(filter string, from, to int, blur float64) []taps {
	scale := float64(from) / float64(to)
	centre := func(x int) float64 { return (float64(x)+0.5)*scale - 0.5 }
	var shrink []taps
	switch filter {
	case "bilinear":
		shrink = tapsOf(from, to, centre, 1, true, func(x float64) float64 { return 1 - math.Abs(x) })
	case "bicubic":
		shrink = tapsOf(from, to, centre, 2*scale, false, func(x float64) float64 { return cubic(-0.5, x/scale) })
	case "matlab-bicubic":
		shrink = matlabBicubic(from, to, 1/scale)
	case "area":
		shrink = tapsOf(from, to, centre, scale/2+0.5, true,
			func(x float64) float64 { return max(0, min(x+0.5, scale/2)-max(x-0.5, -scale/2)) })
	default:
		panic(fmt.Sprintf("unknown filter %q", filter))
	}
	if blur > 0 && from > 0 {
		here := func(x int) float64 { return float64(x) }
		gaussian := func(x float64) float64 { return math.Exp(-x * x / (2 * blur * blur)) }
		shrink = product(shrink, tapsOf(from, from, here, 4*blur, true, gaussian))
	}
	return shrink
}

// matlabBicubic returns the taps of each of to pixels for a scale that need not be to/from.
func matlabBicubic(from, to int, scale float64) []taps {
	widening := max(1/scale, 1)
	centre := func(x int) float64 { return (float64(x)+0.5)/scale - 0.5 }
	return tapsOf(from, to, centre, 2*widening, true, func(x float64) float64 { return cubic(-0.5, x/widening) })
}

// tapsOf weighs the pixels around centre(x), nearer than radius, by their distance, for every x. Beyond the border the last
// pixel is repeated, or what is there is omitted.
func tapsOf(from, to int, centre func(x int) float64, radius float64, repeat bool, kernel func(float64) float64) []taps {
	rows := make([]taps, to)
	if from == 0 {
		return rows // There is nothing to weigh.
	}
	within := func(i int) int { return min(max(i, 0), from-1) }
	for x := range rows {
		c := centre(x)
		low, high := int(math.Floor(c-radius)), int(math.Ceil(c+radius))
		first := within(low)
		weights, sum := make([]float64, within(high)-first+1), 0.0
		for i := low; i <= high; i++ {
			d := float64(i) - c
			if math.Abs(d) >= radius || !repeat && i != within(i) {
				continue
			}
			w := kernel(d)
			weights[within(i)-first] += w
			sum += w
		}
		for i := range weights {
			weights[i] /= sum
		}
		rows[x] = taps{first, weights}
	}
	return rows
}

// product returns the taps that do what b's do and then a's.
func product(a, b []taps) []taps {
	c := make([]taps, len(a))
	for i, t := range a {
		first, end := math.MaxInt, 0
		for k := range t.weights {
			u := b[t.first+k]
			first, end = min(first, u.first), max(end, u.first+len(u.weights))
		}
		c[i] = taps{first, make([]float64, end-first)}
		for k, w := range t.weights {
			u := b[t.first+k]
			for j, v := range u.weights {
				c[i].weights[u.first-first+j] += w * v
			}
		}
	}
	return c
}

// across makes every row of p anew by the taps and returns the result transposed, as stretch does.
func across(p Picture, rows []taps) Picture {
	weights := make([][]float32, len(rows))
	for x, t := range rows {
		weights[x] = make([]float32, len(t.weights))
		for i, w := range t.weights {
			weights[x][i] = float32(w)
		}
	}
	out := New(p.Height, len(rows))
	for y := range p.Height {
		for x, t := range rows {
			from := p.Pix[(y*p.Width+t.first)*3:]
			var r, g, b float32
			for i, w := range weights[x] {
				r += w * from[3*i]
				g += w * from[3*i+1]
				b += w * from[3*i+2]
			}
			to := out.Pix[(x*p.Height+y)*3:][:3]
			to[0], to[1], to[2] = r, g, b
		}
	}
	return out
}
