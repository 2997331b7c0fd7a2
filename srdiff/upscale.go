// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"context"
	"fmt"
	"image"

	"github.com/srdiff/srlab/srdiff/imaging"
)

// MaxUpscaled is how many pixels a result of Upscale may have. It is in memory as a whole, with
// some 36 bytes a pixel.
const MaxUpscaled = 100_000_000

// Upscale enlarges any picture Config.Factor times in each direction: see Sample. The result is of
// the input's kind: with 16 bits a channel, grey, or transparent where the input is; see
// imaging.Picture.As. Results larger than 128x128 pixels are made in tiles that overlap and are
// sampled together, so that there are no seams. It returns an error for a picture whose result
// would have more than MaxUpscaled pixels, or take more than o.Memory.
func (m *Model) Upscale(ctx context.Context, o SampleOptions, img image.Image) (image.Image, error) {
	if err := CheckUpscale(img, m.Config.Factor); err != nil {
		return nil, err
	}
	out, err := m.sampleAny(ctx, o, imaging.Visible(img))
	if err != nil {
		return nil, err
	}
	return out.As(img), nil
}

// CheckUpscale returns the error that Upscale would return for the picture's size, given the
// model's factor.
func CheckUpscale(img image.Image, factor int) error {
	size := img.Bounds().Size()
	return checkSides(size.X, size.Y, factor)
}

// checkSides returns an error for a picture without pixels, or one whose result would have more
// than MaxUpscaled.
func checkSides(width, height, factor int) error {
	most := MaxUpscaled / (factor * factor)
	switch {
	case width < 1 || height < 1:
		return fmt.Errorf("the picture is %dx%d, so it has no pixels: want at least 1x1", width, height)
	case width > most/height: // their product may be too large for a number
		return fmt.Errorf("the picture is %dx%d, and its result would be %d times as wide and high: at most %d pixels are made "+
			"(%d of the input); crop the picture or make it smaller", width, height, factor, MaxUpscaled, most)
	}
	return nil
}
