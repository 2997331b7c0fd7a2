// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package imaging

import "math"

// Bilinear resizes p as torch.nn.functional.interpolate does with mode="bilinear",
// align_corners=False and antialias=False: pixel centres lie at half-integers and the border is
// repeated. Scaling down reads only the two nearest pixels a side. The sides must not be negative.
func Bilinear(p Picture, width, height int) Picture {
	return resize(p, width, height, 1, func(x float64) float64 { return 1 - math.Abs(x) })
}

// Bicubic resizes p as torch.nn.functional.interpolate does with mode="bicubic",
// align_corners=False and antialias=False: the cubic convolution of Keys (1981) with a = -0.75,
// with the border repeated. The result may overshoot [-1, 1] at sharp edges and is not clamped. The
// sides must not be negative.
func Bicubic(p Picture, width, height int) Picture {
	return resize(p, width, height, 2, func(x float64) float64 { return cubic(-0.75, x) })
}

// cubic is the kernel of Keys's cubic convolution for distances below 2.
func cubic(a, x float64) float64 {
	x = math.Abs(x)
	if x <= 1 {
		return ((a+2)*x-(a+3))*x*x + 1
	}
	return ((a*x-5*a)*x+8*a)*x - 4*a
}

// resize filters along one axis and then the other. The kernel reaches radius pixels to either
// side.
func resize(p Picture, width, height, radius int, kernel func(float64) float64) Picture {
	if p.Width == 0 || p.Height == 0 {
		return New(width, height) // There is nothing to read.
	}
	return stretch(stretch(p, width, radius, kernel), height, radius, kernel)
}

// stretch resizes every row of p to width pixels and returns the result transposed, so that a
// second call does the columns and puts the picture back.
func stretch(p Picture, width, radius int, kernel func(float64) float64) Picture {
	out := New(p.Height, width)
	taps := 2 * radius
	from, weight := make([]int, taps), make([]float32, taps)
	for x := range width {
		centre := (float64(x)+0.5)*float64(p.Width)/float64(width) - 0.5
		first := int(math.Floor(centre)) - radius + 1
		for t := range taps {
			from[t] = 3 * min(max(first+t, 0), p.Width-1)
			weight[t] = float32(kernel(centre - float64(first+t)))
		}
		for y := range p.Height {
			row := p.Pix[y*p.Width*3 : (y+1)*p.Width*3]
			var r, g, b float32
			for t, w := range weight {
				pixel := row[from[t] : from[t]+3]
				r += w * pixel[0]
				g += w * pixel[1]
				b += w * pixel[2]
			}
			to := out.Pix[(x*p.Height+y)*3:][:3]
			to[0], to[1], to[2] = r, g, b
		}
	}
	return out
}
