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

// SSIM returns the structural similarity of Wang, Bovik, Sheikh and Simoncelli (2004): the mean over all places where
// an 11x11 Gaussian window of sigma 1.5 fits and over the three channels, with K1 = .01 and K2 = .03. It is 1 for
// equal pictures. It is an error if the sizes differ or a side is below 11 pixels.
//
// That is scikit-image's structural_similarity with gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
// data_range=1 and channel_axis=-1.
func SSIM(a, b imaging.Picture) (float64, error) {
	if err := sameSize(a, b); err != nil {
		return 0, err
	}
	if a.Width < window || a.Height < window {
		return 0, fmt.Errorf("pictures of %dx%d are too small for SSIM: its window takes %d pixels a side",
			a.Width, a.Height, window)
	}
	sum := 0.0
	for channel := range 3 {
		sum += ssimOfChannel(a, b, channel)
	}
	return sum / float64(3*(a.Width-window+1)*(a.Height-window+1)), nil
}

// ssimOfChannel returns the sum over all windows. It filters rows as it goes down the picture and keeps the last 11
// of them for filtering columns.
func ssimOfChannel(a, b imaging.Picture, channel int) float64 {
	products := make([]moments, a.Width)
	var rows [window][]moments // Row y is at y modulo 11.
	for i := range rows {
		rows[i] = make([]moments, a.Width-window+1)
	}
	sum := 0.0
	for y := range a.Height {
		for x := range products {
			i := (y*a.Width+x)*3 + channel
			p, q := unit(a.Pix[i]), unit(b.Pix[i])
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
