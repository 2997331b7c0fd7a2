// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"fmt"
	"image"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/srdiff/srlab/srdiff/diffusion"
	"github.com/srdiff/srlab/srdiff/imaging"
	"github.com/srdiff/srlab/srdiff/internal/graphtest"
	"github.com/srdiff/srlab/srdiff/internal/tiles"
	"github.com/srdiff/srlab/srdiff/networks"
	"github.com/srdiff/srlab/srdiff/nn"
)

// fewSteps is a small model of a network with statistics over its picture.
func fewSteps(t *testing.T) *Model {
	return newSmall(t, Config{Network: networks.Config{BaseChannels: 4}, Diffusion: diffusion.Config{Timesteps: 4, BetaEnd: 0.5}})
}

// Icons of many sizes share a few programs, and so do photographs. What came before does not change
// a result.
func TestFewPrograms(t *testing.T) {
	local, err := NewModel(graphtest.Engine(t), tinyRefiner(4))
	if err != nil {
		t.Fatal(err)
	}
	for name, m := range map[string]*Model{"tutorial": fewSteps(t), "refiner": scramble(t, local)} {
		upscale := func(width, height int) imaging.Picture {
			p, err := m.sampleAny(t.Context(), SampleOptions{Seed: 1, Steps: 2}, randomPicture(width, height))
			if err != nil {
				t.Fatal(err)
			}
			if p.Width != 4*width || p.Height != 4*height {
				t.Fatalf("%s: %dx%d became %dx%d", name, width, height, p.Width, p.Height)
			}
			return p
		}
		first := upscale(17, 21)
		seen := map[programKey]bool{}
		for i := range 24 {
			upscale(9+i, 9+(7*i)%24)
			for _, p := range m.programs.list {
				seen[p.key] = true
			}
		}
		// 8 < sides <= 16, 16 < sides <= 32; for each size at most one program to start and one or two to step.
		if len(seen) > 12 {
			t.Errorf("%s: %d programs for 24 sizes: want at most 12", name, len(seen))
		}
		if again := upscale(17, 21); !slices.Equal(first.Pix, again.Pix) {
			t.Errorf("%s: the same picture became another one after others", name)
		}
	}
}

// Photographs that are larger than a tile share one program, whatever their sizes.
func TestOneProgramForPhotographs(t *testing.T) {
	setTiles(t, 32, 8)
	m := fewSteps(t)
	for _, size := range [][2]int{{9, 10}, {13, 9}, {17, 25}, {33, 12}} {
		if _, err := m.sampleAny(t.Context(), SampleOptions{Steps: 2}, low(size[0], size[1])); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(m.programs.list); n != 1 {
		t.Errorf("%d programs, want 1", n)
	}
}

// A model keeps a bounded number of programs, those that were used last.
func TestProgramsAreBounded(t *testing.T) {
	m := fewSteps(t)
	for batch := 1; batch <= maxPrograms; batch++ {
		pictures := slices.Repeat([]imaging.Picture{low(2, 2)}, batch)
		if _, err := m.Sample(t.Context(), SampleOptions{Steps: 1}, pictures...); err != nil {
			t.Fatal(err)
		}
		if n := len(m.programs.list); n != min(2*batch, maxPrograms) {
			t.Fatalf("%d programs after %d sizes", n, batch)
		}
		if last := m.programs.list[len(m.programs.list)-1].key; last.batch != batch {
			t.Fatalf("the last program is for a batch of %d, want %d", last.batch, batch)
		}
	}
}

// paddedSide returns few sides, never less than is needed or more than a tile, and twice as much at most.
func TestPaddedSide(t *testing.T) {
	for _, factor := range factors {
		for _, network := range []networks.Config{{BaseChannels: 4}, {Name: networks.Tiny}, {Name: networks.PixelShuffle}} {
			c := Config{Factor: factor, Network: network}
			if network.Name == networks.PixelShuffle {
				c.Diffusion.Prediction = diffusion.Regression
			}
			m := newSmall(t, c)
			most, multiple := m.tileSize()/factor, m.Config.multiple()/factor
			sides := map[int]bool{}
			for n := 1; n <= most; n++ {
				side := m.paddedSide(n, most)
				sides[side] = true
				if side < n || side > max(2*n, 16) || side > most || side%multiple != 0 {
					t.Errorf("factor %d, %s: %d is padded to %d", factor, network.Name, n, side)
				}
			}
			if len(sides) > 13 || !sides[most] {
				t.Errorf("factor %d, %s: sides %v", factor, network.Name, sides)
			}
		}
	}
}

// A network without statistics gives in a padded picture what it gives in the picture alone.
func TestPaddingIsNotSeen(t *testing.T) {
	for _, factor := range factors {
		for name, c := range map[string]Config{"predictor": tinyPredictor(factor), "refiner": tinyRefiner(factor)} {
			m, err := NewModel(graphtest.Engine(t), c)
			if err != nil {
				t.Fatal(err)
			}
			scramble(t, m)
			for _, size := range [][2]int{{1, 1}, {3, 5}, {9, 15}, {17, 33}} {
				p, o := randomPicture(size[0], size[1]), SampleOptions{Seed: 3, Steps: 1}
				got, err := m.sampleAny(t.Context(), o, p)
				if err != nil {
					t.Fatal(err)
				}
				if d := farthest(got.Pix, m.unpadded(t, o, p).Pix); !(d <= 1e-5) {
					t.Errorf("%s, factor %d, %v: off by %g", name, factor, size, d)
				}
			}
		}
	}
}

// unpadded is one step of a local model on exactly the picture.
func (m *Model) unpadded(t *testing.T, o SampleOptions, p imaging.Picture) imaging.Picture {
	t.Helper()
	o, steps, err := m.prepare(o)
	if err != nil {
		t.Fatal(err)
	}
	tiled, err := m.newTiled(o, steps, p)
	if err != nil {
		t.Fatal(err)
	}
	if tiled.rows.Size == len(tiled.rows.Weights[0]) {
		t.Fatalf("%dx%d is not padded", p.Width, p.Height)
	}
	x, err := Tensor(tiled.x)
	if err != nil {
		t.Fatal(err)
	}
	lowTensor, err := Tensor(p)
	if err != nil {
		t.Fatal(err)
	}
	v := samplerVariant{weights: m.inUse(), clip: o.Clip, tiles: true, last: m.Config.refines()}
	exec, err := m.program(v, x)
	if err != nil {
		t.Fatal(err)
	}
	inputs := []any{x, lowTensor, float32(0), tiled.table[0], int32(0), int32(0)}
	if m.Config.refines() {
		ofMean, err := m.program(samplerVariant{weights: m.inUse(), mean: true}, x)
		if err != nil {
			t.Fatal(err)
		}
		mean, err := ofMean.Call(lowTensor, int32(0), int32(0))
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range mean {
			inputs = append(inputs, part)
		}
	}
	out, err := exec.Call(inputs...)
	if err != nil {
		t.Fatal(err)
	}
	pictures, err := Pictures(out[0])
	if err != nil {
		t.Fatal(err)
	}
	if len(out) == 1 {
		return pictures[0]
	}
	details, err := Pictures(out[1])
	if err != nil {
		t.Fatal(err)
	}
	return Refined{pictures[0], details[0]}.At(0)
}

// Pictures without pixels, with too many, or with other values than their size asks for are errors
// of one line.
func TestSampleRefusesPictures(t *testing.T) {
	local, err := NewModel(graphtest.Engine(t), tinyPredictor(4))
	if err != nil {
		t.Fatal(err)
	}
	for name, m := range map[string]*Model{"tutorial": fewSteps(t), "predictor": local} {
		for _, p := range []imaging.Picture{
			{}, imaging.New(40, 0), imaging.New(0, 40), {Width: 2, Height: 2}, {Width: 2, Height: 2, Pix: make([]float32, 13)},
			{Width: -1, Height: -1, Pix: make([]float32, 3)}, {Width: math.MaxInt, Height: math.MaxInt}, {Width: 1 << 32, Height: 1 << 32},
			{Width: 1 << 40, Height: 1},
		} {
			_, ofSample := m.Sample(t.Context(), SampleOptions{Steps: 1}, p)
			_, ofAny := m.sampleAny(t.Context(), SampleOptions{Steps: 1}, p)
			for _, err := range []error{ofSample, ofAny} {
				if err == nil || !strings.HasPrefix(err.Error(), "the picture is ") || strings.Contains(err.Error(), "\n") {
					t.Errorf("%s, %dx%d with %d values: %v", name, p.Width, p.Height, len(p.Pix), err)
				}
			}
		}
		for _, size := range []image.Rectangle{{}, image.Rect(0, 0, 40, 0), image.Rect(0, 0, 0, 40), image.Rect(0, 0, 1<<33, 1<<33)} {
			if _, err := m.Upscale(t.Context(), SampleOptions{Steps: 1}, &image.NRGBA{Rect: size}); err == nil {
				t.Errorf("%s: %v is not refused", name, size)
			}
		}
	}
}

// A prediction that is not finite is an error, however it is clipped, in one piece and in tiles.
func TestSampleRefusesWhatIsNotFinite(t *testing.T) {
	setTiles(t, 32, 8)
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		m := fewSteps(t)
		w := m.weights[len(m.weights)-1]
		w.Middle, w.Bound = bad, 0
		if err := m.variable(w, m.inUse()).SetValue(w.FirstValue(rand.New(rand.NewPCG(1, 2)))); err != nil {
			t.Fatal(err)
		}
		for _, clip := range []diffusion.Clipping{diffusion.ClipStatic, diffusion.ClipDynamic, diffusion.ClipNone} {
			for _, side := range []int{4, 12} {
				_, err := m.Upscale(t.Context(), SampleOptions{Steps: 2, Clip: clip}, low(side, side).Image())
				if err == nil || !strings.Contains(err.Error(), "not finite numbers") {
					t.Errorf("%g, clip %s, %d pixels: %v", bad, clip, side, err)
				}
			}
		}
	}
}

// An error of the engine is told in one line, without the functions that it passed through.
func TestSampleErrorsArePlain(t *testing.T) {
	setTiles(t, 32, 8)
	for _, side := range []int{4, 12} {
		m := fewSteps(t)
		m.graph = func(*Model, *nn.Scope, samplerVariant, []*Node) []*Node {
			panic(fmt.Errorf("the network wants\nother inputs"))
		}
		_, err := m.Upscale(t.Context(), SampleOptions{Steps: 1}, low(side, side).Image())
		if err == nil || !strings.HasSuffix(err.Error(), ": the network wants other inputs") || !strings.HasPrefix(err.Error(), "s") ||
			strings.Contains(err.Error(), "graph") {
			t.Errorf("%v", err)
		}
	}
}

// Beyond its border a picture goes on as in a mirror.
func TestPadMirrors(t *testing.T) {
	p := imaging.New(3, 1)
	for i := range p.Pix {
		p.Pix[i] = float32(i / 3)
	}
	padded := tiles.Part(p, -2, 0, 12, 2)
	for i, want := range []float32{1, 0, 0, 1, 2, 2, 1, 0, 0, 1, 2, 2} {
		if a, b := padded.Pix[3*i], padded.Pix[3*(12+i)]; a != want || b != want {
			t.Errorf("column %d is %g and %g, want %g", i, a, b, want)
		}
	}
}
