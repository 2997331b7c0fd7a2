// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// Package metrics measures how close two pictures are. All measures map values from [-1, 1] to [0,
// 1] and clamp them there, as a file would. A NaN in a picture makes the measure NaN.
package metrics

import (
	"fmt"

	"github.com/srdiff/srlab/srdiff/imaging"
)

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
