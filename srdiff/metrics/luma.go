// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"fmt"
	"math"

	"github.com/srdiff/srlab/srdiff/imaging"
)

// PSNRY returns the PSNR of the luma channel in decibels, as papers on super-resolution report it:
// the pictures are rounded to 8 bits, Y is that of ITU-R BT.601 in 16..235 and is not rounded, the
// peak is 255, and border pixels are cropped at each side, usually as many as the factor of
// enlargement. Equal pictures have +Inf. Pictures of different sizes, and a border that leaves
// nothing, are an error.
func PSNRY(a, b imaging.Picture, border int) (float64, error) {
	p, q, err := lumas(a, b, border)
	if err != nil {
		return 0, err
	}
	sum := 0.0
	for i := range p.values {
		d := p.values[i] - q.values[i]
		sum += d * d
	}
	return 10 * math.Log10(float64(len(p.values))/sum), nil
}

// SSIMY returns the SSIM of the luma channel, as papers on super-resolution report it: Y is that of
// PSNRY, and the index that of [SSIM] with a range of 255. Pictures of different sizes, and a
// border that leaves a side below 11 pixels, are an error.
func SSIMY(a, b imaging.Picture, border int) (float64, error) {
	p, q, err := lumas(a, b, border)
	if err != nil {
		return 0, err
	}
	if err := fitsWindow(p.width, p.height); err != nil {
		return 0, err
	}
	return ssimSum(p.width, p.height, p.at, q.at) / windows(p.width, p.height), nil
}

// plane is a channel of a picture, row by row. Its values are Y/255.
type plane struct {
	width, height int
	values        []float64
}

func (p plane) at(x, y int) float64 { return p.values[y*p.width+x] }

// lumas returns the luma channels of two pictures without their borders.
func lumas(a, b imaging.Picture, border int) (p, q plane, err error) {
	if err := sameSize(a, b); err != nil {
		return p, q, err
	}
	if border < 0 || a.Width <= 2*border || a.Height <= 2*border {
		return p, q, fmt.Errorf("pictures of %dx%d cannot be compared without a border of %d pixels", a.Width, a.Height, border)
	}
	return luma(a, border), luma(b, border), nil
}

func luma(p imaging.Picture, border int) plane {
	l := plane{width: p.Width - 2*border, height: p.Height - 2*border}
	l.values = make([]float64, 0, l.width*l.height)
	for y := border; y < p.Height-border; y++ {
		for x := border; x < p.Width-border; x++ {
			rgb := p.Pix[3*(y*p.Width+x):]
			v := 16 + (65.481*rounded(rgb[0])+128.553*rounded(rgb[1])+24.966*rounded(rgb[2]))/255
			l.values = append(l.values, v/255)
		}
	}
	return l
}

// rounded maps [-1, 1] to the nearest of 0..255, as in a picture's file. NaN stays NaN.
func rounded(v float32) float64 {
	return math.Floor(float64((min(max(v, -1), 1)+1)*127.5 + 0.5))
}
