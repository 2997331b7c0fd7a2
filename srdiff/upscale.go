// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"context"
	"fmt"
	"image"

	"github.com/srdiff/srlab/srdiff/imaging"
)

// MaxUpscaled is the greatest number of pixels of a result of Upscale. The whole result is in
// memory, with some 36 bytes a pixel.
const MaxUpscaled = 100_000_000

// Upscale enlarges any picture Config.Factor times in each direction: see Sample. The result has
// the depth of the input, 8 or 16 bits a channel, and is grey or transparent if the input is: see
// imaging.Picture.As. Results larger than 128x128 pixels are computed in overlapping tiles that are
// sampled together, without seams. A picture without pixels, a result of more than MaxUpscaled
// pixels and one that takes more than o.Memory are errors.
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

// CheckUpscale returns Upscale's error for the picture's size, given the model's factor. With it, a
// program can check its inputs before it starts.
func CheckUpscale(img image.Image, factor int) error {
	size := img.Bounds().Size()
	return checkSides(size.X, size.Y, factor)
}

// checkSides returns an error for a picture without pixels, and for a result of more than
// MaxUpscaled pixels.
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
