// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"cmp"
	"context"
	"image"
	"iter"
	"slices"

	"github.com/srdiff/srlab/srdiff/diffusion"
	"github.com/srdiff/srlab/srdiff/imaging"
	"github.com/srdiff/srlab/srdiff/internal/tiles"
	"github.com/srdiff/srlab/srdiff/networks"
)

// UpscaleStrips enlarges a picture as Upscale does and yields the result as strips of rows, from
// the top down, so that a caller need not hold all of it. A strip is valid until the next one. A
// model with a local network (see networks.Local) makes one strip at a time where the whole result
// would not fit o.Memory: the result may then be of any size. Other models make all strips at once,
// within MaxUpscaled. The result does not depend on the strips. An error is the last value; a
// picture that takes more than o.Memory is a *MemoryError, before the first strip.
func (m *Model) UpscaleStrips(ctx context.Context, o SampleOptions, img image.Image) iter.Seq2[imaging.Picture, error] {
	return func(yield func(imaging.Picture, error) bool) {
		if err := m.Config.CheckUpscale(img); err != nil {
			yield(imaging.Picture{}, err)
			return
		}
		s, err := m.newStrips(o, img)
		if err == nil && s == nil {
			yield(m.sampleAny(ctx, o, imaging.Visible(img)))
			return
		}
		for row := 0; err == nil && row < len(s.rows.At); row++ {
			var strip imaging.Picture
			if strip, err = s.next(ctx); err == nil && !yield(strip, nil) {
				return
			}
		}
		if err != nil {
			yield(imaging.Picture{}, err)
		}
	}
}

// UpscaleMemory returns how many bytes a program takes that makes the result of UpscaleStrips.
func (m *Model) UpscaleMemory(o SampleOptions, img image.Image) (int64, error) {
	if err := m.Config.CheckUpscale(img); err != nil {
		return 0, err
	}
	o, steps, err := m.prepare(o)
	if err != nil {
		return 0, err
	}
	var need int64
	if m.Config.streams() && !m.samplesWhole(o, steps, img) {
		_, _, need = m.layStrips(o, steps, img)
	} else {
		size := img.Bounds().Size()
		_, _, need = m.layTiles(o, size.X*m.Config.Factor, size.Y*m.Config.Factor, diffusion.Multistep(steps))
	}
	return need, nil
}

// CheckUpscale returns the error that UpscaleStrips would return for the picture's size.
func (c Config) CheckUpscale(img image.Image) error {
	c = c.WithDefaults()
	if size := img.Bounds().Size(); c.streams() && size.X > 0 && size.Y > 0 {
		return nil
	}
	return CheckUpscale(img, c.Factor)
}

// streams reports whether a model of the complete configuration can make one strip at a time.
func (c Config) streams() bool {
	network, err := networks.New(c.Network)
	_, local := network.(networks.Local)
	return err == nil && local
}

// strips is a picture that is enlarged strip by strip. All steps of the sampler go down the picture
// together, each some rows behind the step before it: a step takes a row of tiles as soon as the
// rows of x_t are there that the tiles need. So a step holds few rows, and every pixel gets the
// same values as if one step followed the other, its noise too.
type strips struct {
	tiling
	low    func(top, bottom int) imaging.Picture
	noise  func() float64 // x_T; nil for a regression, which has no x_t
	stages []stage        // one for each step
}

// stage is where a step is in the picture.
type stage struct {
	row    int            // the next row of tiles
	xt     window         // rows of x_t, from the first one that the row of tiles needs
	before []float32      // x_0' of the same rows, where a step uses it
	draw   func() float64 // z
}

// newStrips returns nil for a picture that is better sampled as a whole: see samplesWhole.
func (m *Model) newStrips(o SampleOptions, img image.Image) (*strips, error) {
	o, steps, err := m.prepare(o)
	if err != nil || !m.Config.streams() || m.samplesWhole(o, steps, img) {
		return nil, err
	}
	return m.newStripsWithin(o, img)
}

// newStripsWithin is newStrips for strips in any case. It returns a *MemoryError unless they fit.
func (m *Model) newStripsWithin(o SampleOptions, img image.Image) (*strips, error) {
	o, steps, err := m.prepare(o)
	if err != nil {
		return nil, err
	}
	size := img.Bounds().Size()
	rows, columns, need := m.layStrips(o, steps, img)
	if err := allowMemory(o, need, size.X*m.Config.Factor, size.Y*m.Config.Factor); err != nil {
		return nil, err
	}
	return m.newStripsOf(o, steps, img, rows, columns), nil
}

// newStripsOf is newStripsWithin for the given tiles. The options are complete.
func (m *Model) newStripsOf(o SampleOptions, steps []diffusion.Step, img image.Image, rows, columns tiles.Line) *strips {
	s := &strips{tiling: m.newTiling(o, steps, img.Bounds().Size(), rows, columns), low: imaging.VisibleRows(img), stages: make([]stage, len(steps))}
	for k := range s.stages {
		s.stages[k].draw = normals(o.Seed, k+1)
	}
	if m.Config.refines() {
		s.noise = normals(o.Seed, 0)
		s.hold()
		need := m.memoryOfStrips(steps, img, rows, columns) + m.meanMemory(rowsUnderWay(rows, len(steps), img.Bounds().Dy()*m.Config.Factor), rows, columns)
		s.keeps = need <= cmp.Or(o.Memory, DefaultMemory)
	}
	return s
}

// rowsUnderWay is the greatest number of rows of tiles that the first one of the steps has begun and the
// last one has not ended.
func rowsUnderWay(l tiles.Line, steps, height int) (most int) {
	for r := range l.At {
		begun := r
		for range steps - 1 {
			begun = upTo(l, min(height, l.At[begun]+l.Size))
		}
		most = max(most, begun-r+1)
	}
	return most
}

// samplesWhole reports whether a refiner's result fits the memory as a whole, with tiles at least
// as large as those of its strips. Each step holds rows of its own in strips, so many steps take
// more than the whole.
func (m *Model) samplesWhole(o SampleOptions, steps []diffusion.Step, img image.Image) bool {
	size := img.Bounds().Size()
	if !m.Config.refines() || checkSides(size.X, size.Y, m.Config.Factor) != nil {
		return false
	}
	width, height := size.X*m.Config.Factor, size.Y*m.Config.Factor
	rows, columns, need := m.layTiles(o, width, height, diffusion.Multistep(steps))
	ofStrips, across, needOfStrips := m.layStrips(o, steps, img)
	fits := allowMemory(o, need, width, height) == nil
	return fits && (rows.Size*columns.Size >= ofStrips.Size*across.Size || allowMemory(o, needOfStrips, width, height) != nil)
}

// stripMemory is what a pixel of a row of tiles takes: its values, their picture in up to 16 bits,
// and what resizing and an encoder hold of it, some of it twice until Go's collector runs.
const stripMemory = 12 + 2*12

// layStrips lays tiles over the result of a picture, and returns the bytes that a program needs to
// make it in strips.
func (m *Model) layStrips(o SampleOptions, steps []diffusion.Step, img image.Image) (rows, columns tiles.Line, need int64) {
	size := img.Bounds().Size()
	width, height := size.X*m.Config.Factor, size.Y*m.Config.Factor
	return m.layTilesWithin(o, width, height, func(rows, columns tiles.Line) int64 {
		return m.memoryOfStrips(steps, img, rows, columns)
	})
}

// memoryOfStrips returns the bytes that a program needs to make the result of a picture in strips, with
// the given tiles.
func (m *Model) memoryOfStrips(steps []diffusion.Step, img image.Image, rows, columns tiles.Line) int64 {
	size := img.Bounds().Size()
	width, height := size.X*m.Config.Factor, size.Y*m.Config.Factor
	need := engineMemory + m.tileMemory(rows.Size, columns.Size) + stripMemory*int64(rows.Size)*int64(width) + imaging.MemoryOf(img)
	if !m.Config.refines() {
		return need
	}
	held := rows.Size + (len(steps)-1)*heldRows(rows, height)
	if diffusion.Multistep(steps) {
		held *= 2
	}
	held += 2 * rows.Size // the detail, and the result of both
	return need + 12*int64(held)*int64(width)
}

// heldRows is the greatest number of rows that a step holds, given the rows of tiles that it and
// the step before it take.
func heldRows(l tiles.Line, height int) (most int) {
	for _, top := range l.At {
		_, end := rowsMade(l, upTo(l, min(height, top+l.Size)))
		most = max(most, end-top)
	}
	return most
}

// rowsMade returns the first row of the result that row r of tiles makes, and the row after the last one.
func rowsMade(l tiles.Line, r int) (first, end int) {
	first, end = used(l.Weights[r])
	return l.At[r] + first, l.At[r] + end
}

// upTo returns the row of tiles that makes the row of the result before end.
func upTo(l tiles.Line, end int) int {
	r := 0
	for _, made := rowsMade(l, r); made < end; _, made = rowsMade(l, r) {
		r++
	}
	return r
}

// hold sets aside the memory for the rows that the steps hold.
func (s *strips) hold() {
	values := func(rows int) []float32 { return make([]float32, 0, 3*s.size.X*s.m.Config.Factor*rows) }
	rows := heldRows(s.rows, s.size.Y*s.m.Config.Factor)
	for k := range s.stages {
		if k == 0 {
			s.stages[k].xt.Pix = values(s.rows.Size)
			continue
		}
		s.stages[k].xt.Pix = values(rows)
		if diffusion.Multistep(s.steps) {
			s.stages[k].before = values(rows)
		}
	}
}

// next makes the next strip.
func (s *strips) next(ctx context.Context) (imaging.Picture, error) {
	rows, err := s.advance(ctx, len(s.stages)-1)
	if err != nil {
		return imaging.Picture{}, err
	}
	strip := s.picture(rows)
	return strip, checkFinite(strip)
}

// picture is rows of the result as a picture.
func (s *strips) picture(pix []float32) imaging.Picture {
	width := s.size.X * s.m.Config.Factor
	return imaging.Picture{Width: width, Height: len(pix) / 3 / width, Pix: pix}
}

// advance takes the next row of tiles of step k, and returns the rows of x_s that are complete with
// it. They are valid until the next call.
func (s *strips) advance(ctx context.Context, k int) ([]float32, error) {
	now, factor := &s.stages[k], s.m.Config.Factor
	top := s.rows.At[now.row]
	bottom := min(s.size.Y*factor, top+s.rows.Size)
	if err := s.fill(ctx, k, bottom); err != nil {
		return nil, err
	}
	clear(s.x0)
	clear(s.detail)
	low := window{s.low(top/factor, bottom/factor), top / factor}
	if err := s.addRow(ctx, k, now.row, now.xt, low); err != nil {
		return nil, err
	}
	first, end := used(s.rows.Weights[now.row])
	if k+1 < len(s.stages) { // In a part, a step needs not all rows that the step before it makes first.
		first = max(first, s.stages[k+1].xt.end()-top)
	}
	part := func(rows []float32) []float32 {
		if rows == nil {
			return nil
		}
		line := 3 * s.size.X * factor
		return rows[first*line : end*line]
	}
	x0 := part(s.x0)
	if s.ends(k) {
		s.refine(x0, part(s.detail))
	}
	if k+1 < len(s.stages) && diffusion.Multistep(s.steps) {
		following := &s.stages[k+1]
		following.before = append(following.before, x0...)
	}
	reverse(s.steps[k], x0, part(now.xt.Pix), x0, part(now.before), now.draw)
	if now.row++; now.row < len(s.rows.At) {
		s.forget(now, s.rows.At[now.row])
	}
	return x0, nil
}

// fill has step k hold the rows of x_t up to before end.
func (s *strips) fill(ctx context.Context, k, end int) error {
	xt := &s.stages[k].xt
	for s.noise != nil && xt.end() < end {
		if k == 0 {
			for range 3 * s.size.X * s.m.Config.Factor * (end - xt.end()) {
				xt.Pix = append(xt.Pix, float32(s.noise()))
			}
		} else {
			rows, err := s.advance(ctx, k-1)
			if err != nil {
				return err
			}
			xt.Pix = append(xt.Pix, rows...)
		}
		xt.Picture = s.picture(xt.Pix)
	}
	return nil
}

// forget drops the rows above top that a step holds.
func (s *strips) forget(now *stage, top int) {
	if s.noise == nil {
		return
	}
	n := 3 * s.size.X * s.m.Config.Factor * (top - now.xt.top)
	now.xt.Picture, now.xt.top = s.picture(slices.Delete(now.xt.Pix, 0, n)), top
	if now.before != nil {
		now.before = slices.Delete(now.before, 0, n)
	}
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
