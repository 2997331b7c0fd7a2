// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"math"

	"github.com/srdiff/srlab/srdiff/imaging"
)

// MaxPSNR is the most, in dB, that one picture's PSNR counts in a mean, as in VMAF for 8 bits. A
// flat picture is easily enlarged exactly, and a single infinite value would make the mean
// infinite.
const MaxPSNR = 60

// PSNR returns the peak signal-to-noise ratio in decibels, 10 log10(1/MSE), over all pixels and
// channels. More is closer; equal pictures have +Inf. Pictures of different sizes are an error.
func PSNR(a, b imaging.Picture) (float64, error) {
	if err := sameSize(a, b); err != nil {
		return 0, err
	}
	return 10 * math.Log10(1/meanSquaredError(a, b)), nil
}
