// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/srdiff/srlab/srdiff/dataset"
	"github.com/srdiff/srlab/srdiff/diffusion"
	"github.com/srdiff/srlab/srdiff/imaging"
	"github.com/srdiff/srlab/srdiff/internal/checkpoint"
	"github.com/srdiff/srlab/srdiff/internal/graphtest"
)

// valuesOf are the weights or their averages of a model, one after the other.
func valuesOf(t *testing.T, m *Model, scope string) []float64 {
	t.Helper()
	var values []float64
	for _, p := range m.weights {
		values = append(values, graphtest.Float64s(m.variable(p, scope).MustValue())...)
	}
	return values
}

// Training with everything that the optimizer has, against Adam written down here in float64:
// gradients are the mean of three steps', clipped, and the learning rate warms up and decays.
// Half-way training is stopped, within an update, and resumed.
func TestTrainByHand(t *testing.T) {
	c := small
	c.Training.Accumulate, c.Training.ClipNorm, c.Training.WarmUp, c.Training.Decay, c.Training.EMA = 3, 0.2, 6, 30, 0.25
	const updates = 4
	byHand := newSmall(t, c)
	c = byHand.Config
	if err := byHand.store.SetRNGStateFromSeed(c.Training.Seed); err != nil {
		t.Fatal(err)
	}
	rng := byHand.store.GetVariable(model.RNGStateVariableName).MustValue()
	parameters := byHand.weights
	gradients, err := model.NewExec(byHand.backend, byHand.store, func(scope *model.Scope, in []*Node) []*Node {
		drawn, at, eps, newRNG := byHand.draw(in[:1], in[1], 0)
		loss := Loss(weightsAt(scope, weightsScope), c, in[0], drawn.Low, at, eps)
		var nodes []*Node
		for _, p := range parameters {
			nodes = append(nodes, byHand.variable(p, weightsScope).NodeValue(loss))
		}
		return append(Gradient(loss, nodes...), newRNG, loss)
	})
	if err != nil {
		t.Fatal(err)
	}
	w := valuesOf(t, byHand, weightsScope)
	average := append([]float64(nil), w...)
	first, second := make([]float64, len(w)), make([]float64, len(w))
	var losses []float64
	clipped := 0
	for n := range updates {
		gradient := make([]float64, len(w))
		for k := range c.Training.Accumulate {
			x0, err := dataset.Batch(waves{8}, c.Training.BatchSize, int64(n*c.Training.Accumulate+k))
			if err != nil {
				t.Fatal(err)
			}
			out, err := gradients.Call(x0, rng)
			if err != nil {
				t.Fatal(err)
			}
			i := 0
			for _, g := range out[:len(parameters)] {
				for _, v := range graphtest.Float64s(g) {
					gradient[i] += v / float64(c.Training.Accumulate)
					i++
				}
			}
			rng = out[len(parameters)]
			losses = append(losses, float64(tensors.ToScalar[float32](out[len(parameters)+1])))
		}
		norm := 0.0
		for _, g := range gradient {
			norm += g * g
		}
		if norm = math.Sqrt(norm); norm > c.Training.ClipNorm {
			clipped++
		}
		steps := float64(n * c.Training.Accumulate)
		rate := c.Training.LearningRate * min(1, (steps+3)/6) * (1 + math.Cos(math.Pi*max(0, steps-6)/30)) / 2
		d := min(c.Training.EMA, float64(n+1)/float64(n+10))
		for i, g := range gradient {
			g *= min(1, c.Training.ClipNorm/norm)
			first[i], second[i] = 0.9*first[i]+0.1*g, 0.999*second[i]+0.001*g*g
			m, v := first[i]/(1-math.Pow(0.9, float64(n+1))), second[i]/(1-math.Pow(0.999, float64(n+1)))
			w[i] -= rate * m / (math.Sqrt(v) + 1e-8)
			average[i] = d*average[i] + (1-d)*w[i]
		}
		i := 0
		for _, p := range parameters {
			v := byHand.variable(p, weightsScope)
			flat := make([]float32, v.Shape().Size())
			for k := range flat {
				flat[k] = float32(w[i])
				i++
			}
			if err := v.SetValue(tensors.FromFlatDataAndDimensions(flat, p.Dims...)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if clipped == 0 {
		t.Error("no gradient was clipped: the test has nothing to say about it")
	}
	var got []float64
	dir := t.TempDir()
	ctx, stop := context.WithCancel(context.Background())
	err = newSmall(t, c).Train(ctx, waves{8}, 12, dir, func(p Progress) {
		if got = append(got, p.Loss); p.Step == 4 {
			stop()
		}
	})
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "stopped at step 3 of 12") {
		t.Errorf("got %v, want it stopped at the last update, at step 3", err)
	}
	got = got[:3] // the rest was half an update, and is done again
	m, err := Resume(graphtest.Engine(t), dir)
	if err != nil {
		t.Fatal(err)
	}
	trainSmall(t, m, 12, "", func(p Progress) { got = append(got, p.Loss) })
	graphtest.Near(t, "losses", got, losses, 1e-4)
	// Each update moves a weight by up to the learning rate, 5e-3. Where a gradient is as small as
	// its rounding, Adam's quotient is too large by as much.
	graphtest.Near(t, "weights", valuesOf(t, m, weightsScope), w, 1e-5)
	graphtest.Near(t, "averages", valuesOf(t, m, averagesScope), average, 1e-5)
}

// After n updates the averages are what the recurrence makes of the raw weights of every step.
func TestAveragedWeights(t *testing.T) {
	const steps = 12
	dir := t.TempDir()
	c := small
	c.Training.EMA = 0.5 // reached after 8 updates
	m := newSmall(t, c)
	want := valuesOf(t, m, weightsScope)
	first := append([]float64(nil), want...)
	n, share := 0.0, 1.0
	trainSmall(t, m, steps, dir, func(Progress) {
		d := min(0.5, (1+n)/(10+n))
		n++
		share *= d
		for i, w := range valuesOf(t, m, weightsScope) {
			want[i] = d*want[i] + (1-d)*w
		}
		if bound := 362880 / math.Pow(n, 9); share >= bound { // 9! / n^9
			t.Errorf("after %g updates the first weights' share is %g, want below %g", n, share, bound)
		}
	})
	if n != steps {
		t.Fatalf("%g steps", n)
	}
	got, raw := valuesOf(t, m, averagesScope), valuesOf(t, m, weightsScope)
	graphtest.Near(t, "averages", got, want, 1e-6)
	if largestDifference(got, raw) < 1e-4 || largestDifference(got, first) < 1e-4 {
		t.Error("the averages are the weights themselves")
	}

	// The model file holds the averages, the training file both.
	loaded, err := Load(graphtest.Engine(t), filepath.Join(dir, ModelFile))
	if err != nil {
		t.Fatal(err)
	}
	graphtest.Near(t, "model file", valuesOf(t, loaded, weightsScope), got, 0)
	resumed, err := Resume(graphtest.Engine(t), dir)
	if err != nil {
		t.Fatal(err)
	}
	graphtest.Near(t, "training file's averages", valuesOf(t, resumed, averagesScope), got, 0)
	graphtest.Near(t, "training file's weights", valuesOf(t, resumed, weightsScope), raw, 0)

	// What is sampled and saved is the averages, and of WithRawWeights the weights.
	path := filepath.Join(t.TempDir(), "raw.safetensors")
	if err := m.WithRawWeights().Save(path); err != nil {
		t.Fatal(err)
	}
	rawModel, err := Load(graphtest.Engine(t), path)
	if err != nil {
		t.Fatal(err)
	}
	graphtest.Near(t, "raw model file", valuesOf(t, rawModel, weightsScope), raw, 0)
	o := SampleOptions{Sampler: diffusion.DDIM, Steps: 5}
	use := func(m *Model) imaging.Picture {
		out, err := m.Sample(context.Background(), o, low(2, 2))
		if err != nil {
			t.Fatal(err)
		}
		return out[0]
	}
	if equal(use(m), use(m.WithRawWeights())) {
		t.Error("WithRawWeights samples with the averages")
	}
}

func largestDifference(a, b []float64) float64 {
	largest := 0.0
	for i := range a {
		largest = math.Max(largest, math.Abs(a[i]-b[i]))
	}
	return largest
}

func TestTrainRefusesHalfAnUpdate(t *testing.T) {
	c := small
	c.Training.Accumulate = 3
	err := newSmall(t, c).Train(context.Background(), waves{8}, 14, "")
	if err == nil || !strings.Contains(err.Error(), "want multiples") || strings.Contains(err.Error(), "\n") {
		t.Errorf("14 steps of which 3 make an update: %v", err)
	}
}

// A learning rate that is changed on the way is used, also where the run was saved with another
// one; and without an average, none is saved.
func TestResumeWithAnotherLearningRate(t *testing.T) {
	dir := t.TempDir()
	c := small
	c.Training.EMA = -1
	first := newSmall(t, c)
	before := valuesOf(t, first, weightsScope)
	trainSmall(t, first, 1, dir)
	file, err := checkpoint.Read(filepath.Join(dir, TrainingFile))
	if err != nil {
		t.Fatal(err)
	}
	for name := range file.Tensors {
		if strings.HasPrefix(name, "/"+averagesScope) {
			t.Errorf("the training file has %s", name)
		}
	}
	loaded, err := Load(graphtest.Engine(t), filepath.Join(dir, ModelFile))
	if err != nil {
		t.Fatal(err)
	}
	graphtest.Near(t, "model file", valuesOf(t, loaded, weightsScope), valuesOf(t, first, weightsScope), 0)
	m, err := Resume(graphtest.Engine(t), dir)
	if err != nil {
		t.Fatal(err)
	}
	if m.Config.Training.LearningRate != c.Training.LearningRate {
		t.Errorf("resumed with the learning rate %g, want %g", m.Config.Training.LearningRate, c.Training.LearningRate)
	}
	middle := valuesOf(t, m, weightsScope)
	m.Config.Training.LearningRate /= 10
	trainSmall(t, m, 2, "")
	// Adam's first steps move the weight that moves most by about the learning rate.
	moved := largestDifference(middle, before) / c.Training.LearningRate
	after := largestDifference(valuesOf(t, m, weightsScope), middle) / c.Training.LearningRate
	if !(math.Abs(moved-1) <= 0.1) || !(math.Abs(after-0.1) <= 0.05) {
		t.Errorf("weights moved by %.3f of the first learning rate, then by %.3f, want 1 and 0.1", moved, after)
	}
}
