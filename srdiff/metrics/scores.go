// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package metrics

import "github.com/srdiff/srlab/srdiff/imaging"

// Scores are the measures of one super-resolved picture, or their means over several.
type Scores struct {
	PSNR        float64 `json:"psnr"`        // dB
	SSIM        float64 `json:"ssim"`        // at most 1
	Consistency float64 `json:"consistency"` // mean squared error of the shrunken result, on the scale 0..1
}

// Score measures a result against its original and against the low-resolution picture that it was
// made from. shrink makes that picture from the original. See PSNR, SSIM and Consistency for the
// measures and their errors.
func Score(result, original, lowRes imaging.Picture, shrink func(imaging.Picture) imaging.Picture) (s Scores, err error) {
	if s.PSNR, err = PSNR(result, original); err != nil {
		return s, err
	}
	if s.SSIM, err = SSIM(result, original); err != nil {
		return s, err
	}
	s.Consistency, err = Consistency(result, lowRes, shrink)
	return s, err
}

// Add adds a share of other scores: adding 1/n of each of n scores gives their mean.
func (s *Scores) Add(share float64, other Scores) {
	s.PSNR += share * other.PSNR
	s.SSIM += share * other.SSIM
	s.Consistency += share * other.Consistency
}
