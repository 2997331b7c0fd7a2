// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"fmt"

	"github.com/srdiff/srlab/srdiff/imaging"
)

// Sharpness returns the mean squared gradient of a picture, at least 0, the Tenengrad measure
// (Krotkov 1988; GRA6 in the survey of Pertuz et al. 2013) without a threshold, over the three
// channels and the pixels that have all neighbours:
//
//	mean of G_x^2 + G_y^2,   G_x = 1/8 [-1 0 1; -2 0 2; -1 0 1] * picture,   G_y its transpose
//
// A picture with a constant slope has the square of that slope, per pixel on the scale 0..1. The
// measure needs no original; compared with one, it is read as a ratio: see Ratio. Noise raises it
// as detail does, by 3/8 of the noise's variance on the scale 0..1; a checkerboard of single pixels
// does not. A picture with a side below 3 pixels is an error.
func Sharpness(p imaging.Picture) (float64, error) {
	if err := check(p); err != nil {
		return 0, err
	}
	if p.Width < 3 || p.Height < 3 {
		return 0, fmt.Errorf("a picture of %dx%d is too small for sharpness: want at least 3 pixels a side", p.Width, p.Height)
	}
	sum := 0.0
	for y := 1; y < p.Height-1; y++ {
		for i := (y*p.Width + 1) * 3; i < (y*p.Width+p.Width-1)*3; i++ {
			at := func(dx, dy int) float64 { return unit(p.Pix[i+(dy*p.Width+dx)*3]) }
			diagonal, other := at(1, 1)-at(-1, -1), at(1, -1)-at(-1, 1)
			gx := (diagonal + other + 2*(at(1, 0)-at(-1, 0))) / 8
			gy := (diagonal - other + 2*(at(0, 1)-at(0, -1))) / 8
			sum += gx*gx + gy*gy
		}
	}
	return sum / float64(3*(p.Width-2)*(p.Height-2)), nil
}
