// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"cmp"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"
	"github.com/srdiff/srlab/srdiff/checkpoint"
	"github.com/srdiff/srlab/srdiff/engine"
)

// The golden files hold what the tutorial's program, corrected, computes in PyTorch: see testdata/goldens.py.

// openEngine opens the engine under test, once: SRDIFF_ENGINE, or the one that is always there.
func openEngine(tb testing.TB) compute.Backend {
	tb.Helper()
	e, err := testEngine()
	if err != nil {
		tb.Fatal(err)
	}
	return e.Backend
}

var testEngine = sync.OnceValues(func() (*engine.Engine, error) {
	return engine.Open(cmp.Or(os.Getenv("SRDIFF_ENGINE"), "go"))
})

func goldens(t *testing.T) map[string]*tensors.Tensor {
	t.Helper()
	file, err := checkpoint.Read(filepath.Join("testdata", "goldens.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	return file.Tensors
}

func tutorialModel(t *testing.T) *Model {
	t.Helper()
	m, err := Load(openEngine(t), filepath.Join("testdata", "tutorial.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// same checks that two tensors differ by at most tolerance times the largest value of want.
func same(t *testing.T, name string, got, want *tensors.Tensor, tolerance float64) {
	t.Helper()
	if !got.Shape().Equal(want.Shape()) {
		t.Errorf("%s is %s, want %s", name, got.Shape(), want.Shape())
		return
	}
	g, w := tensors.MustCopyFlatData[float32](got), tensors.MustCopyFlatData[float32](want)
	largest, worst := 0.0, 0.0
	for i := range w {
		largest = math.Max(largest, math.Abs(float64(w[i])))
		// Written so that NaN counts as the worst.
		if d := math.Abs(float64(g[i] - w[i])); !(d <= worst) {
			worst = d
		}
	}
	if !(worst <= tolerance*largest) {
		t.Errorf("%s: off by %.3g of %.3g, want at most %g of it", name, worst, largest, tolerance)
	}
	t.Logf("%s: relative error %.1e", name, worst/largest)
}

// run evaluates a graph function without weights.
func run(t *testing.T, f func(inputs []*Node) *Node, inputs ...any) *tensors.Tensor {
	t.Helper()
	exec, err := NewExec(openEngine(t), f)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Call(inputs...)
	if err != nil {
		t.Fatal(err)
	}
	return out[0]
}

func TestAlphaBarsAreTorchs(t *testing.T) {
	want := tensors.MustCopyFlatData[float64](goldens(t)["alpha_bars"])
	s, err := Config{}.Schedule()
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range want {
		if math.Abs(s.AlphaBars[i]-w) > 1e-12*w {
			t.Fatalf("alpha_bar[%d] is %v, want %v", i, s.AlphaBars[i], w)
		}
	}
}

func TestConditionIsTorchs(t *testing.T) {
	g := goldens(t)
	same(t, "Downscale", run(t, func(in []*Node) *Node { return Downscale(in[0]) }, g["x0"]), g["down"], 1e-5)
	same(t, "Condition", run(t, func(in []*Node) *Node { return Condition(in[0]) }, g["x0"]), g["y"], 1e-5)
	for _, size := range []string{"1x1", "2x3", "5x4"} {
		up := run(t, func(in []*Node) *Node { return Upscale(in[0]) }, g["low_"+size])
		same(t, "Upscale "+size, up, g["up_"+size], 1e-5)
	}
}

func TestForwardAndReverseStepAreTorchs(t *testing.T) {
	g := goldens(t)
	s, err := Config{}.Schedule()
	if err != nil {
		t.Fatal(err)
	}
	same(t, "QSample", run(t, func(in []*Node) *Node { return s.QSample(in[0], in[1], in[2]) },
		g["x0"], g["t"], g["eps"]), g["xt"], 1e-5)
	for name, clip := range map[string]func(*Node) *Node{
		"reversed":         func(x0 *Node) *Node { return x0 },
		"reversed_clipped": ClipX0,
	} {
		got := run(t, func(in []*Node) *Node {
			xt, t, eps, z := in[0], in[1], in[2], in[3]
			return s.PSample(xt, t, clip(s.PredictX0(xt, t, eps)), z)
		}, g["xt"], g["t"], g["predicted"], g["z"])
		same(t, name, got, g[name], 1e-5)
	}
}

func TestNetworkIsTorchs(t *testing.T) {
	g, m := goldens(t), tutorialModel(t)
	exec, err := model.NewExec(m.backend, m.store, func(scope *model.Scope, in []*Node) *Node {
		return Predict(network(scope), m.Config, in[0], in[1], in[2])
	})
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Call(g["xt"], g["y"], g["t"])
	if err != nil {
		t.Fatal(err)
	}
	same(t, "Predict", out[0], g["predicted"], 1e-4)
}

func TestGradientsAreTorchs(t *testing.T) {
	g, m := goldens(t), tutorialModel(t)
	parameters := parametersOf(m.Config)
	exec, err := model.NewExec(m.backend, m.store, func(scope *model.Scope, in []*Node) []*Node {
		loss := Loss(network(scope), m.schedule, m.Config, in[0], in[1], in[2], in[3])
		nodes := make([]*Node, len(parameters))
		for i, p := range parameters {
			nodes[i] = m.store.GetVariable(p.path(weights)).NodeValue(loss)
		}
		return append(Gradient(loss, nodes...), Reshape(loss, 1))
	})
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Call(g["x0"], g["y"], g["t"], g["eps"])
	if err != nil {
		t.Fatal(err)
	}
	same(t, "loss", out[len(parameters)], g["loss"], 1e-5)
	for i, p := range parameters {
		grad, err := p.toTorch(out[i])
		if err != nil {
			t.Fatal(err)
		}
		same(t, "gradient of "+p.name, grad, g["grad."+p.name], 1e-3)
	}
}

// Five steps of Train's optimizer with the timesteps and noise given, from the same weights as PyTorch's.
func TestAdamIsTorchs(t *testing.T) {
	g, m := goldens(t), tutorialModel(t)
	m.Config.LearningRate = 1e-3 // of goldens.py
	if err := m.startAverages(); err != nil {
		t.Fatal(err)
	}
	trainer := train.NewTrainer(m.backend, m.store,
		func(scope *model.Scope, _ any, in []*Node) []*Node {
			return []*Node{Loss(network(scope), m.schedule, m.Config, in[0], in[1], in[2], in[3])}
		},
		func(_, predictions []*Node) *Node { return predictions[0] }, newAdam(m.Config), nil, nil)
	clone := func(name string) *tensors.Tensor { // the trainer takes its inputs away
		c, err := g[name].LocalClone()
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	for step := range 5 {
		metrics, err := trainer.TrainStep(train.Batch{Inputs: []*tensors.Tensor{
			clone("x0"), clone("y"), clone(fmt.Sprintf("adam.%d.t", step)), clone(fmt.Sprintf("adam.%d.eps", step))}})
		if err != nil {
			t.Fatal(err)
		}
		loss := tensors.FromValue([]float32{tensors.ToScalar[float32](metrics[0])})
		same(t, fmt.Sprintf("loss of step %d", step), loss, g[fmt.Sprintf("adam.%d.loss", step)], 1e-4)
	}
	for _, p := range parametersOf(m.Config) {
		weight, err := p.toTorch(m.store.GetVariable(p.path(weights)).MustValue())
		if err != nil {
			t.Fatal(err)
		}
		same(t, "trained "+p.name, weight, g["trained."+p.name], 1e-3)
	}
}
