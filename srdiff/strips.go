// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"context"
	"image"
	"iter"

	"github.com/srdiff/srlab/srdiff/diffusion"
	"github.com/srdiff/srlab/srdiff/imaging"
	"github.com/srdiff/srlab/srdiff/internal/tiles"
	"github.com/srdiff/srlab/srdiff/networks"
)

// UpscaleStrips enlarges a picture as Upscale does and yields the result as strips of rows, from the top
// down, so that a caller need not hold all of it. A strip is valid until the next one. A model that
// computes at low resolution and predicts the picture in one step (see networks.Local and
// diffusion.Regression) makes one strip at a time: the result may then be of any size, and takes no
// memory beside a strip. Other models make all strips at once, within MaxUpscaled. An error is the last
// value.
func (m *Model) UpscaleStrips(ctx context.Context, o SampleOptions, img image.Image) iter.Seq2[imaging.Picture, error] {
	return func(yield func(imaging.Picture, error) bool) {
		if !m.Config.streams() {
			if err := m.Config.CheckUpscale(img); err != nil {
				yield(imaging.Picture{}, err)
				return
			}
			yield(m.sampleAny(ctx, o, imaging.Visible(img)))
			return
		}
		s, err := m.newStrips(o, img)
		for row := 0; err == nil && row < len(s.rows.At); row++ {
			var strip imaging.Picture
			if strip, err = s.next(ctx, row); err == nil && !yield(strip, nil) {
				return
			}
		}
		if err != nil {
			yield(imaging.Picture{}, err)
		}
	}
}

// CheckUpscale returns the error that UpscaleStrips would return for the picture's size.
func (c Config) CheckUpscale(img image.Image) error {
	c = c.WithDefaults()
	if size := img.Bounds().Size(); c.streams() && size.X > 0 && size.Y > 0 {
		return nil
	}
	return CheckUpscale(img, c.Factor)
}

// streams reports whether a model of the complete configuration makes one strip at a time.
func (c Config) streams() bool {
	network, err := networks.New(c.Network)
	_, local := network.(networks.Local)
	return err == nil && local && c.Diffusion.Prediction == diffusion.Regression && !c.refines()
}

// strips is a picture that is enlarged strip by strip.
type strips struct {
	tiling
	low  func(top, bottom int) imaging.Picture
	step []float32 // the only row of table
}

func (m *Model) newStrips(o SampleOptions, img image.Image) (*strips, error) {
	if err := m.Config.CheckUpscale(img); err != nil {
		return nil, err
	}
	o, steps, err := m.prepare(o)
	if err != nil {
		return nil, err
	}
	size := img.Bounds().Size()
	width, height := size.X*m.Config.Factor, size.Y*m.Config.Factor
	rows, columns, need := m.layTilesWithin(o, width, height, func(rows, columns int) int64 {
		return engineMemory + m.tileMemory(rows, columns) + stripMemory*int64(rows)*int64(width) + imaging.MemoryOf(img)
	})
	if err := allowMemory(o, need, width, height); err != nil {
		return nil, err
	}
	return &strips{m.newTiling(o, size, rows, columns), imaging.VisibleRows(img), table(steps, o)[0]}, nil
}

// stripMemory is what a pixel of a row of tiles takes: its values, their picture in up to 16 bits, and
// what resizing and an encoder hold of it, some of it twice until Go's collector runs.
const stripMemory = 12 + 2*12

// next makes the strip of a row of tiles.
func (s *strips) next(ctx context.Context, row int) (imaging.Picture, error) {
	factor, top := s.m.Config.Factor, s.rows.At[row]
	predict, err := s.m.program(s.variant, s.xt)
	if err != nil {
		return imaging.Picture{}, err
	}
	clear(s.x0)
	low := s.low(top/factor, min(s.size.Y, (top+s.rows.Size)/factor))
	for c, left := range s.columns.At {
		if ctx.Err() != nil {
			return imaging.Picture{}, &stoppedError{"enlarging stopped", ctx.Err()}
		}
		tiles.Crop(s.tileLow, low, left/factor, 0)
		if err := s.add(predict, s.step, row, c); err != nil {
			return imaging.Picture{}, plain("enlarging", err)
		}
		s.report(0, 1, 0, row, c)
	}
	first, end := used(s.rows.Weights[row])
	line := 3 * s.size.X * factor
	strip := imaging.Picture{Width: s.size.X * factor, Height: end - first, Pix: s.x0[first*line : end*line]}
	return strip, checkFinite(strip)
}

// used is the range of the weights that are not 0.
func used(weights []float32) (first, end int) {
	for first < len(weights) && weights[first] == 0 {
		first++
	}
	for end = len(weights); end > first && weights[end-1] == 0; {
		end--
	}
	return first, end
}
