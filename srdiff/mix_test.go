// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"math"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/srdiff/srlab/srdiff/diffusion"
	"github.com/srdiff/srlab/srdiff/internal/graphtest"
	"github.com/srdiff/srlab/srdiff/networks"
)

// Every weight of a mix is the weighted mean of the two models' weights.
func TestMix(t *testing.T) {
	model := func(channels int, seed int64) *Model {
		m, err := NewModel(graphtest.Engine(t), Config{Diffusion: diffusion.Config{Prediction: diffusion.Regression},
			Network: networks.Config{Name: networks.PixelShuffle, BaseChannels: channels, Blocks: 1}, Training: TrainingConfig{Seed: seed}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(m.Close)
		return m
	}
	values := func(m *Model) map[string][]float32 {
		weights, err := m.torchWeights()
		if err != nil {
			t.Fatal(err)
		}
		all := map[string][]float32{}
		for name, w := range weights {
			all[name] = tensors.MustCopyFlatData[float32](w)
		}
		return all
	}
	m, other := model(4, 1), model(4, 2)
	before, towards := values(m), values(other)
	if err := m.Mix(other, 0.25); err != nil {
		t.Fatal(err)
	}
	differing := 0
	for name, mixed := range values(m) {
		for i, got := range mixed {
			a, b := float64(before[name][i]), float64(towards[name][i])
			if a != b {
				differing++
			}
			if want := 0.75*a + 0.25*b; math.Abs(float64(got)-want) > 1e-6 {
				t.Fatalf("%s[%d] is %g: want %g", name, i, got, want)
			}
		}
	}
	if differing == 0 {
		t.Error("the two models are equal, so the test shows nothing")
	}
	after := values(m)
	for name, err := range map[string]error{"share": m.Mix(other, 1.5), "no number": m.Mix(other, math.NaN()), "network": m.Mix(model(5, 1), 0.5)} {
		if err == nil || !strings.Contains(err.Error(), "want") {
			t.Errorf("%s: %v, and no error that says what is wanted", name, err)
		}
	}
	for name, w := range values(m) {
		for i := range w {
			if w[i] != after[name][i] {
				t.Fatalf("%s was changed by a mix that failed", name)
			}
		}
	}
}
