// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"fmt"
	"path/filepath"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"
	"github.com/srdiff/srlab/srdiff/internal/graphtest"
)

// The golden files hold what the tutorial's program, corrected, computes in PyTorch: see
// testdata/goldens.py.

func tutorialModel(t *testing.T) *Model {
	t.Helper()
	m, err := Load(graphtest.Engine(t), filepath.Join("testdata", "tutorial.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestNetworkIsTorchs(t *testing.T) {
	g, m := graphtest.Golden(t, "testdata/goldens.safetensors"), tutorialModel(t)
	exec, err := model.NewExec(m.backend, m.store, func(scope *model.Scope, in []*Node) *Node {
		return Predict(weightsAt(scope, weightsScope), m.Config, in[0], in[1], in[2])
	})
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Call(g["xt"], g["y"], g["t"])
	if err != nil {
		t.Fatal(err)
	}
	graphtest.Same(t, "Predict", out[0], g["predicted"], 1e-4)
}

func TestGradientsAreTorchs(t *testing.T) {
	g, m := graphtest.Golden(t, "testdata/goldens.safetensors"), tutorialModel(t)
	parameters := m.weights
	exec, err := model.NewExec(m.backend, m.store, func(scope *model.Scope, in []*Node) []*Node {
		loss := Loss(weightsAt(scope, weightsScope), m.Config, in[0], in[1], in[2], in[3])
		nodes := make([]*Node, len(parameters))
		for i, p := range parameters {
			nodes[i] = m.variable(p, weightsScope).NodeValue(loss)
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
	graphtest.Same(t, "loss", out[len(parameters)], g["loss"], 1e-5)
	for i, p := range parameters {
		grad, err := p.ToTorch(out[i])
		if err != nil {
			t.Fatal(err)
		}
		graphtest.Same(t, "gradient of "+p.Name, grad, g["grad."+p.Name], 1e-3)
	}
}

// Five steps of Train's optimizer with the timesteps and noise given, from the same weights as
// PyTorch's.
func TestAdamIsTorchs(t *testing.T) {
	g, m := graphtest.Golden(t, "testdata/goldens.safetensors"), tutorialModel(t)
	m.Config.Training.LearningRate = 1e-3 // of goldens.py
	if err := m.startAverages(); err != nil {
		t.Fatal(err)
	}
	trainer := train.NewTrainer(m.backend, m.store,
		func(scope *model.Scope, _ any, in []*Node) []*Node {
			return []*Node{Loss(weightsAt(scope, weightsScope), m.Config, in[0], in[1], in[2], in[3])}
		},
		func(_, predictions []*Node) *Node { return predictions[0] }, m.adam().New(), nil, nil)
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
		graphtest.Same(t, fmt.Sprintf("loss of step %d", step), loss, g[fmt.Sprintf("adam.%d.loss", step)], 1e-4)
	}
	for _, p := range m.weights {
		weight, err := p.ToTorch(m.variable(p, weightsScope).MustValue())
		if err != nil {
			t.Fatal(err)
		}
		graphtest.Same(t, "trained "+p.Name, weight, g["trained."+p.Name], 1e-3)
	}
}
