// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package nn

import (
	"math"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/srdiff/srlab/srdiff/internal/graphtest"
)

// SiLU and its gradient are those of the formula, also where exp overflows.
func TestSiLU(t *testing.T) {
	x := []float32{-200, -90, -20, -3, -1, -0.01, 0, 0.5, 2, 17, 90, 200}
	var y, dx []float64
	for _, v := range x {
		v := float64(v)
		s := 1 / (1 + math.Exp(-v))
		y, dx = append(y, v*s), append(dx, s*(1+v*(1-s)))
	}
	got := graphtest.Run(t, func(in []*Node) *Node { return SiLU(in[0]) }, x)
	graphtest.Near(t, "SiLU", graphtest.Float64s(got), y, 1e-5)
	got = graphtest.Run(t, func(in []*Node) *Node { return Gradient(ReduceAllSum(SiLU(in[0])), in[0])[0] }, x)
	graphtest.Near(t, "its gradient", graphtest.Float64s(got), dx, 1e-6)
}

// SiLU of the size that a refiner has for 128x128 low-resolution pixels, after a matrix product.
func BenchmarkSiLU(b *testing.B) {
	x, w := graphtest.Pattern(1, 1, 128*128, 96), graphtest.Pattern(2, 0.1, 96, 96)
	exec := MustNewExec(graphtest.Engine(b), func(x, w *Node) *Node { return ReduceAllSum(SiLU(Dot(x, w).Product())) })
	defer exec.Finalize()
	exec.MustCall(x, w)
	for b.Loop() {
		exec.MustCall(x, w)
	}
}
