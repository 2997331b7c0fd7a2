// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package goengine

import (
	"math"
	"testing"
)

// The activations are their formulas in float64, with vector instructions and without.
func TestActivations(t *testing.T) {
	var x []float32
	for v := -200.0; v < 200; v += 0.0937 {
		x = append(x, float32(v))
	}
	x = append(x, 0, float32(math.Inf(1)), -3e38, 3e38, 1e-30)
	sigmoid := func(v float64) float64 { return 1 / (1 + math.Exp(-v)) }
	for _, c := range []struct {
		name string
		f    func([]float32)
		want func(float64) float64
	}{
		{"siluOf", siluOf, func(v float64) float64 { return v * sigmoid(v) }},
		{"siluPlain", siluPlain, func(v float64) float64 { return v * sigmoid(v) }},
		{"logisticOf", logisticOf, sigmoid},
		{"logisticPlain", logisticPlain, sigmoid},
	} {
		y := append([]float32(nil), x...)
		c.f(y)
		for i, v := range x {
			want := c.want(float64(v))
			if diff := math.Abs(float64(y[i]) - want); !(diff <= 1e-6*math.Abs(want)+1e-30) && float64(y[i]) != want {
				t.Errorf("%s(%v) is %v, want %v", c.name, v, y[i], want)
			}
		}
		nan := []float32{1, float32(math.NaN()), 1}
		if c.f(nan); nan[1] == nan[1] || nan[0] != nan[2] {
			t.Errorf("%s of 1, NaN, 1 is %v", c.name, nan)
		}
	}
}
