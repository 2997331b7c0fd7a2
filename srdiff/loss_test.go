// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"fmt"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/srdiff/srlab/srdiff/diffusion"
	"github.com/srdiff/srlab/srdiff/internal/graphtest"
)

// Losses of the network in testdata, of every kind, with and without min-SNR weights.
func TestLossesAreTorchs(t *testing.T) {
	g, m := graphtest.Golden(t, "testdata/schedulers.safetensors"), tutorialModel(t)
	var configs []Config
	var names []string
	for _, name := range []diffusion.LossKind{diffusion.MSE, diffusion.L1, diffusion.Huber} {
		for _, prediction := range []diffusion.Prediction{diffusion.PredictEps, diffusion.PredictX0, diffusion.PredictV} {
			c := m.Config
			c.Training.Loss, c.Diffusion.Prediction = name, prediction
			configs, names = append(configs, c), append(names, fmt.Sprintf("loss.%s.%s", name, prediction))
			c.Training.MinSNRGamma = 5
			configs, names = append(configs, c), append(names, fmt.Sprintf("loss.%s.%s.min_snr", name, prediction))
		}
	}
	exec, err := model.NewExec(m.backend, m.store, func(scope *model.Scope, in []*Node) []*Node {
		var losses []*Node
		for _, c := range configs {
			losses = append(losses, Reshape(Loss(weightsAt(scope, weightsScope), c, in[0], in[1], in[2], in[3]), 1))
		}
		return losses
	})
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Call(g["loss.x0"], g["loss.y"], g["loss.t"], g["loss.eps"])
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range names {
		graphtest.Same(t, name, out[i], g[name], 1e-4) // float32 alpha_bars under the SNR
	}
}
