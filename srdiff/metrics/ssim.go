// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"fmt"
	"math"

	"github.com/srdiff/srlab/srdiff/imaging"
)

// window is the side of SSIM's Gaussian window, which has a standard deviation of 1.5 pixels.
const window = 11

// gaussian is the window along one axis; it sums to 1.
var gaussian = func() (g [window]float64) {
	sum := 0.0
	for i := range g {
		x := float64(i - window/2)
		g[i] = math.Exp(-x * x / (2 * 1.5 * 1.5))
		sum += g[i]
	}
	for i := range g {
		g[i] /= sum
	}
	return g
}()

// moments are the weighted means over a window of a, b, a^2, b^2 and ab.
type moments [5]float64

// add adds w times the moments n.
func (m *moments) add(w float64, n *moments) {
	for i := range m {
		m[i] += w * n[i]
	}
}

// ssim is the index of one window, equation 13 of the paper, for values in [0, 1].
func (m *moments) ssim() float64 {
	const c1, c2 = .01 * .01, .03 * .03
	a, b := m[0], m[1]
	varA, varB, cov := m[2]-a*a, m[3]-b*b, m[4]-a*b
	return (2*a*b + c1) * (2*cov + c2) / ((a*a + b*b + c1) * (varA + varB + c2))
}

// SSIM returns the structural similarity of Wang, Bovik, Sheikh and Simoncelli (2004): the mean
// over the three channels and over all places where an 11x11 Gaussian window of sigma 1.5 fits,
// with K1 = .01 and K2 = .03. Equal pictures have 1. It is an error if the sizes differ or a side
// is below 11 pixels.
//
// That is scikit-image's structural_similarity with gaussian_weights=True, sigma=1.5,
// use_sample_covariance=False, data_range=1 and channel_axis=-1.
func SSIM(a, b imaging.Picture) (float64, error) {
	if err := sameSize(a, b); err != nil {
		return 0, err
	}
	if err := fitsWindow(a.Width, a.Height); err != nil {
		return 0, err
	}
	sum := 0.0
	for channel := range 3 {
		sum += ssimSum(a.Width, a.Height, values(a, channel), values(b, channel))
	}
	return sum / (3 * windows(a.Width, a.Height)), nil
}

// values returns a function that returns a picture's values of one channel on the scale 0..1.
func values(p imaging.Picture, channel int) func(x, y int) float64 {
	return func(x, y int) float64 { return unit(p.Pix[(y*p.Width+x)*3+channel]) }
}

// fitsWindow returns an error unless SSIM's window fits into a picture.
func fitsWindow(width, height int) error {
	if width < window || height < window {
		return fmt.Errorf("pictures of %dx%d are too small for SSIM: its window takes %d pixels a side", width, height, window)
	}
	return nil
}

// windows returns at how many places SSIM's window fits into a picture.
func windows(width, height int) float64 { return float64(width-window+1) * float64(height-window+1) }

// ssimSum returns the sum of the index over all windows of two channels. It filters rows as it goes
// down the picture, and keeps the last 11 of them to filter columns.
func ssimSum(width, height int, a, b func(x, y int) float64) float64 {
	products := make([]moments, width)
	var rows [window][]moments // Row y is at y modulo 11.
	for i := range rows {
		rows[i] = make([]moments, width-window+1)
	}
	sum := 0.0
	for y := range height {
		for x := range products {
			p, q := a(x, y), b(x, y)
			products[x] = moments{p, q, p * p, q * q, p * q}
		}
		row := rows[y%window]
		for x := range row {
			row[x] = moments{}
			for i, w := range gaussian {
				row[x].add(w, &products[x+i])
			}
		}
		if y < window-1 {
			continue
		}
		for x := range row {
			var m moments
			for i, w := range gaussian {
				m.add(w, &rows[(y+1+i)%window][x]) // The oldest row is the next to be overwritten.
			}
			sum += m.ssim()
		}
	}
	return sum
}
