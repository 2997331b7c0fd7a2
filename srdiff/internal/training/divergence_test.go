// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package training

import (
	"math"
	"testing"
)

func TestDivergenceRule(t *testing.T) {
	for _, test := range []struct {
		losses []float64
		want   int // steps that pass
	}{
		{[]float64{1, 0.5, 0.1, 3, 90, 0.001, 90}, 7},
		{[]float64{1e4, 200, 100, 50, 500}, 5}, // a bad start is no explosion
		{[]float64{1, 0.1, 0.1, 2000}, 3},
		{[]float64{1, math.NaN()}, 1},
		{[]float64{math.Inf(1)}, 0},
		{[]float64{1e6}, 0},
	} {
		var d Divergence
		passed := 0
		for passed < len(test.losses) && d.Check(test.losses[passed]) == "" {
			passed++
		}
		if passed != test.want {
			t.Errorf("%v: stopped after %d, want %d", test.losses, passed, test.want)
		}
	}
}
