// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"context"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/srdiff/srlab/srdiff/dataset"
	"github.com/srdiff/srlab/srdiff/diffusion"
	"github.com/srdiff/srlab/srdiff/imaging"
	"github.com/srdiff/srlab/srdiff/internal/graphtest"
	"github.com/srdiff/srlab/srdiff/networks"
	"github.com/srdiff/srlab/srdiff/nn"
)

// tinyPredictor and tinyRefiner are configurations for tests.
func tinyPredictor(factor int) Config {
	return Config{Factor: factor, Diffusion: diffusion.Config{Prediction: diffusion.Regression},
		Network:  networks.Config{Name: networks.PixelShuffle, BaseChannels: 8, Blocks: 1},
		Training: TrainingConfig{ImageSize: 24, BatchSize: 2, LearningRate: 1e-2, Seed: 3, Loss: diffusion.L1}}
}

func tinyRefiner(factor int) Config {
	c := tinyPredictor(factor)
	c.Diffusion = diffusion.Config{Prediction: diffusion.PredictV, Schedule: diffusion.Cosine}
	c.Predictor = c.Network
	c.Network = networks.Config{Name: networks.Residual, BaseChannels: 8, Blocks: 1}
	c.Training.Loss = diffusion.MSE
	return c
}

// randomPicture is a picture of random values.
func randomPicture(width, height int) imaging.Picture {
	rng := rand.New(rand.NewPCG(uint64(width), uint64(height)))
	p := imaging.New(width, height)
	for i := range p.Pix {
		p.Pix[i] = 2*rng.Float32() - 1
	}
	return p
}

// scramble gives a model weights of which none is zero, so that every layer counts.
func scramble(t *testing.T, m *Model) *Model {
	t.Helper()
	rng := rand.New(rand.NewPCG(5, 6))
	for _, w := range m.weights {
		w.Bound = 0.1
		if err := m.variable(w, weightsScope).SetValue(w.FirstValue(rng)); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// A predictor and a refiner give in tiles what they give in one piece, at every factor.
func TestLocalTiles(t *testing.T) {
	defer func(size int) { localTileSize = size }(localTileSize)
	for _, factor := range []int{2, 3, 4, 8} {
		for name, c := range map[string]Config{"predictor": tinyPredictor(factor), "refiner": tinyRefiner(factor)} {
			m, err := NewModel(graphtest.Engine(t), c)
			if err != nil {
				t.Fatal(err)
			}
			scramble(t, m)
			low := randomPicture(61, 47)
			var results []imaging.Picture
			for _, size := range []int{1 << 12, 1} { // in one piece, and in the smallest tiles there are
				localTileSize = size
				result, err := m.sampleTiles(t.Context(), SampleOptions{Seed: 1, BackProject: 1}, low)
				if err != nil {
					t.Fatal(err)
				}
				results = append(results, result)
			}
			if n := len(m.tilesOf(61*factor, m.tileSize(), 1).At); n < 2 {
				t.Fatalf("%s, factor %d: %d tiles: want several", name, factor, n)
			}
			for i, want := range results[0].Pix {
				if d := math.Abs(float64(results[1].Pix[i] - want)); !(d <= 1e-5) {
					t.Fatalf("%s, factor %d: value %d is %g in tiles, %g in one piece", name, factor, i, results[1].Pix[i], want)
				}
			}
		}
	}
}

// Fidelity mixes the sample with the predictor's result, linearly.
func TestFidelity(t *testing.T) {
	predictor, err := NewModel(graphtest.Engine(t), tinyPredictor(4))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "predictor.safetensors")
	if err := scramble(t, predictor).Save(path); err != nil {
		t.Fatal(err)
	}
	m, err := NewModel(graphtest.Engine(t), tinyRefiner(4))
	if err != nil {
		t.Fatal(err)
	}
	scramble(t, m)
	if taken, err := m.InitFrom(path); err != nil || taken != len(predictor.weights) {
		t.Fatalf("%d weights taken of %d: %v", taken, len(predictor.weights), err)
	}
	low := randomPicture(9, 7)
	at := func(m *Model, fidelity float64) imaging.Picture {
		out, err := m.Sample(t.Context(), SampleOptions{Seed: 2, Fidelity: fidelity, Clip: diffusion.ClipNone}, low)
		if err != nil {
			t.Fatal(err)
		}
		return out[0]
	}
	predicted, sampled, half, none := at(predictor, 0), at(m, 0), at(m, 0.5), at(m, 1)
	differ := 0.
	for i := range sampled.Pix {
		differ = max(differ, math.Abs(float64(sampled.Pix[i]-predicted.Pix[i])))
		middle := (sampled.Pix[i] + predicted.Pix[i]) / 2
		if d := math.Abs(float64(half.Pix[i] - middle)); !(d < 1e-5) {
			t.Fatalf("half way is %g, want %g", half.Pix[i], middle)
		}
		if d := math.Abs(float64(none.Pix[i] - predicted.Pix[i])); !(d < 1e-5) {
			t.Fatalf("fidelity 1 is %g, want the predictor's %g", none.Pix[i], predicted.Pix[i])
		}
	}
	if differ < 1e-3 {
		t.Fatalf("the sample differs from the predictor by %g at most", differ)
	}
}

// Training a refiner changes everything but its predictor, and lowers the loss.
func TestTrainRefiner(t *testing.T) {
	m, err := NewModel(graphtest.Engine(t), tinyRefiner(4))
	if err != nil {
		t.Fatal(err)
	}
	before := map[string][]float32{}
	for _, w := range m.weights {
		before[w.Name] = values(t, m, w)
	}
	src, err := dataset.Open(t.Context(), "generated", dataset.Options{Size: 24, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	var losses []float64
	if err := m.Train(t.Context(), src, 60, "", func(p Progress) { losses = append(losses, p.Loss) }); err != nil {
		t.Fatal(err)
	}
	for _, w := range m.weights {
		changed := false
		for i, v := range values(t, m, w) {
			changed = changed || v != before[w.Name][i]
		}
		if ofPredictor := len(w.Name) > 10 && w.Name[:10] == "predictor."; changed == ofPredictor {
			t.Errorf("weight %s changed: %v", w.Name, changed)
		}
	}
	if first, last := mean(losses[:10]), mean(losses[50:]); !(last < 0.95*first) {
		t.Errorf("the loss went from %g to %g", first, last)
	}
}

// values copies the values of a weight.
func values(t *testing.T, m *Model, w nn.Weight) []float32 {
	t.Helper()
	value, err := m.variable(w, weightsScope).Value()
	if err != nil {
		t.Fatal(err)
	}
	return tensors.MustCopyFlatData[float32](value)
}

// The shipped refiner takes pictures of any usual size within the default memory: its tiles become
// smaller, which does not change the result.
func TestLocalTilesFitMemory(t *testing.T) {
	m, err := Load(graphtest.Engine(t), "../notebooks/models/refiner-x4.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	for _, side := range []int{1024, 4096} {
		if _, _, need := m.layTiles(SampleOptions{}, side, side, false); need > DefaultMemory {
			t.Errorf("a result of %dx%[1]d needs %d bytes", side, need)
		}
	}

	small := scramble(t, newSmall(t, tinyRefiner(4)))
	p := randomPicture(70, 60)
	tilesOf := func(memory int64) int {
		rows, columns, _ := small.layTiles(SampleOptions{Memory: memory}, 4*p.Width, 4*p.Height, false)
		return len(rows.At) * len(columns.At)
	}
	little := int64(engineMemory + 8_000_000)
	if tilesOf(0) != 1 || tilesOf(little) < 2 {
		t.Fatalf("%d tiles, and %d with little memory: want 1 and more", tilesOf(0), tilesOf(little))
	}
	var results [2]imaging.Picture
	for i, memory := range []int64{0, little} {
		if results[i], err = small.sampleTiles(context.Background(), SampleOptions{Memory: memory}, p); err != nil {
			t.Fatal(err)
		}
	}
	for i, v := range results[0].Pix {
		if math.Abs(float64(v-results[1].Pix[i])) > 1e-5 {
			t.Fatalf("value %d is %g, and %g with little memory", i, v, results[1].Pix[i])
		}
	}
}

// The two parts of a refined picture give the result of every fidelity bit for bit, in strips that follow
// one another, also with back-projection and smaller tiles.
func TestRefined(t *testing.T) {
	m := scramble(t, newSmall(t, tinyRefiner(4)))
	low := randomPicture(70, 60)
	for _, o := range []SampleOptions{{Seed: 2}, {Seed: 2, Memory: engineMemory + 8_000_000}, {Seed: 2, BackProject: 1}} {
		var kept Refined
		strips := 0
		o.Refined = func(r Refined) {
			strips++
			kept.Mean.Pix, kept.Detail.Pix = append(kept.Mean.Pix, r.Mean.Pix...), append(kept.Detail.Pix, r.Detail.Pix...)
		}
		if _, err := m.sampleTiles(t.Context(), o, low); err != nil {
			t.Fatal(err)
		}
		if o.Memory > 0 && strips < 2 {
			t.Fatalf("%d strips: want several", strips)
		}
		o.Refined = nil
		kept.Mean.Width, kept.Mean.Height = 280, 240
		for _, o.Fidelity = range []float64{0, 1, 1 - 0.7} {
			want, err := m.sampleTiles(t.Context(), o, low)
			if err != nil {
				t.Fatal(err)
			}
			if got := kept.At(o.Fidelity); !slices.Equal(got.Pix, want.Pix) {
				t.Errorf("%+v: the mixed picture is not the sampled one", o)
			}
		}
		if slices.Max(kept.Detail.Pix) < 1e-3 {
			t.Errorf("the detail is at most %g", slices.Max(kept.Detail.Pix))
		}
	}
}

// The predictor runs once for each tile, or again at each step where its results are not kept. Neither the
// result nor the memory that is reserved for what is kept is different from what it should be.
func TestMeansAreKept(t *testing.T) {
	defer func(size int) { localTileSize = size }(localTileSize)
	localTileSize = 1
	m, err := NewModel(graphtest.Engine(t), tinyRefiner(2))
	if err != nil {
		t.Fatal(err)
	}
	scramble(t, m)
	low := imaging.FromImage(randomPicture(60, 75).Image())
	o, steps, err := m.prepare(SampleOptions{Seed: 1, Steps: 3})
	if err != nil {
		t.Fatal(err)
	}
	var results [][]float32
	for _, keeps := range []bool{true, false} {
		tiled, err := m.newTiled(o, steps, low)
		if err != nil {
			t.Fatal(err)
		}
		if !tiled.keeps {
			t.Fatal("the memory is enough, and the predictor's results are not kept")
		}
		tiled.keeps = keeps
		rows, columns := len(tiled.rows.At), len(tiled.columns.At)
		if rows < 4 || columns < 2 {
			t.Fatalf("%d x %d tiles, want more", columns, rows)
		}
		for k := range steps {
			if err := tiled.step(t.Context(), k); err != nil {
				t.Fatal(err)
			}
			want := 0
			if keeps && k < len(steps)-1 {
				want = rows * columns
			}
			if len(tiled.means) != want {
				t.Errorf("the results for %d tiles are kept after step %d, want %d", len(tiled.means), k, want)
			}
		}

		strips := m.newStripsOf(o, steps, low.Image(), tiled.rows, tiled.columns)
		strips.keeps = keeps
		most, pix := 0, []float32(nil)
		for range rows {
			strip, err := strips.next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			most, pix = max(most, len(strips.means)), append(pix, strip.Pix...)
		}
		// The last row of tiles under way is done when a strip is.
		if n := (rowsUnderWay(tiled.rows, len(steps), 150) - 1) * columns; keeps && (most > n || n >= rows*columns) || !keeps && most > 0 {
			t.Errorf("the results for up to %d tiles are kept, reserved is memory for %d", most, n+columns)
		}
		results = append(results, tiled.x.Pix, pix)
	}
	for i, result := range results[1:] {
		if !(farthest(result, results[0]) <= 1e-5) {
			t.Errorf("result %d is off by %g", i+1, farthest(result, results[0]))
		}
	}
}
