// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/srdiff/srlab/srdiff/imaging"
)

// The height and width of tiles, and how much of that neighbours share, in pixels of the result: multiples of Scale. Tiles of 128
// give what one of 256 gives to 0.1 dB for a network with attention, and to 0.01 dB without, those of 32 half a decibel less; those
// of 256 take four times the memory, and 16 times in attention (docs/benchmarks.md). They are variables for the tests.
var tileSize, tileOverlap = 128, 16

// sampleAny is Sample for one picture, in tiles if the result is larger than one.
func (m *Model) sampleAny(ctx context.Context, o SampleOptions, low imaging.Picture) (imaging.Picture, error) {
	if max(low.Width, low.Height)*Scale > m.Config.tileSize() {
		return m.sampleTiles(ctx, o, low)
	}
	out, err := m.Sample(ctx, o, low)
	if err != nil {
		return imaging.Picture{}, err
	}
	return out[0], nil
}

// sampleTiles is Sample for one picture of any size, in tiles. There is one x_t of the whole picture. At every step the network
// predicts x_0 for tiles that overlap, and their weighted mean is the x_0 of the whole picture (Bar-Tal et al. 2023, equation 5,
// with smooth weights as in Jiménez 2023):
//
//	x_0 = sum over tiles i of w_i x_0(tile i of x_t, tile i of y),   where the w_i of a pixel sum to 1
//
// So neighbours agree in every step on what is where they meet, as tiles that are sampled apart do not. The rest of the step is
// Sample's. What Guide, ThresholdX0 and the network work out over a picture, they work out over a tile.
//
// x_T and z are drawn pixel by pixel in order, so that they follow from the seed alone. So do the results, from the seed and the
// model: there is one tile at a time on the engine, since engines round otherwise in batches of another size, and processors are
// not faster with more.
func (m *Model) sampleTiles(ctx context.Context, o SampleOptions, low imaging.Picture) (imaging.Picture, error) {
	o, steps, err := m.prepare(o)
	if err != nil {
		return imaging.Picture{}, err
	}
	if err := m.checkMemory(o, low.Width*Scale, low.Height*Scale); err != nil {
		return imaging.Picture{}, err
	}
	x := imaging.New(low.Width*Scale, low.Height*Scale)
	draw := normals(o.Seed, 0)
	for i := range x.Pix {
		x.Pix[i] = float32(draw())
	}
	var before []float32 // x_0'
	if o.Sampler == DPMpp2M {
		before = make([]float32, len(x.Pix))
	}
	rows, columns := m.Config.tilesOf(x.Height), m.Config.tilesOf(x.Width)
	count, line := len(rows.at)*len(columns.at), 3*x.Width
	x0 := make([]float32, rows.size*line) // of the rows of the picture that a row of tiles is on, as far as its tiles are summed
	xt := tensors.FromShape(shapes.Make(dtypes.Float32, 1, rows.size, columns.size, 3))
	y := tensors.FromShape(shapes.Make(dtypes.Float32, 1, rows.size/Scale+2, columns.size/Scale+2, 3))
	variant := samplerVariant{weights: m.weights(), clip: o.Clip, backProject: o.BackProject, tiles: true}
	for k, s := range steps {
		variant.guided = o.guided(s.T)
		predict, err := m.sampler(variant)
		if err != nil {
			return imaging.Picture{}, err
		}
		draw := normals(o.Seed, k+1)
		for r, top := range rows.at {
			for c, left := range columns.at {
				if ctx.Err() != nil {
					return imaging.Picture{}, &stoppedError{fmt.Sprintf("sampling stopped at timestep %d", s.T), ctx.Err()}
				}
				cut(xt, x, left, top)
				cut(y, low, left/Scale-1, top/Scale-1)
				out, err := predict.Call(xt, y, float32(o.Noise), int32(s.T), float32(o.Guidance), float32(o.Rescale))
				if err == nil {
					err = tensors.ConstFlatData(out[0], func(tile []float32) {
						for i, w := range rows.weights[r] {
							addWeighted(x0[i*line+3*left:], tile[i*columns.size*3:], w, columns.weights[c])
						}
					})
				}
				if err == nil {
					err = finalize(out...)
				}
				if err != nil {
					return imaging.Picture{}, fmt.Errorf("sampling at timestep %d: %w", s.T, err)
				}
				if o.Each != nil {
					done := r*len(columns.at) + c + 1
					o.Each(SampleStep{Done: k + done/count, Steps: len(steps), T: s.T, Tile: done % count, Tiles: count})
				}
			}
			// The rows above the next row of tiles are complete, and no tile reads them any more in this step.
			end := x.Height
			if r+1 < len(rows.at) {
				end = rows.at[r+1]
			}
			done := (end - top) * line
			for i, predicted := range x0[:done] {
				at := top*line + i
				next := float32(s.OfXt)*x.Pix[at] + float32(s.OfX0)*predicted
				if before != nil {
					next += float32(s.OfBefore) * before[at]
					before[at] = predicted
				}
				if s.Sigma != 0 {
					next += float32(s.Sigma * draw())
				}
				x.Pix[at] = next
			}
			clear(x0[copy(x0, x0[done:]):])
		}
	}
	return x, nil
}

// tileX0 is the x_0 of a tile: x_t, low with one more pixel around it, low's noise, t, guidance's weight and rescale -> x_0.
func (m *Model) tileX0(scope *model.Scope, v samplerVariant, in []*Node) *Node {
	xt, low, level, t, guidance, rescale := in[0], in[1], in[2], in[3], in[4], in[5]
	y := tileCondition(m.Config, low, level)
	return m.predictX0(scope, v, xt, y, t, guidance, rescale, inner(low, 1))
}

// tileCondition is what ShownCondition of a whole picture is on one tile of it, of which low has one more pixel around it.
func tileCondition(c Config, low, level *Node) *Node {
	return inner(ShownCondition(c, low, BroadcastToDims(level, low.Shape().Dimensions[0])), Scale)
}

// inner is a picture without its border, so many pixels wide.
func inner(x *Node, border int) *Node {
	return Slice(x, AxisRange(), AxisRange(border, -border), AxisRange(border, -border))
}

// tiling is how tiles lie along the height or the width of a picture.
type tiling struct {
	size    int         // of every tile
	at      []int       // where each begins, multiples of Scale
	weights [][]float32 // of the pixels of each; all of one pixel's sum to 1
}

// tileSize is the size of the tiles for a network, smaller where attention is at large resolutions.
func (c Config) tileSize() int {
	size := tileSize
	for c.checkAttention(size, size) != nil {
		size /= 2
	}
	return size
}

// tilesOf spreads tiles evenly over n pixels, a multiple of Scale, as many as overlap by tileOverlap at least. Before all weights
// of a pixel are brought to the sum 1, they are 1 inside of a tile, and fall in tileOverlap pixels to 0 at both ends, as sin^2
// does.
func (c Config) tilesOf(n int) tiling {
	size := c.tileSize()
	count := 1 + max(0, n-tileOverlap-1)/(size-tileOverlap) // the tiles after the first bring size - tileOverlap each
	t := tiling{size: min(n, size)}
	window, sum := make([]float64, t.size), make([]float64, n)
	for i := range window {
		edge := min(1, (float64(min(i, t.size-1-i))+0.5)/float64(tileOverlap))
		window[i] = math.Pow(math.Sin(math.Pi/2*edge), 2)
	}
	for i := range count {
		at := (n - t.size) / Scale * i / max(1, count-1) * Scale
		t.at = append(t.at, at)
		for j, w := range window {
			sum[at+j] += w
		}
	}
	for _, at := range t.at {
		weights := make([]float32, t.size)
		for j, w := range window {
			weights[j] = float32(w / sum[at+j])
		}
		t.weights = append(t.weights, weights)
	}
	return t
}

// cut fills a tensor [1, height, width, 3] with the part of a picture that begins at left, top. Beyond the picture its border is
// repeated.
func cut(to *tensors.Tensor, p imaging.Picture, left, top int) {
	width := to.Shape().Dimensions[2]
	tensors.MustMutableFlatData(to, func(flat []float32) {
		for i := range len(flat) / 3 {
			x, y := min(max(left+i%width, 0), p.Width-1), min(max(top+i/width, 0), p.Height-1)
			copy(flat[3*i:3*i+3], p.Pix[3*(y*p.Width+x):])
		}
	})
}

// addWeighted adds a row of a tile to a row of the picture.
func addWeighted(to, from []float32, ofRow float32, ofColumns []float32) {
	for i, w := range ofColumns {
		w *= ofRow
		to[3*i] += w * from[3*i]
		to[3*i+1] += w * from[3*i+1]
		to[3*i+2] += w * from[3*i+2]
	}
}

// normals returns stream number n of a seed's standard normal numbers.
func normals(seed int64, n int) func() float64 {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], uint64(seed))
	binary.LittleEndian.PutUint64(key[8:], uint64(n))
	return rand.New(rand.NewChaCha8(key)).NormFloat64
}

// DefaultMemory is what SampleOptions.Memory is if not said: it is enough for results of 36 megapixels.
const DefaultMemory = 2_000_000_000

// What sampleTiles takes, in bytes: measured, with something to spare (docs/benchmarks.md).
const (
	engineMemory  = 400_000_000 // an engine, with its programs
	channelMemory = 512         // for each channel of the first stage and pixel of a tile, on the pure-Go engine; XLA takes less
	pixelMemory   = 12 + 8 + 2  // for each pixel of the result: x_t, the picture in up to 16 bits, and the input, which is smaller
	solverMemory  = 12          // x_0' beside them
)

// checkMemory returns an error unless the options allow the memory that sampleTiles takes for a result of width x height.
func (m *Model) checkMemory(o SampleOptions, width, height int) error {
	rows, columns := min(height, m.Config.tileSize()), min(width, m.Config.tileSize())
	perPixel := pixelMemory
	if o.Sampler == DPMpp2M {
		perPixel += solverMemory
	}
	need := engineMemory + channelMemory*m.Config.BaseChannels*rows*columns + 12*rows*width + perPixel*width*height
	if allowed := cmp.Or(o.Memory, DefaultMemory); int64(need) > allowed {
		return fmt.Errorf("the result would be %dx%d, which takes %.1fGB of memory, and %.1fGB are allowed: allow as much "+
			"(--memory), cut the picture or make it smaller", width, height, math.Ceil(float64(need)/1e8)/10, float64(allowed)/1e9)
	}
	return nil
}
