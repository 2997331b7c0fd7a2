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

// Normal draws standard normal numbers of the given shape, and returns the random state that follows. Each pair of numbers
// is made of a pair u1, u2 that is uniform in [0, 1) (Box and Muller 1958):
//
//	z = sqrt(-2 log u1) cos(2 pi u2)   and   z' = sqrt(-2 log u1) sin(2 pi u2)
//
// A u1 of 0, which would make z infinite and ruin a training run, becomes 2^-33, half of the least that is drawn above it; so
// no number is beyond 6.8. GoMLX's normals have no such bound on an engine that flushes denormal numbers. They are the cosines
// alone, from twice as many draws, and draws are what takes the time; besides, XLA on the processor asks the C library for each
// cosine.
func Normal(rngState *Node, shape shapes.Shape) (newRNGState, z *Node) {
	n := shape.Size()
	half := shapes.Make(shape.DType, (n+1)/2)
	newRNGState, u1 := RandomUniform(rngState, half)
	newRNGState, u2 := RandomUniform(newRNGState, half)
	return newRNGState, Reshape(Slice(boxMuller(u1, u2), AxisRange(0, n)), shape.Dimensions...)
}

// boxMuller makes normal numbers, [2n], of u1 and u2, [n].
func boxMuller(u1, u2 *Node) *Node {
	radius := Sqrt(MulScalar(Log(MaxScalar(u1, 0x1p-33)), -2))
	x := AddScalar(u2, -0.5) // half a turn less, which is as good, and in reach of sinPi; the next line is of half the angle
	sin, cos := sinPi(x), sinPi(AddScalar(Neg(Abs(x)), 0.5))
	return Concatenate([]*Node{
		Mul(radius, OneMinus(MulScalar(Square(sin), 2))),
		Mul(radius, MulScalar(Mul(sin, cos), 2)),
	}, 0)
}

// sinPi is sin(pi x) for |x| <= 1/2, a polynomial by least squares, right to 2 parts in 10^7.
func sinPi(x *Node) *Node {
	xx, y := Square(x), Scalar(x.Graph(), x.DType(), 0.07765549)
	for _, c := range []float64{-0.5982945, 2.550079, -5.1677103, 3.1415927} {
		y = AddScalar(Mul(y, xx), c)
	}
	return Mul(y, x)
}

func sqrt(x float64) float64 { return math.Sqrt(x) }
