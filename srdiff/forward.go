// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// QSample draws x_t ~ q(x_t | x_0), the forward process in one jump (Ho et al. 2020, equation 4):
//
//	x_t = sqrt(alpha_bar_t) x_0 + sqrt(1 - alpha_bar_t) eps
//
// x0 and eps are [batch, height, width, 3], eps standard normal; t is an integer [batch] in 0..T-1, or a scalar for all.
func (s *Schedule) QSample(x0, t, eps *Node) *Node {
	return Add(Mul(s.signal(t), x0), Mul(s.noise(t), eps))
}

// lookUp returns f(t) for the timesteps t of a graph, shaped to multiply pictures: [batch, 1, 1, 1], or [1, 1, 1, 1] for a
// scalar t. The table of f is a constant of the graph, so it lives wherever the graph runs.
func (s *Schedule) lookUp(f func(t int) float64, t *Node) *Node {
	table := ConstAsDType(t.Graph(), dtypes.Float32, s.table(f)) // [T]
	n := t.Shape().Size()
	return Reshape(Gather(table, Reshape(t, n, 1)), n, 1, 1, 1)
}

// Normal draws standard normal numbers of the given shape, and returns the random state that follows.
//
// GoMLX's normals are infinite when a uniform draw under them is exactly 0 (on an engine that flushes denormal numbers),
// once in some 10^9 numbers, and one infinity ruins a training run. They are clipped to 6 standard deviations, beyond
// which lie two in 10^9.
func Normal(rngState *Node, shape shapes.Shape) (newRNGState, z *Node) {
	newRNGState, z = RandomNormal(rngState, shape)
	return newRNGState, clipNormal(z)
}

func clipNormal(z *Node) *Node { return ClipScalar(z, -6, 6) }

func sqrt(x float64) float64 { return math.Sqrt(x) }
