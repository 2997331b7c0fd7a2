// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package goengine

import (
	"math"
	"testing"
)

// Each step is the same number for all values, with vector instructions and without.
func TestStepsEach(t *testing.T) {
	values := []float32{0, 1, -2.5, 3e38, -3e38, 1e-40, float32(math.Inf(1)), float32(math.NaN()), 0.1}
	for n := range 40 {
		x, operand := make([]float32, n), make([]float32, n)
		for i := range x {
			x[i], operand[i] = values[i%len(values)], values[(i*5+n)%len(values)]
		}
		for kind, want := range map[stepKind]func(x, operand float32) float32{
			add:      func(x, operand float32) float32 { return x + operand },
			subtract: func(x, operand float32) float32 { return x - operand },
			multiply: func(x, operand float32) float32 { return x * operand },
			divide:   func(x, operand float32) float32 { return x / operand },
			greater:  func(x, operand float32) float32 { return max(x, operand) },
			lesser:   func(x, operand float32) float32 { return min(x, operand) },
		} {
			y := append([]float32(nil), x...)
			kind.each(y, append(operand, 7)) // more operands than values
			for i, got := range y {
				if w := want(x[i], operand[i]); got != w && !(got != got && w != w) {
					t.Errorf("step %d of %v and %v is %v, want %v", kind, x[i], operand[i], got, w)
				}
			}
		}
	}
}
