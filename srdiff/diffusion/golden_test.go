// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package diffusion

import (
	"math"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/srdiff/srlab/srdiff/internal/graphtest"
)

func TestAlphaBarsAreTorchs(t *testing.T) {
	want := tensors.MustCopyFlatData[float64](graphtest.Golden(t, "../testdata/goldens.safetensors")["alpha_bars"])
	s, err := NewSchedule(Config{})
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range want {
		if !(math.Abs(s.AlphaBars[i]-w) <= 1e-12*w) {
			t.Fatalf("alpha_bar[%d] is %v, want %v", i, s.AlphaBars[i], w)
		}
	}
}

func TestForwardAndReverseStepAreTorchs(t *testing.T) {
	g := graphtest.Golden(t, "../testdata/goldens.safetensors")
	s, err := NewSchedule(Config{})
	if err != nil {
		t.Fatal(err)
	}
	graphtest.Same(t, "QSample", graphtest.Run(t, func(in []*Node) *Node { return s.QSample(in[0], in[1], in[2]) },
		g["x0"], g["t"], g["eps"]), g["xt"], 1e-5)
	for name, clip := range map[string]func(*Node) *Node{
		"reversed":         func(x0 *Node) *Node { return x0 },
		"reversed_clipped": ClipX0,
	} {
		got := graphtest.Run(t, func(in []*Node) *Node {
			xt, t, eps, z := in[0], in[1], in[2], in[3]
			return s.PSample(xt, t, clip(s.PredictX0(xt, t, eps)), z)
		}, g["xt"], g["t"], g["predicted"], g["z"])
		graphtest.Same(t, name, got, g[name], 1e-5)
	}
}
