// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"image"
	"math"
	"math/rand/v2"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/srdiff/srlab/srdiff/diffusion"
	"github.com/srdiff/srlab/srdiff/imaging"
	"github.com/srdiff/srlab/srdiff/internal/tiles"
	"github.com/srdiff/srlab/srdiff/networks"
	"github.com/srdiff/srlab/srdiff/nn"
)

// The greatest side of a tile and the least overlap of neighbours, in pixels of the result. The
// results of tiles of 128 and 256 pixels differ by 0.1 dB for a network with attention and by 0.01
// dB without; those of 32 pixels differ by half a decibel. Tiles of 256 take four times the memory,
// and 16 times in attention (docs/benchmarks.md). Tests change both.
var tileSize, tileOverlap = 128, 16

// localTileSize is the usual side of the tiles for a local network, in low-resolution pixels: leastTiles
// makes them smaller, or up to half as large again. It is
// large, because such tiles overlap by twice the reach.
var localTileSize = 256

// sampleAny is Sample for one picture, in tiles if the result is larger than one.
func (m *Model) sampleAny(ctx context.Context, o SampleOptions, low imaging.Picture) (imaging.Picture, error) {
	if err := checkPicture(low, m.Config.Factor); err != nil {
		return imaging.Picture{}, err
	}
	if m.isLocal() || max(low.Width, low.Height)*m.Config.Factor > m.tileSize() {
		return m.sampleTiles(ctx, o, low)
	}
	out, err := m.Sample(ctx, o, low)
	if err != nil {
		return imaging.Picture{}, err
	}
	return out[0], nil
}

// sampleTiles is Sample for one picture of any size, in tiles. There is one x_t of the whole
// picture. At every step the network predicts x_0 for tiles that overlap, and their weighted mean
// is the x_0 of the whole picture (Bar-Tal et al. 2023, equation 5, with smooth weights as in
// Jiménez 2023):
//
//	x_0 = sum over tiles i of w_i x_0(tile i of x_t, tile i of low)
//
// where the w_i of a pixel sum to 1.
//
// So neighbouring tiles agree in their overlap at every step. Tiles that are sampled separately do
// not. The rest of the step is Sample's. Guidance, clipping and the network use statistics of a
// tile in place of those of a picture.
//
// x_T and z are drawn from the seed, pixel by pixel in order. Results depend only on the seed and
// the model. Tiles run one at a time: rounding varies with batch size, and larger batches are no
// faster on a CPU.
func (m *Model) sampleTiles(ctx context.Context, o SampleOptions, low imaging.Picture) (imaging.Picture, error) {
	o, steps, err := m.prepare(o)
	if err != nil {
		return imaging.Picture{}, err
	}
	t, err := m.newTiled(o, steps, low)
	if err != nil {
		return imaging.Picture{}, err
	}
	for k := range steps {
		if err := t.step(ctx, k); err != nil {
			return imaging.Picture{}, err
		}
	}
	return t.x, checkFinite(t.x)
}

// tiling runs the programs of steps over the tiles of a picture.
type tiling struct {
	m             *Model
	o             SampleOptions
	steps         []diffusion.Step
	table         [][]float32 // see table
	size          image.Point // of the low-resolution picture
	rows, columns tiles.Line  // of the result
	x0            []float32   // the sum of tiles so far, for the rows of one row of tiles
	detail        []float32   // the same of Refined.Detail, while x0 is Refined.Mean; nil for a model that does not refine
	done          int         // tiles of all steps
	passes, count int         // SampleStep.Steps and Tiles: done ends at their product

	// Inputs of the programs.
	xt, tileLow *tensors.Tensor
	variant     samplerVariant

	// For a model that refines: the results of tileMean by row and column, and whether they are kept
	// from the first step to the last one, so that the predictor runs once for each tile.
	means map[[2]int][]*tensors.Tensor
	keeps bool
}

func (m *Model) newTiling(o SampleOptions, steps []diffusion.Step, size image.Point, rows, columns tiles.Line) tiling {
	factor, margin := m.Config.Factor, m.network.Margin()
	t := tiling{m: m, o: o, steps: steps, table: table(steps, o), size: size, rows: rows, columns: columns,
		passes: len(steps), count: len(rows.At) * len(columns.At),
		x0:      make([]float32, 3*rows.Size*size.X*factor),
		xt:      tensors.FromShape(shapes.Make(dtypes.Float32, 1, rows.Size, columns.Size, 3)),
		tileLow: tensors.FromShape(shapes.Make(dtypes.Float32, 1, rows.Size/factor+2*margin, columns.Size/factor+2*margin, 3))}
	if m.Config.refines() {
		t.detail = make([]float32, len(t.x0))
		t.means = map[[2]int][]*tensors.Tensor{}
	}
	t.variant = samplerVariant{weights: m.inUse(), clip: o.Clip, backProject: o.BackProject,
		selfEnsemble: o.SelfEnsemble, precision: o.Precision, tiles: true}
	// A tile as large as the picture uses the same program, so that fewer are compiled.
	t.variant.padded = m.isLocal() && o.BackProject == 0 && (rows.Size > size.Y*factor || columns.Size > size.X*factor)
	return t
}

// window holds rows of a picture, from row top on.
type window struct {
	imaging.Picture
	top int
}

// end returns the row after the last one.
func (w window) end() int { return w.top + w.Height }

// addRow adds the weighted x_0 of row r of tiles in step k to x0. x_t and low hold the rows that
// the tiles need; x_t is empty in a regression, which does not depend on it.
func (t *tiling) addRow(ctx context.Context, k, r int, xt, low window) error {
	variant := t.variant
	variant.guided = t.o.guided(t.steps[k].T)
	variant.last = t.ends(k)
	predict, err := t.m.program(variant, t.xt)
	if err != nil {
		return err
	}
	top, factor, margin := t.rows.At[r], t.m.Config.Factor, t.m.network.Margin()
	for c, left := range t.columns.At {
		if ctx.Err() != nil {
			return &stoppedError{fmt.Sprintf("sampling stopped at timestep %.0f", t.steps[k].T), ctx.Err()}
		}
		if xt.Height > 0 {
			tiles.Crop(t.xt, xt.Picture, left, top-xt.top)
		}
		tiles.Crop(t.tileLow, low.Picture, left/factor-margin, top/factor-margin-low.top)
		if err := t.add(predict, k, r, c); err != nil {
			return plain(fmt.Sprintf("sampling at timestep %.0f", t.steps[k].T), err)
		}
		t.report(t.steps[k].T)
	}
	return nil
}

// add adds the weighted x_0 of tile r, c in step k to x0, and its detail in the last step of a model that
// refines. The inputs xt and tileLow are set.
func (t *tiling) add(predict *model.Exec, k, r, c int) error {
	left := t.columns.At[c]
	mean, err := t.mean(r, c)
	if err != nil {
		return err
	}
	inputs := []any{t.xt, t.tileLow, float32(t.o.Noise), t.table[k]}
	inputs = append(inputs, t.inside(r, c)...)
	for _, part := range mean {
		inputs = append(inputs, part)
	}
	out, err := predict.Call(inputs...)
	if err == nil && (t.ends(k) || !t.keeps) {
		delete(t.means, [2]int{r, c})
		err = finalize(mean...)
	}
	if err != nil {
		return err
	}
	for i, sum := range [][]float32{t.x0, t.detail}[:len(out)] {
		err = firstError(err, tensors.ConstFlatData(out[i], func(tile []float32) {
			tiles.Blend(sum, t.size.X*t.m.Config.Factor, left, tile, t.columns.Size, t.rows.Weights[r], t.columns.Weights[c])
		}))
	}
	return firstError(err, finalize(out...))
}

// inside returns the low-resolution rows and columns from the start of tile r, c to the picture's end.
func (t *tiling) inside(r, c int) []any {
	factor := t.m.Config.Factor
	return []any{int32(t.size.Y - t.rows.At[r]/factor), int32(t.size.X - t.columns.At[c]/factor)}
}

// mean returns the results of tileMean for tile r, c, and nil for a model that does not refine. The
// input tileLow is set.
func (t *tiling) mean(r, c int) ([]*tensors.Tensor, error) {
	if !t.m.Config.refines() {
		return nil, nil
	}
	if mean := t.means[[2]int{r, c}]; mean != nil {
		return mean, nil
	}
	variant := samplerVariant{weights: t.variant.weights, precision: t.variant.precision, padded: t.variant.padded, mean: true}
	predict, err := t.m.program(variant, t.xt)
	if err != nil {
		return nil, err
	}
	mean, err := predict.Call(append([]any{t.tileLow}, t.inside(r, c)...)...)
	if err == nil {
		t.means[[2]int{r, c}] = mean
	}
	return mean, err
}

// report counts a tile, and calls SampleOptions.Each after it.
func (t *tiling) report(timestep float64) {
	t.done++
	if t.o.Each == nil {
		return
	}
	t.o.Each(SampleStep{Done: t.done / t.count, Steps: t.passes, T: int(math.Round(timestep)), Tile: t.done % t.count, Tiles: t.count})
}

// reverse writes the x_s of step s to a slice, given x_t, x_0 and x_0' of the same values. to may
// be any of the others. Without x_t or x_0', which may be nil, their terms are 0.
func reverse(s diffusion.Step, to, xt, x0, before []float32, draw func() float64) {
	for i, predicted := range x0 {
		next := float32(s.OfX0) * predicted
		if xt != nil {
			next += float32(s.OfXt) * xt[i]
		}
		if before != nil {
			next += float32(s.OfBefore) * before[i]
		}
		if s.Sigma != 0 {
			next += float32(s.Sigma * draw())
		}
		to[i] = next
	}
}

// tiled is a picture that is sampled in tiles, as a whole.
type tiled struct {
	tiling
	low    imaging.Picture
	x      imaging.Picture // x_t
	before []float32       // x_0', or nil where no step needs it
}

func (m *Model) newTiled(o SampleOptions, steps []diffusion.Step, low imaging.Picture) (*tiled, error) {
	width, height := low.Width*m.Config.Factor, low.Height*m.Config.Factor
	multistep := diffusion.Multistep(steps)
	rows, columns, need := m.layTiles(o, width, height, multistep)
	if err := allowMemory(o, need, width, height); err != nil {
		return nil, err
	}
	t := &tiled{tiling: m.newTiling(o, steps, image.Pt(low.Width, low.Height), rows, columns), low: low, x: imaging.New(width, height)}
	t.keeps = need+m.meanMemory(len(rows.At), rows, columns) <= cmp.Or(o.Memory, DefaultMemory)
	if m.Config.Diffusion.Prediction != diffusion.Regression { // a regression does not depend on x_t
		draw := normals(o.Seed, 0)
		for i := range t.x.Pix {
			t.x.Pix[i] = float32(draw())
		}
	}
	if multistep {
		t.before = make([]float32, len(t.x.Pix))
	}
	return t, nil
}

// step takes step k. It computes the tiles row by row.
func (t *tiled) step(ctx context.Context, k int) error {
	draw := normals(t.o.Seed, k+1)
	for r, top := range t.rows.At {
		if err := t.addRow(ctx, k, r, window{t.x, 0}, window{t.low, 0}); err != nil {
			return err
		}
		// The rows above the next row of tiles are complete. No later tile of this step reads them.
		end := t.x.Height
		if r+1 < len(t.rows.At) {
			end = t.rows.At[r+1]
		}
		if done := 3 * t.x.Width * (end - top); t.ends(k) {
			t.refine(t.x0[:done], t.detail[:done])
			clear(t.detail[copy(t.detail, t.detail[done:]):])
		}
		t.advance(t.steps[k], top, end, draw)
	}
	return nil
}

// ends reports whether step k is the last one of a model that refines.
func (t *tiling) ends(k int) bool { return t.m.Config.refines() && k == len(t.steps)-1 }

// refine turns the mean in rows of x0 into the result, given the same rows of detail.
func (t *tiling) refine(mean, detail []float32) {
	width := t.size.X * t.m.Config.Factor
	rows := func(pix []float32) imaging.Picture {
		return imaging.Picture{Width: width, Height: len(pix) / 3 / width, Pix: pix}
	}
	r := Refined{rows(mean), rows(detail)}
	if t.o.Refined != nil {
		t.o.Refined(r)
	}
	copy(mean, r.At(t.o.Fidelity).Pix)
}

// advance takes the rows from top to before end from x_t to x_s, and moves x0 on to the next rows.
func (t *tiled) advance(s diffusion.Step, top, end int, draw func() float64) {
	line := 3 * t.x.Width
	predicted, x := t.x0[:(end-top)*line], t.x.Pix[top*line:end*line]
	var before []float32
	if t.before != nil {
		before = t.before[top*line : end*line]
	}
	reverse(s, x, x, predicted, before, draw)
	copy(before, predicted)
	clear(t.x0[copy(t.x0, t.x0[len(predicted):]):])
}

// tileMean runs the predictor and the scale of a model that refines for a tile, given low and the rows and
// columns of low from the tile's start to the picture's end. Its results are the Mean, Features and
// LogScale of networks.Inputs.
func (m *Model) tileMean(scope *nn.Scope, v samplerVariant, in []*Node) []*Node {
	if v.padded {
		scope = scope.Within(inside(in[0], in[1], in[2]))
	}
	inputs := m.denoiser().withMean(scope, networks.Inputs{Low: in[0]})
	return []*Node{inputs.Mean, inputs.Features, inputs.LogScale}
}

// tileX0 predicts x_0 for a tile, or in the last step of a model that refines the two parts of refined.
// Its inputs are x_t, low with the network's margin around it, low's noise level, a row of table, the
// rows and columns of low from the tile's start to the picture's end, and the results of tileMean.
func (m *Model) tileX0(scope *nn.Scope, v samplerVariant, in []*Node) []*Node {
	xt, low, level := in[0], in[1], BroadcastToDims(in[2], 1)
	inputs := networks.Inputs{Xt: xt, Low: low, Level: level, Margin: m.network.Margin()}
	if v.padded {
		scope = scope.Within(inside(low, in[4], in[5]))
	}
	if m.Config.refines() {
		inputs.Mean, inputs.Features, inputs.LogScale = in[6], in[7], in[8]
	}
	x0 := m.predictX0(scope, v, rowOf(in[3]), inputs)
	if v.last {
		return m.refined(inputs, x0, v.backProject)
	}
	return []*Node{x0}
}

// inside is 1 in the given number of first rows and columns, which lie in the picture, and 0
// elsewhere, [1, height, width, 1]: see nn.Scope.Within.
func inside(low, rows, columns *Node) *Node {
	shape := low.Shape().Clone()
	shape.DType, shape.Dimensions[3] = dtypes.Int32, 1
	before := func(end *Node, axis int) *Node { return LessThan(Iota(low.Graph(), shape, axis), end) }
	return ConvertDType(LogicalAnd(before(rows, 1), before(columns, 2)), low.DType())
}

// tileSize returns the side of the tiles for the model's network, a multiple of Config.multiple. It
// is smaller if the network limits the number of pixels.
func (m *Model) tileSize() int {
	size := tileSize
	if m.reach(0) > 0 {
		size = localTileSize * m.Config.Factor
	}
	for size*size > m.maxPixels() {
		size /= 2
	}
	multiple := m.Config.multiple()
	return max(1, size/multiple) * multiple
}

// layTiles lays tiles over a result of width x height, and returns the bytes that a program needs
// to sample it.
func (m *Model) layTiles(o SampleOptions, width, height int, multistep bool) (rows, columns tiles.Line, need int64) {
	return m.layTilesWithin(o, width, height, func(rows, columns tiles.Line) int64 {
		return m.memory(rows.Size, columns.Size, width, height, multistep)
	})
}

// layTilesWithin lays tiles over a result of width x height, and returns the bytes that they need,
// given the function that computes them from the tiles. A local network's result does not depend on
// the tiles. So they become lower where the options do not allow as many bytes, and then narrower;
// both cost overlap.
func (m *Model) layTilesWithin(o SampleOptions, width, height int, memory func(rows, columns tiles.Line) int64) (rows, columns tiles.Line, need int64) {
	if m.isLocal() {
		if rows, columns, need, ok := m.leastTiles(o, width, height, memory); ok {
			return rows, columns, need
		}
	}
	high, wide := m.tileSize(), m.tileSize()
	for least := 3 * m.reach(o.BackProject) * m.Config.Factor; ; {
		rows, columns = m.tilesOf(height, high, o.BackProject), m.tilesOf(width, wide, o.BackProject)
		need = memory(rows, columns)
		switch fits := need <= cmp.Or(o.Memory, DefaultMemory); {
		case fits || !m.isLocal() || max(high, wide) <= least:
			return rows, columns, need
		case high > least:
			high = high * 3 / 4
		default:
			wide = wide * 3 / 4
		}
	}
}

// leastTiles lays the tiles of a local network that have the fewest pixels together: tiles overlap less if
// they are larger, or if their size suits the picture's. ok is false if none fit the memory.
func (m *Model) leastTiles(o SampleOptions, width, height int, memory func(rows, columns tiles.Line) int64) (rows, columns tiles.Line, need int64, ok bool) {
	const least, most = 3, 12 // eighths of the tile's size: in such steps few programs are compiled
	pixels := func(rows, columns tiles.Line) int {
		return len(rows.At) * rows.Size * len(columns.At) * columns.Size
	}
	for high := least; high <= most; high++ {
		r := m.tilesOf(height, m.tileSize()*high/8, o.BackProject)
		for wide := least; wide <= most; wide++ {
			c := m.tilesOf(width, m.tileSize()*wide/8, o.BackProject)
			if n := memory(r, c); n <= cmp.Or(o.Memory, DefaultMemory) && (!ok || pixels(r, c) < pixels(rows, columns)) {
				rows, columns, need, ok = r, c, n, true
			}
		}
	}
	return rows, columns, need, ok
}

// tilesOf lays tiles of a greatest size over n pixels of the result. A picture smaller than a tile
// is padded to one tile: see paddedSide.
func (m *Model) tilesOf(n, size, backProject int) tiles.Line {
	factor, margin := m.Config.Factor, m.reach(backProject)*m.Config.Factor
	if m.isLocal() {
		size = max(size/factor*factor, 3*margin)
	}
	switch {
	case n <= size && m.isLocal() && backProject > 0: // back-projection depends on the border
		return tiles.One(n, n)
	case n <= size:
		return tiles.One(n, factor*m.paddedSide(n/factor, size/factor))
	case m.isLocal():
		return tiles.LayExact(n, size, margin)
	}
	return tiles.Lay(n, size, tileOverlap, factor)
}

// paddedSide returns the side to which a low-resolution picture with a side of n pixels is padded;
// most is the side of a tile. There are few such sides, since XLA takes seconds and some 10 MB to
// compile a program for each: powers of two from 8 on, and from 32 on also the values half way
// between two powers, since padding costs more there.
func (m *Model) paddedSide(n, most int) int {
	side := 8
	for side < n {
		if half := side + side/2; side >= 32 && half >= n {
			side = half
		} else {
			side *= 2
		}
	}
	return min(m.multipleSide(side), most)
}

// multipleSide returns the least side of at least n low-resolution pixels that the network takes.
func (m *Model) multipleSide(n int) int {
	multiple := m.Config.multiple() / m.Config.Factor
	return (n + multiple - 1) / multiple * multiple
}

// normals returns stream number n of a seed's standard normal numbers.
func normals(seed int64, n int) func() float64 {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], uint64(seed))
	binary.LittleEndian.PutUint64(key[8:], uint64(n))
	return rand.New(rand.NewChaCha8(key)).NormFloat64
}

// DefaultMemory is the default of SampleOptions.Memory. It is enough for results of 30 megapixels.
const DefaultMemory = 2_000_000_000

// Memory of sampleTiles in bytes, measured and rounded up (docs/benchmarks.md).
const (
	engineMemory  = 500_000_000 // an engine, with its programs
	channelMemory = 512         // for each channel of the first stage and pixel of a tile, on the pure-Go engine; XLA takes less
	localMemory   = 112         // the same for a local network and each low-resolution pixel

	// For each pixel of the result: x_t and the smaller input, and the picture in up to 16 bits.
	// x_t and the input count twice, since Go's collector lets garbage grow to the size of the live
	// memory.
	pixelMemory  = 2*(12+2) + 8
	solverMemory = 2 * 12 // x_0' beside them
)

// MemoryError is the error for a result that takes more memory than the options allow.
type MemoryError struct {
	Width, Height int   // of the result
	Need, Allowed int64 // bytes
}

// Error states the amounts and what can be done.
func (e *MemoryError) Error() string {
	return fmt.Sprintf("the result would be %dx%d, which takes %.1fGB of memory, and %.1fGB are allowed: allow more "+
		"(--memory), crop the picture or make it smaller", e.Width, e.Height, math.Ceil(float64(e.Need)/1e8)/10, float64(e.Allowed)/1e9)
}

// allowMemory returns a *MemoryError unless the options allow the bytes that a result of width x
// height needs.
func allowMemory(o SampleOptions, need int64, width, height int) error {
	if allowed := cmp.Or(o.Memory, DefaultMemory); need > allowed {
		return &MemoryError{width, height, need, allowed}
	}
	return nil
}

// memory returns how many bytes a program takes to make a result of width x height in tiles of rows
// x columns.
func (m *Model) memory(rows, columns, width, height int, multistep bool) int64 {
	perPixel := pixelMemory
	if multistep {
		perPixel += solverMemory
	}
	perRow := 12 * width
	if m.Config.refines() {
		perRow *= 3 // the detail, and the result of both
	}
	return engineMemory + m.tileMemory(rows, columns) + int64(perRow*rows+perPixel*width*height)
}

// meanMemory is how many bytes the results of tileMean take for a number of rows of tiles.
func (m *Model) meanMemory(count int, rows, columns tiles.Line) int64 {
	factor := m.Config.Factor
	values := 3*factor*factor + factor*factor + m.Config.Predictor.BaseChannels // for each low-resolution pixel
	return int64(count*len(columns.At)) * int64(4*values*(rows.Size/factor)*(columns.Size/factor))
}

// tileMemory is how many bytes the network takes for a tile of the result.
func (m *Model) tileMemory(rows, columns int) int64 {
	if m.isLocal() {
		channels := max(m.Config.Network.BaseChannels, m.Config.Predictor.BaseChannels)
		return int64(localMemory * channels * (rows / m.Config.Factor) * (columns / m.Config.Factor))
	}
	return int64(channelMemory * m.Config.Network.BaseChannels * rows * columns)
}
