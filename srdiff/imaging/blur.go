// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package imaging

import "math"

// Blur blurs a picture with a Gaussian. Its standard deviation in pixels is long in the direction of
// angle and short across it, both positive. The angle is in radians, from the rows towards the columns.
// The kernel ends at three standard deviations, and the border is repeated.
func Blur(p Picture, long, short, angle float64) Picture {
	if p.Width == 0 || p.Height == 0 {
		return New(p.Width, p.Height)
	}
	if long == short { // such a Gaussian is one for the rows and then one for the columns
		return across(across(p, gaussian(p.Width, long)), gaussian(p.Height, long))
	}
	return convolve(p, ellipse(long, short, angle))
}

// gaussian returns the taps that blur n pixels.
func gaussian(n int, sigma float64) []taps {
	here := func(x int) float64 { return float64(x) }
	return tapsOf(n, n, here, 3*sigma, true, func(x float64) float64 { return math.Exp(-x * x / (2 * sigma * sigma)) })
}

// neighbour is the weight of the pixel dx to the right and dy below.
type neighbour struct {
	dx, dy int
	weight float32
}

// ellipse returns the weights of Blur's kernel, which sum to 1.
func ellipse(long, short, angle float64) []neighbour {
	sin, cos := math.Sincos(angle)
	radius := int(math.Ceil(3 * max(long, short)))
	var kernel []neighbour
	sum := 0.
	for dy := -radius; dy <= radius; dy++ {
		for dx := -radius; dx <= radius; dx++ {
			x, y := float64(dx), float64(dy)
			along, over := (x*cos+y*sin)/long, (y*cos-x*sin)/short
			if square := along*along + over*over; square <= 9 {
				w := math.Exp(-square / 2)
				kernel = append(kernel, neighbour{dx, dy, float32(w)})
				sum += w
			}
		}
	}
	for i := range kernel {
		kernel[i].weight /= float32(sum)
	}
	return kernel
}

// convolve replaces each pixel by the weighted sum of its neighbours.
func convolve(p Picture, kernel []neighbour) Picture {
	margin := 0
	for _, n := range kernel {
		margin = max(margin, n.dx, -n.dx, n.dy, -n.dy)
	}
	padded := padded(p, margin)
	out := New(p.Width, p.Height)
	for y := range p.Height {
		to := out.Pix[y*p.Width*3:][:p.Width*3]
		for _, n := range kernel {
			from := padded.Pix[((y+margin+n.dy)*padded.Width+margin+n.dx)*3:][:len(to)]
			for i, v := range from {
				to[i] += n.weight * v
			}
		}
	}
	return out
}

// padded repeats a picture's border margin times.
func padded(p Picture, margin int) Picture {
	out := New(p.Width+2*margin, p.Height+2*margin)
	for y := range out.Height {
		from := p.Pix[min(max(y-margin, 0), p.Height-1)*p.Width*3:]
		for x := range out.Width {
			copy(out.Pix[(y*out.Width+x)*3:][:3], from[min(max(x-margin, 0), p.Width-1)*3:])
		}
	}
	return out
}
