// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"fmt"
	"math"

	"github.com/srdiff/srlab/srdiff/imaging"
)

// Diversity returns how much several results of one input differ: the mean over pixels and channels
// of the standard deviation over the n results, with n - 1 in its denominator. It is the sigma of
// SRFlow (Lugmayr et al. 2020), on the scale 0..1 in place of 0..255. Equal results have 0. Fewer
// than two results, or results of different sizes, are an error.
func Diversity(results ...imaging.Picture) (float64, error) {
	if len(results) < 2 {
		return 0, fmt.Errorf("diversity of %d results: want at least 2 of one input", len(results))
	}
	for _, r := range results {
		if err := sameSize(results[0], r); err != nil {
			return 0, err
		}
	}
	sum := 0.0
	values := make([]float64, len(results))
	for i := range results[0].Pix {
		for k, r := range results {
			values[k] = unit(r.Pix[i])
		}
		_, variance := meanAndVariance(values)
		sum += math.Sqrt(variance)
	}
	return sum / float64(len(results[0].Pix)), nil
}
