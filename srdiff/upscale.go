// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"context"
	"fmt"
	"image"

	"github.com/srdiff/srlab/srdiff/imaging"
)

// MaxUpscaled is how many pixels a result of Upscale may have. The whole picture is in memory at every step.
const MaxUpscaled = 1 << 20

// Upscale enlarges any picture Scale times in each direction: see Sample. Transparency is enlarged by itself, bilinear.
// It returns an error for a picture whose result would have more than MaxUpscaled pixels.
func (m *Model) Upscale(ctx context.Context, o SampleOptions, img image.Image) (*image.NRGBA, error) {
	if err := CheckUpscale(img); err != nil {
		return nil, err
	}
	out, err := m.Sample(ctx, o, imaging.FromImage(img))
	if err != nil {
		return nil, err
	}
	result := out[0].Image()
	if alpha, transparent := alphaOf(img); transparent {
		alpha = imaging.Bilinear(alpha, out[0].Width, out[0].Height)
		for i, a := range alpha.Image().Pix {
			if i%4 == 0 { // alphaOf puts it in red
				result.Pix[i+3] = a
			}
		}
	}
	return result, nil
}

// CheckUpscale returns the error that Upscale would return for the picture's size.
func CheckUpscale(img image.Image) error {
	size := img.Bounds().Size()
	if width, height := int64(size.X)*Scale, int64(size.Y)*Scale; width*height > MaxUpscaled {
		return fmt.Errorf("the picture is %dx%d, so its result would be %dx%d: at most %d pixels are made (%d of the input, "+
			"such as 256x256); cut the picture or make it smaller", size.X, size.Y, width, height,
			MaxUpscaled, MaxUpscaled/(Scale*Scale))
	}
	return nil
}

// alphaOf returns a picture's opacity as shades of grey, and whether any pixel is not opaque.
func alphaOf(img image.Image) (alpha imaging.Picture, transparent bool) {
	if o, ok := img.(interface{ Opaque() bool }); ok && o.Opaque() {
		return imaging.Picture{}, false
	}
	bounds := img.Bounds()
	alpha = imaging.New(bounds.Dx(), bounds.Dy())
	for i := range bounds.Dx() * bounds.Dy() {
		_, _, _, a := img.At(bounds.Min.X+i%bounds.Dx(), bounds.Min.Y+i/bounds.Dx()).RGBA()
		transparent = transparent || a != 0xffff
		for c := range 3 {
			alpha.Pix[3*i+c] = float32(a)/0xffff*2 - 1
		}
	}
	return alpha, transparent
}
