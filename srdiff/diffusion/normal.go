// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package diffusion

import (
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// Normal draws standard normal numbers of the given shape, and returns the next random state. Each
// pair of numbers follows from two uniform numbers u1, u2 in [0, 1) (Box and Muller 1958):
//
//	z = sqrt(-2 log u1) cos(2 pi u2)   and   z' = sqrt(-2 log u1) sin(2 pi u2)
//
// A u1 of 0, which would make z infinite and ruin a training run, becomes 2^-33, half of the
// smallest u1 above it, so that no number is beyond 6.8. GoMLX's normals have no such bound on an
// engine that flushes denormal numbers. They are also slower: GoMLX keeps only the cosine half, so
// it needs twice as many uniform draws, which dominate the cost, and XLA on a CPU calls the C
// library for every cosine.
func Normal(rngState *Node, shape shapes.Shape) (newRNGState, z *Node) {
	n := shape.Size()
	half := shapes.Make(shape.DType, (n+1)/2)
	newRNGState, u1 := RandomUniform(rngState, half)
	newRNGState, u2 := RandomUniform(newRNGState, half)
	return newRNGState, Reshape(Slice(boxMuller(u1, u2), AxisRange(0, n)), shape.Dimensions...)
}

// boxMuller makes normal numbers, [2n], of uniform ones u1 and u2, [n].
func boxMuller(u1, u2 *Node) *Node {
	radius := Sqrt(MulScalar(Log(MaxScalar(u1, 0x1p-33)), -2))
	x := AddScalar(u2, -0.5) // half a turn less, within reach of sinPi; below are the sine and cosine of half the angle
	sin, cos := sinPi(x), sinPi(AddScalar(Neg(Abs(x)), 0.5))
	return Concatenate([]*Node{
		Mul(radius, OneMinus(MulScalar(Square(sin), 2))),
		Mul(radius, MulScalar(Mul(sin, cos), 2)),
	}, 0)
}

// sinPi is sin(pi x) for |x| <= 1/2: a polynomial fitted by least squares, to 2 parts in 10^7.
func sinPi(x *Node) *Node {
	xx, y := Square(x), Scalar(x.Graph(), x.DType(), 0.07765549)
	for _, c := range []float64{-0.5982945, 2.550079, -5.1677103, 3.1415927} {
		y = AddScalar(Mul(y, xx), c)
	}
	return Mul(y, x)
}
