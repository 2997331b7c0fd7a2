// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"errors"
	"fmt"
	"image"
	"math"

	"github.com/spf13/pflag"
)

// targetSize is how large results become. The zero value is the model's factor.
type targetSize struct {
	Scale      float64 `json:"scale,omitempty"`
	Width      int     `json:"width,omitempty"` // with Height, the largest size within both
	Height     int     `json:"height,omitempty"`
	Megapixels float64 `json:"megapixels,omitempty"`
}

func targetFlags(flags *pflag.FlagSet, t *targetSize) {
	floatFlag(flags, &t.Scale, "scale", "how many times larger results are in each direction, such as 2, 3, 4, 8 or 2.5 (default: the model's factor)")
	intFlag(flags, &t.Width, "width", "width of results in pixels; with --height, results are as large as fits in both")
	intFlag(flags, &t.Height, "height", "height of results in pixels")
	floatFlag(flags, &t.Megapixels, "megapixels", "size of results in millions of pixels, such as 12")
}

const (
	maxScale = 64
	maxSide  = 1 << 20
)

// check returns an error for sizes that contradict each other or make no sense.
func (t targetSize) check() error {
	given := 0
	for _, is := range []bool{t.Scale > 0, t.Width > 0 || t.Height > 0, t.Megapixels > 0} {
		if is {
			given++
		}
	}
	switch {
	case given > 1:
		return errors.New("--scale, --megapixels, and --width with --height are three ways to give one size: give one of them")
	case t.Scale > maxScale:
		return fmt.Errorf("scale is %g: want a number up to %d, such as 4", t.Scale, maxScale)
	case max(t.Width, t.Height) > maxSide:
		return fmt.Errorf("width or height is %d: want at most %d pixels", max(t.Width, t.Height), maxSide)
	case t.Megapixels > 1e6:
		return fmt.Errorf("megapixels is %g: want a number such as 12", t.Megapixels)
	}
	return nil
}

// scale returns how many times larger the result of a picture is in each direction, or 0 if that is
// the model's factor.
func (t targetSize) scale(size image.Point) float64 {
	width, height := float64(size.X), float64(size.Y)
	switch {
	case t.Width > 0 && t.Height > 0:
		return min(float64(t.Width)/width, float64(t.Height)/height)
	case t.Width > 0:
		return float64(t.Width) / width
	case t.Height > 0:
		return float64(t.Height) / height
	case t.Megapixels > 0:
		return math.Sqrt(t.Megapixels * 1e6 / (width * height))
	}
	return t.Scale
}

// of returns the size of the result of a picture, at least 1x1. factor is the model's.
func (t targetSize) of(size image.Point, factor int) image.Point {
	if size.X == 0 || size.Y == 0 {
		return image.Point{}
	}
	scale := cmp.Or(t.scale(size), float64(factor))
	side := func(n int) int { return max(1, int(math.Round(float64(n)*scale))) }
	return image.Pt(side(size.X), side(size.Y))
}

// suffix returns what the names of results end in.
func (t targetSize) suffix(factor int) string {
	switch {
	case t.Width > 0 && t.Height > 0:
		return fmt.Sprintf("-%dx%d", t.Width, t.Height)
	case t.Width > 0:
		return fmt.Sprintf("-w%d", t.Width)
	case t.Height > 0:
		return fmt.Sprintf("-h%d", t.Height)
	case t.Megapixels > 0:
		return fmt.Sprintf("-%gmp", t.Megapixels)
	}
	return fmt.Sprintf("-x%g", cmp.Or(t.Scale, float64(factor)))
}
