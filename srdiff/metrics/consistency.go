// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"fmt"

	"github.com/srdiff/srlab/srdiff/imaging"
)

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
