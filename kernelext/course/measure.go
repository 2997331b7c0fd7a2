// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package course

import (
	"math"

	"github.com/srdiff/srlab/srdiff/imaging"
)

// Mix returns a + share (b - a), for pictures of one size: a for a share of 0, b for 1.
func Mix(a, b imaging.Picture, share float64) imaging.Picture {
	mixed := imaging.New(a.Width, a.Height)
	for i := range mixed.Pix {
		mixed.Pix[i] = a.Pix[i] + float32(share)*(b.Pix[i]-a.Pix[i])
	}
	return mixed
}

// Residual returns original - predicted, value by value.
func Residual(original, predicted imaging.Picture) imaging.Picture {
	r := imaging.New(original.Width, original.Height)
	for i := range r.Pix {
		r.Pix[i] = original.Pix[i] - predicted.Pix[i]
	}
	return r
}

// Mean returns the mean of pictures of one size.
func Mean(samples ...imaging.Picture) imaging.Picture {
	mean := imaging.New(samples[0].Width, samples[0].Height)
	for _, p := range samples {
		for i, v := range p.Pix {
			mean.Pix[i] += v / float32(len(samples))
		}
	}
	return mean
}

// Spread returns the standard deviation of samples at each pixel, over samples and colours.
func Spread(samples ...imaging.Picture) []float64 {
	mean := Mean(samples...)
	spread := make([]float64, mean.Width*mean.Height)
	for i := range spread {
		square := 0.0
		for _, p := range samples {
			for c := range 3 {
				d := float64(p.Pix[3*i+c] - mean.Pix[3*i+c])
				square += d * d / float64(3*len(samples))
			}
		}
		spread[i] = math.Sqrt(square)
	}
	return spread
}

// Deviation returns the standard deviation of values.
func Deviation(values []float32) float64 {
	sum, square, n := 0.0, 0.0, float64(len(values))
	for _, v := range values {
		sum, square = sum+float64(v), square+float64(v)*float64(v)
	}
	return math.Sqrt(max(0, square/n-sum/n*sum/n))
}

// Smooth returns, for each position, the mean of the last n values up to there.
func Smooth(values []float64, n int) (means []float64) {
	sum := 0.0
	for i, v := range values {
		sum += v
		if i >= n {
			sum -= values[i-n]
		}
		means = append(means, sum/float64(min(i+1, n)))
	}
	return means
}

// Histogram returns the density of values in so many bins between two ends: x has the middles of the
// bins. Values beyond the ends are omitted.
func Histogram(values []float32, from, to float64, bins int) (x, density []float64) {
	width := (to - from) / float64(bins)
	density = make([]float64, bins)
	for i := range bins {
		x = append(x, from+(float64(i)+0.5)*width)
	}
	for _, v := range values {
		if at := math.Floor((float64(v) - from) / width); at >= 0 && at < float64(bins) {
			density[int(at)] += 1 / (width * float64(len(values)))
		}
	}
	return x, density
}
