// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"cmp"
	"context"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/srdiff/srlab/srdiff/checkpoint"
	"github.com/srdiff/srlab/srdiff/imaging"
)

// The network, its blocks, attention and norms against PyTorch's: outputs, and gradients of inputs and of every weight. See
// testdata/residual.py.
func TestResidualUNetIsTorchs(t *testing.T) {
	file, err := checkpoint.Read(filepath.Join("testdata", "residual.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	c := Config{Network: NetworkTiny, Attention: 2, Transformers: 1}.WithDefaults()
	var added parameters
	added.block("", 16, 32, 24, true)
	var attention parameters
	attention.norm("norm", 64)
	attention.attention("", 64)
	for prefix, test := range map[string]struct {
		list parameters
		f    func(scope *model.Scope, x *Node, more []*Node) *Node
	}{
		"": {residualParameters(c), func(scope *model.Scope, x *Node, more []*Node) *Node {
			return ResidualUNet(scope, c, x, more[0])
		}},
		"added.": {added, func(scope *model.Scope, x *Node, more []*Node) *Node {
			return ResBlock(scope, Config{AddTime: true}, x, more[0], 32)
		}},
		"heads.": {attention, func(scope *model.Scope, x *Node, _ []*Node) *Node { return Attention(scope, x) }},
	} {
		t.Run(strings.TrimSuffix(prefix, "."), func(t *testing.T) {
			golden := func(name string) *tensors.Tensor {
				if file.Tensors[prefix+name] == nil {
					t.Fatalf("there is no golden %s%s", prefix, name)
				}
				return file.Tensors[prefix+name]
			}
			store := model.NewStore()
			for _, p := range test.list {
				w, err := p.fromTorch(golden("weight." + p.name))
				if err != nil {
					t.Fatal(err)
				}
				if _, err := store.CreateVariable(p.path(weights), w); err != nil {
					t.Fatal(err)
				}
			}
			exec, err := model.NewExec(openEngine(t), store, func(scope *model.Scope, in []*Node) []*Node {
				x, factor := in[0], in[1]
				y := test.f(network(scope), x, in[2:])
				if prefix == "heads." { // torch's module is without the residual
					y = Sub(y, x)
				}
				nodes := []*Node{x}
				for _, p := range test.list {
					nodes = append(nodes, store.GetVariable(p.path(weights)).NodeValue(x))
				}
				return append([]*Node{y}, Gradient(ReduceAllSum(Mul(y, factor)), nodes...)...)
			})
			if err != nil {
				t.Fatal(err)
			}
			inputs := []any{golden("x"), golden("factor")}
			switch prefix {
			case "":
				inputs = append(inputs, golden("t"))
			case "added.":
				inputs = append(inputs, golden("emb"))
			}
			out, err := exec.Call(inputs...)
			if err != nil {
				t.Fatal(err)
			}
			same(t, "output", out[0], golden("y"), 1e-4)
			same(t, "gradient of x", out[1], golden("grad.x"), 1e-4)
			for i, p := range test.list {
				grad, err := p.toTorch(out[i+2])
				if err != nil {
					t.Fatal(err)
				}
				same(t, "gradient of "+p.name, grad, golden("grad."+p.name), 1e-4)
			}
			n := 0
			for range store.IterVariables() {
				n++
			}
			if n != len(test.list) {
				t.Errorf("the graph made %d weights, and %d are listed", n, len(test.list))
			}
		})
	}
}

// What a network begins with, before it has learned anything, is the mean of x_0 given x_t and y where x_0 is normal around y; and
// what is left for it to say has the spread that it is scaled by.
func TestPrecondition(t *testing.T) {
	s := scheduleOf(t, Config{Kind: KindCosine})
	rng := rand.New(rand.NewPCG(1, 2))
	for _, timestep := range []int{0, 100, 500, 900, 999} {
		alphaBar := s.AlphaBars[timestep]
		signal, noise := math.Sqrt(alphaBar), math.Sqrt(1-alphaBar)
		for _, prediction := range []string{PredictsX0, PredictsV, PredictsEps, Regresses} {
			ofXt, ofY, ofF := precondition(prediction, alphaBar)
			// Of many draws: the error of the guess has the stated spread, and is correlated with neither x_t nor y, or a better guess
			// could be made of them.
			const n = 200_000
			var errors, withXt, withY, xts float64
			for range n {
				y, eps := rng.NormFloat64(), rng.NormFloat64()
				x0 := y + residualSpread*rng.NormFloat64()
				xt := signal*x0 + noise*eps
				want := map[string]float64{PredictsX0: x0, PredictsV: signal*eps - noise*x0, PredictsEps: eps, Regresses: x0}[prediction]
				e := (want - ofXt*xt - ofY*y) / ofF
				errors, withXt, withY, xts = errors+e*e/n, withXt+e*xt/n, withY+e*y/n, xts+xt*xt/n
			}
			const tolerance = 0.015 // five standard errors
			if math.Abs(errors-1) > tolerance || math.Abs(withY) > tolerance ||
				prediction != Regresses && math.Abs(withXt)/math.Sqrt(xts) > tolerance {
				t.Errorf("%s at timestep %d: what is left has variance %.3f, covariance %.3f with x_t and %.3f with y: want 1, 0 and 0",
					prediction, timestep, errors, withXt, withY)
			}
		}
	}
}

// A new network says nothing, so its loss is what the guess leaves, which is about 1 at every timestep where pictures differ from
// their conditions by residualSpread.
func TestFirstLoss(t *testing.T) {
	c := Config{Network: NetworkTiny, Prediction: PredictsV, Kind: KindCosine}
	m := newSmall(t, c)
	exec, err := m.NewExec(func(scope *model.Scope, in []*Node) []*Node {
		x0, y := Add(in[0], MulScalar(in[1], residualSpread)), in[0]
		return []*Node{Loss(scope, m.schedule, m.Config, x0, y, in[3], in[2])}
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
		if loss := float64(tensors.ToScalar[float32](out[0])); math.Abs(loss-1) > 0.05 {
			t.Errorf("loss at timestep %d is %.3f: want 1", timestep, loss)
		}
	}
}

// The table in the documentation of sizes.
func TestSizes(t *testing.T) {
	for network, want := range map[string]int{NetworkTiny: 193_363, NetworkSmall: 766_627, NetworkBase: 4_900_675} {
		if n := newSmall(t, Config{Network: network}).NumParameters(); n != want {
			t.Errorf("%s has %d parameters, want %d", network, n, want)
		}
	}
}

// Dropout is for training only: the noise error, which is measured twice, is the same; the loss of two equal steps is not.
func TestDropout(t *testing.T) {
	c := velocity
	c.Dropout = 0.5
	m := newSmall(t, c)
	trainSmall(t, m, 20, "") // the first weights say nothing
	build := func(training bool) float64 {
		exec, err := model.NewExec(m.backend, m.store, func(scope *model.Scope, in []*Node) []*Node {
			m.store.SetTraining(in[0].Graph(), training)
			return []*Node{Loss(network(scope), m.schedule, m.Config, in[0], in[1], in[2], in[3])}
		})
		if err != nil {
			t.Fatal(err)
		}
		x := func(seed float64) *tensors.Tensor { return pattern(seed, 0.8, 2, 8, 8, 3) }
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
		"all parts": {AddTime: true, Transformers: 1, Attention: 3}, "bfloat16": {Precision: BFloat16}, "regression": {Prediction: Regresses},
	} {
		full := velocity
		full.AddTime, full.Transformers, full.Precision = c.AddTime, c.Transformers, c.Precision
		full.Prediction, full.Attention = cmp.Or(c.Prediction, full.Prediction), cmp.Or(c.Attention, full.Attention)
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
	c.Prediction = Regresses
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
	if _, err := m.Sample(context.Background(), SampleOptions{Steps: 5}, low(2, 2)); err == nil || !strings.Contains(err.Error(), "which is 1 step") {
		t.Errorf("got %v, want that it is 1 step", err)
	}
}

// A picture that would take gigabytes of attention is refused in a line; networks without attention take it.
func TestAttentionIsBounded(t *testing.T) {
	for _, test := range []struct {
		c             Config
		width, height int
		want          string
	}{
		{Config{}, 1024, 1024, ""},
		{Config{Network: NetworkSmall}, 256, 256, ""},
		{Config{Network: NetworkSmall}, 256, 260, "at most 65536 pixels"},
		{Config{Network: NetworkSmall, Attention: 2}, 128, 132, "at most 16384 pixels"},
		{Config{Network: NetworkSmall, Attention: 3}, 64, 68, "at most 4096 pixels"},
		{Config{Network: NetworkSmall, Attention: -1}, 1024, 1024, ""},
		{Config{Network: NetworkSmall, Attention: -1, Transformers: 1}, 256, 260, "at most 65536 pixels"},
	} {
		err := test.c.WithDefaults().checkAttention(test.width, test.height)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%+v, %dx%d: got %v, want %q", test.c, test.width, test.height, err, test.want)
		}
	}
	if _, err := newSmall(t, Config{Network: NetworkTiny}).Sample(context.Background(), SampleOptions{}, low(100, 100)); err == nil ||
		!strings.Contains(err.Error(), "so cut the picture") {
		t.Errorf("got %v, want that the picture is too large", err)
	}
}
