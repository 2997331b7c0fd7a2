// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"cmp"
	"context"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/srdiff/srlab/srdiff/diffusion"
	"github.com/srdiff/srlab/srdiff/imaging"
	"github.com/srdiff/srlab/srdiff/internal/graphtest"
	"github.com/srdiff/srlab/srdiff/networks"
	"github.com/srdiff/srlab/srdiff/nn"
)

// A new network says nothing, so its loss is what the guess leaves, which is about 1 at every
// timestep where pictures differ from their conditions by residualSpread.
func TestFirstLoss(t *testing.T) {
	c := Config{Network: networks.Config{Name: networks.Tiny}, Diffusion: diffusion.Config{Prediction: diffusion.PredictV, Schedule: diffusion.Cosine}}
	m := newSmall(t, c)
	exec, err := m.NewExec(func(scope *nn.Scope, in []*Node) []*Node {
		x0, y := Add(in[0], MulScalar(in[1], m.Config.Network.ResidualSpread)), in[0]
		return []*Node{Loss(scope, m.Config, x0, y, in[3], in[2])}
	})
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(3, 4))
	normal := func() *tensors.Tensor {
		values := make([]float32, 8*32*32*3)
		for i := range values {
			values[i] = float32(rng.NormFloat64())
		}
		return tensors.FromFlatDataAndDimensions(values, 8, 32, 32, 3)
	}
	for _, timestep := range []int32{0, 500, 999} {
		batch := []int32{timestep, timestep, timestep, timestep, timestep, timestep, timestep, timestep}
		out, err := exec.Call(normal(), normal(), normal(), batch)
		if err != nil {
			t.Fatal(err)
		}
		if loss := float64(tensors.ToScalar[float32](out[0])); !(math.Abs(loss-1) <= 0.05) {
			t.Errorf("loss at timestep %d is %.3f: want 1", timestep, loss)
		}
	}
}

// The table in the documentation of sizes.
func TestSizes(t *testing.T) {
	for network, want := range map[networks.Name]int{networks.Tiny: 193_363, networks.Small: 766_627, networks.Base: 4_900_675} {
		if n := newSmall(t, Config{Network: networks.Config{Name: network}}).NumParameters(); n != want {
			t.Errorf("%s has %d parameters, want %d", network, n, want)
		}
	}
}

// Dropout is for training only: the noise error, which is measured twice, is the same; the loss of
// two equal steps is not.
func TestDropout(t *testing.T) {
	c := velocity
	c.Network.Dropout = 0.5
	m := newSmall(t, c)
	trainSmall(t, m, 20, "") // the first weights say nothing
	build := func(training bool) float64 {
		exec, err := model.NewExec(m.backend, m.store, func(scope *model.Scope, in []*Node) []*Node {
			m.store.SetTraining(in[0].Graph(), training)
			return []*Node{Loss(weightsAt(scope, weightsScope), m.Config, in[0], in[1], in[2], in[3])}
		})
		if err != nil {
			t.Fatal(err)
		}
		x := func(seed float64) *tensors.Tensor { return graphtest.Pattern(seed, 0.8, 2, 8, 8, 3) }
		out, err := exec.Call(x(1), x(2), []int32{30, 60}, x(3))
		if err != nil {
			t.Fatal(err)
		}
		return float64(tensors.ToScalar[float32](out[0]))
	}
	if a, b := build(false), build(false); a != b {
		t.Errorf("losses %v and %v outside of training: want them equal", a, b)
	}
	if a, b := build(true), build(true); a == b {
		t.Error("two losses in training are equal: want dropout to make them differ")
	}
}

// Every part of the network, switched off and on, learns.
func TestResidualUNetLearns(t *testing.T) {
	for name, c := range map[string]Config{
		"all parts": {Network: networks.Config{AddTime: true, Transformers: 1, Attention: 3}}, "bfloat16": {Training: TrainingConfig{Precision: nn.BFloat16}}, "regression": {Diffusion: diffusion.Config{Prediction: diffusion.Regression}},
	} {
		full := velocity
		full.Network.AddTime, full.Network.Transformers, full.Training.Precision = c.Network.AddTime, c.Network.Transformers, c.Training.Precision
		full.Diffusion.Prediction, full.Network.Attention = cmp.Or(c.Diffusion.Prediction, full.Diffusion.Prediction), cmp.Or(c.Network.Attention, full.Network.Attention)
		m := newSmall(t, full)
		var losses []float64
		trainSmall(t, m, 60, "", func(p Progress) { losses = append(losses, p.Loss) })
		if first, end := mean(losses[:10]), mean(losses[50:]); !(end < 0.9*first) {
			t.Errorf("%s: the loss went from %.3f to %.3f: want it to fall", name, first, end)
		}
	}
}

// A regression is one step, whatever the seed, and what it says is what its network says.
func TestRegression(t *testing.T) {
	c := velocity
	c.Diffusion.Prediction = diffusion.Regression
	m := newSmall(t, c)
	trainSmall(t, m, 20, "")
	var results []imaging.Picture
	for seed := range int64(2) {
		steps := 0
		p, err := m.Sample(context.Background(), SampleOptions{Seed: seed, Each: func(s SampleStep) { steps += s.Steps }}, low(2, 2))
		if err != nil {
			t.Fatal(err)
		}
		if steps != 1 {
			t.Errorf("%d steps, want 1", steps)
		}
		results = append(results, p[0])
	}
	if !equal(results[0], results[1]) {
		t.Error("another seed gave another picture")
	}
	if _, err := m.NoiseError(context.Background(), waves{8}, 1, 1); err == nil || !strings.Contains(err.Error(), "predicts no noise") {
		t.Errorf("got %v, want that it predicts no noise", err)
	}
	if _, err := m.Sample(context.Background(), SampleOptions{Steps: 5}, low(2, 2)); err == nil || !strings.Contains(err.Error(), "take exactly 1 step") {
		t.Errorf("got %v, want that it takes 1 step", err)
	}
}

// A picture that would take gigabytes of attention is refused in a line; networks without attention
// take it.
func TestAttentionIsBounded(t *testing.T) {
	for _, test := range []struct {
		c             Config
		width, height int
		want          string
	}{
		{Config{}, 1024, 1024, ""},
		{Config{Network: networks.Config{Name: networks.Small}}, 256, 256, ""},
		{Config{Network: networks.Config{Name: networks.Small}}, 256, 260, "at most 65536 pixels"},
		{Config{Network: networks.Config{Name: networks.Small, Attention: 2}}, 128, 132, "at most 16384 pixels"},
		{Config{Network: networks.Config{Name: networks.Small, Attention: 3}}, 64, 68, "at most 4096 pixels"},
		{Config{Network: networks.Config{Name: networks.Small, Attention: -1}}, 1024, 1024, ""},
		{Config{Network: networks.Config{Name: networks.Small, Attention: -1, Transformers: 1}}, 256, 260, "at most 65536 pixels"},
	} {
		err := newSmall(t, test.c).checkSize(test.width, test.height)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%+v, %dx%d: got %v, want %q", test.c, test.width, test.height, err, test.want)
		}
	}
	if _, err := newSmall(t, Config{Network: networks.Config{Name: networks.Tiny}}).Sample(context.Background(), SampleOptions{}, low(100, 100)); err == nil ||
		!strings.Contains(err.Error(), "so crop the picture") {
		t.Errorf("got %v, want that the picture is too large", err)
	}
}
