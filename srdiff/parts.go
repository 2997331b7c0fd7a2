// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"context"
	"errors"
	"fmt"
	"image"

	"github.com/srdiff/srlab/srdiff/diffusion"
	"github.com/srdiff/srlab/srdiff/imaging"
	"github.com/srdiff/srlab/srdiff/internal/tiles"
)

// Part is a part of the rows of a result.
type Part struct {
	Top, Bottom int // the first row, and the row after the last one

	// Strips are the rows, as UpscaleStrips yields them. The work is done as they are taken.
	Strips imaging.Strips
}

// UpscalePart makes only part number part, 1 to parts, of the rows that UpscaleStrips yields, so that
// several programs can share the work on one picture. With the same model, engine, options and
// picture, the rows of all parts in their order are UpscaleStrips's, bit for bit. The options include
// o.Memory, on which the tiles depend.
//
// A part has whole rows of tiles, so there are at most as many parts as those: see MostParts. A
// refiner's part begins some rows earlier in all steps but the last, as far as later steps look.
// The model's network must be local (see networks.Local), and a part takes the memory of strips.
func (m *Model) UpscalePart(ctx context.Context, o SampleOptions, img image.Image, part, parts int) (Part, error) {
	o, steps, rows, columns, err := m.layParts(o, img)
	if err != nil {
		return Part{}, err
	}
	size := img.Bounds().Size()
	width, height := size.X*m.Config.Factor, size.Y*m.Config.Factor
	most := len(rows.At)
	switch {
	case part < 1 || part > parts:
		return Part{}, fmt.Errorf("part %d of %d: want a number from 1 to %d", part, parts, max(1, parts))
	case parts > most:
		return Part{}, fmt.Errorf("part %d of %d: the picture of %dx%d has %d rows of tiles, so want at most %d parts",
			part, parts, size.X, size.Y, most, most)
	}
	if err := allowMemory(o, m.memoryOfStrips(steps, img, rows, columns), width, height); err != nil {
		return Part{}, err
	}
	first, end := (part-1)*most/parts, part*most/parts
	p := Part{Bottom: height}
	p.Top, _ = rowsMade(rows, first)
	if end < most {
		p.Bottom, _ = rowsMade(rows, end)
	}
	p.Strips = func(yield func(imaging.Picture, error) bool) {
		s := m.newStripsOf(o, steps, img, rows, columns)
		err := s.begin(ctx, first, end)
		for range end - first {
			var strip imaging.Picture
			if err == nil {
				strip, err = s.next(ctx)
			}
			if !yield(strip, err) || err != nil {
				return
			}
		}
	}
	return p, nil
}

// MostParts returns the greatest number of parts that UpscalePart makes of a picture.
func (m *Model) MostParts(o SampleOptions, img image.Image) (int, error) {
	_, _, rows, _, err := m.layParts(o, img)
	return len(rows.At), err
}

// layParts returns the tiles of UpscaleStrips's result, and the options and steps of prepare.
func (m *Model) layParts(o SampleOptions, img image.Image) (_ SampleOptions, steps []diffusion.Step, rows, columns tiles.Line, err error) {
	if err := m.Config.CheckUpscale(img); err != nil {
		return o, nil, rows, columns, err
	}
	if !m.Config.streams() {
		return o, nil, rows, columns, errors.New("this model makes a result as a whole, so it cannot make a part: " +
			"want a model that computes at low resolution (pixelshuffle, residual)")
	}
	if o, steps, err = m.prepare(o); err != nil {
		return o, nil, rows, columns, err
	}
	if m.samplesWhole(o, steps, img) {
		size := img.Bounds().Size()
		rows, columns, _ = m.layTiles(o, size.X*m.Config.Factor, size.Y*m.Config.Factor, diffusion.Multistep(steps))
	} else {
		rows, columns, _ = m.layStrips(o, steps, img)
	}
	return o, steps, rows, columns, nil
}

// begin prepares for only the rows of tiles from first to before end in the last step. Each step begins
// at the row of tiles that makes the first row of x_t that the next step needs. It leaves out the
// noise of the rows above.
func (s *strips) begin(ctx context.Context, first, end int) error {
	height, count := s.size.Y*s.m.Config.Factor, 0
	last := end - 1
	needed, _ := rowsMade(s.rows, first)
	for k := len(s.stages) - 1; k >= 0; k-- {
		now := &s.stages[k]
		if s.steps[k].Sigma != 0 {
			if err := s.skip(ctx, now.draw, needed); err != nil {
				return err
			}
		}
		now.row, now.xt.top = first, s.rows.At[first]
		count += last - first + 1
		needed = now.xt.top
		first, last = upTo(s.rows, needed+1), upTo(s.rows, min(height, s.rows.At[last]+s.rows.Size))
	}
	s.passes, s.count = 1, count*len(s.columns.At)
	if s.noise == nil {
		return nil
	}
	return s.skip(ctx, s.noise, needed)
}

// skip draws the numbers of rows from the top and drops them. How many random bits a number takes
// varies, so there is no shorter way.
func (s *strips) skip(ctx context.Context, draw func() float64, rows int) error {
	for range rows {
		if ctx.Err() != nil {
			return &stoppedError{"sampling stopped before its first step", ctx.Err()}
		}
		for range 3 * s.size.X * s.m.Config.Factor {
			draw()
		}
	}
	return nil
}
