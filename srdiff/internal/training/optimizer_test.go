// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package training

import (
	"fmt"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/srdiff/srlab/srdiff/internal/graphtest"
)

func TestClipNormIsTorchs(t *testing.T) {
	g := graphtest.Golden(t, "../../testdata/schedulers.safetensors")
	for _, limit := range []float64{0.5, 100} {
		exec, err := NewExec(graphtest.Engine(t), func(in []*Node) []*Node { return clipNorm(in, limit) })
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.Call(g["clip_norm.0"], g["clip_norm.1"], g["clip_norm.2"])
		if err != nil {
			t.Fatal(err)
		}
		for i, got := range out {
			graphtest.Same(t, fmt.Sprintf("limit %g, gradient %d", limit, i), got, g[fmt.Sprintf("clip_norm.%g.%d", limit, i)], 1e-6)
		}
	}
}

func TestLearningRate(t *testing.T) {
	rates := func(a Adam, updates ...float32) []float64 {
		return graphtest.Float64s(graphtest.Run(t, func(in []*Node) *Node { return a.rate(in[0]) }, updates))
	}
	graphtest.Near(t, "constant", rates(Adam{LearningRate: 1e-4, Accumulate: 1}, 0, 1, 1e6), []float64{1e-4, 1e-4, 1e-4}, 1e-10)
	graphtest.Near(t, "warm-up", rates(Adam{LearningRate: 0.1, WarmUp: 4, Accumulate: 1}, 0, 1, 2, 3, 4, 1000),
		[]float64{0.025, 0.05, 0.075, 0.1, 0.1, 0.1}, 1e-7)
	graphtest.Near(t, "decay", rates(Adam{LearningRate: 0.1, Decay: 300, Accumulate: 1}, 0, 100, 150, 200, 300, 1000),
		[]float64{0.1, 0.075, 0.05, 0.025, 0, 0}, 1e-7)
	graphtest.Near(t, "both", rates(Adam{LearningRate: 0.1, WarmUp: 2, Decay: 300, Accumulate: 1}, 0, 1, 2, 102, 152, 302),
		[]float64{0.05, 0.1, 0.1, 0.075, 0.05, 0}, 1e-7)
	// Warm-up and decay count steps, of which an update takes three.
	graphtest.Near(t, "accumulated", rates(Adam{LearningRate: 0.1, WarmUp: 6, Decay: 300, Accumulate: 3}, 0, 1, 2, 52, 102, 300),
		[]float64{0.05, 0.1, 0.1, 0.05, 0, 0}, 1e-7)
}
