// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// Package metrics measures how close two pictures are. All measures map values from [-1, 1] to [0,
// 1] and clamp them there, as a file would. A NaN in a picture makes the measure NaN.
package metrics

import (
	"fmt"
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

// Consistency returns how badly a super-resolved picture explains its input: the mean squared error
// between lowRes and the result scaled down by shrink. shrink must be the function that made
// lowRes; nil is imaging.Bilinear. 0 is exact. SR3 (Saharia et al. 2021, section 4) reports it
// times 1e5. A lowRes that is larger than the result, or of another size than shrink returns, is an
// error.
func Consistency(result, lowRes imaging.Picture, shrink func(imaging.Picture) imaging.Picture) (float64, error) {
	for _, p := range []imaging.Picture{result, lowRes} {
		if err := check(p); err != nil {
			return 0, err
		}
	}
	if lowRes.Width > result.Width || lowRes.Height > result.Height {
		return 0, fmt.Errorf("low-resolution picture of %dx%d is larger than the result of %dx%d; is their order right?",
			lowRes.Width, lowRes.Height, result.Width, result.Height)
	}
	if shrink == nil {
		shrink = func(p imaging.Picture) imaging.Picture { return imaging.Bilinear(p, lowRes.Width, lowRes.Height) }
	}
	small := shrink(result)
	if err := sameSize(small, lowRes); err != nil {
		return 0, err
	}
	return meanSquaredError(small, lowRes), nil
}

// unit maps [-1, 1] to [0, 1] and clamps. NaN stays NaN.
func unit(v float32) float64 {
	return min(max((float64(v)+1)/2, 0), 1)
}

func meanSquaredError(a, b imaging.Picture) float64 {
	sum := 0.0
	for i := range a.Pix {
		d := unit(a.Pix[i]) - unit(b.Pix[i])
		sum += d * d
	}
	return sum / float64(len(a.Pix))
}

// sameSize returns an error unless two pictures can be compared value by value.
func sameSize(a, b imaging.Picture) error {
	if a.Width != b.Width || a.Height != b.Height {
		return fmt.Errorf("pictures of %dx%d and %dx%d cannot be compared: scale one to the other's size",
			a.Width, a.Height, b.Width, b.Height)
	}
	if err := check(a); err != nil {
		return err
	}
	return check(b)
}

// check returns an error unless a picture has pixels, and as many as its size says.
func check(p imaging.Picture) error {
	if p.Width <= 0 || p.Height <= 0 {
		return fmt.Errorf("picture of %dx%d has no pixels to compare", p.Width, p.Height)
	}
	if n := p.Width * p.Height * 3; len(p.Pix) != n {
		return fmt.Errorf("picture of %dx%d must hold %d values, not %d", p.Width, p.Height, n, len(p.Pix))
	}
	return nil
}
