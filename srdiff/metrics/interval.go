// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package metrics

import "math"

// Interval returns the mean of a measure over pictures and half the width of its 95 % confidence
// interval, by the normal approximation:
//
//	mean ± 1.96 s / sqrt(n),   s^2 = sum of (v - mean)^2 / (n - 1)
//
// It covers the random choice of pictures and seeds, not that of a training run. For one value
// the width is NaN; for none, the mean is NaN too.
func Interval(values []float64) (mean, half float64) {
	mean, variance := meanAndVariance(values)
	return mean, 1.96 * math.Sqrt(variance/float64(len(values)))
}

// Ratio returns the mean of a measure over that of a reference for the same pictures, and half the
// width of its 95 % confidence interval. That is the interval of v - ratio r, linearised (Cochran
// 1977, chapter 6):
//
//	ratio = mean v / mean r,   ratio ± 1.96 s / (sqrt(n) mean r)
//	s^2 = sum of (v - ratio r)^2 / (n - 1)
//
// Some references may be 0, which a mean of ratios would not allow.
// There must be as many references as values.
func Ratio(values, references []float64) (ratio, half float64) {
	v, _ := meanAndVariance(values)
	r, _ := meanAndVariance(references)
	ratio = v / r
	rests := make([]float64, len(values))
	for i := range values {
		rests[i] = values[i] - ratio*references[i]
	}
	_, half = Interval(rests)
	return ratio, half / r
}

// meanAndVariance returns NaN as the mean of no value, and as the variance of fewer than two.
func meanAndVariance(values []float64) (mean, variance float64) {
	n := float64(len(values))
	for _, v := range values {
		mean += v / n
	}
	for _, v := range values {
		variance += (v - mean) * (v - mean)
	}
	if len(values) == 0 {
		mean = math.NaN()
	}
	return mean, variance / (n - 1)
}
