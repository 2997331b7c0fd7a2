// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// pureGo is the name that GoMLX's pure-Go engine goes by.
const pureGo = "Go Backend"

// convolve is a convolution of x [batch, height, width, in] with the kernel w [k, k, in, out], k 1 or 3, stride 1, zero
// padding that keeps the size.
//
// It is the one place that knows the engine. XLA has its own convolution. GoMLX's pure-Go engine has one too, but its
// matrix product is many times faster (see docs/benchmarks.md), so there a convolution is a matrix product of patches.
func convolve(x, w *Node) *Node {
	switch {
	case w.Shape().Dimensions[0] == 1:
		return product(x, w)
	case x.Graph().Backend().Name() == pureGo:
		return convolveByProduct(x, w)
	default:
		return Convolve(x, w).Strides(1).PadSame().Done()
	}
}

// convolveByProduct is the 3x3 convolution as one matrix product, with its gradients written as products too. GoMLX's own
// gradient of the patches would be nine padded copies and their sum; this one is a convolution again:
//
//	y  = patches(x) w
//	dw = patches(x)^T dy
//	dx = patches(dy) w', w' being w turned by 180 degrees with in and out exchanged
func convolveByProduct(x, w *Node) *Node {
	d := w.Shape().Dimensions
	in, out := d[2], d[3]
	var cols *Node
	return customGradient(x, w,
		func(x, w *Node) *Node {
			cols = patches(x)
			return product(cols, w)
		},
		func(dy *Node) (dx, dw *Node) {
			// dw is worked out transposed, dy^T patches(x), because dy is nine times cheaper to transpose.
			flat := func(x *Node) *Node { return Reshape(x, -1, x.Shape().Dimensions[3]) }
			dw = Dot(TransposeAllDims(flat(dy), 1, 0), flat(cols)).Product() // [out, 9 in]
			dw = Reshape(TransposeAllDims(dw, 1, 0), 3, 3, in, out)
			dx = product(patches(dy), TransposeAllDims(Reverse(w, 0, 1), 0, 1, 3, 2))
			return dx, dw
		})
}

// product multiplies the channels of x [batch, height, width, n] by a kernel whose axes but the last hold n values.
func product(x, w *Node) *Node {
	d := x.Shape().Dimensions
	out := w.Shape().Dimensions[3]
	y := Dot(Reshape(x, -1, d[3]), Reshape(w, d[3], out)).Product()
	return Reshape(y, d[0], d[1], d[2], out)
}

// patches lays the 3x3 neighbourhood of every pixel out as its channels: [batch, height, width, c] -> 9c ("im2col").
func patches(x *Node) *Node {
	d := x.Shape().Dimensions
	one := PadAxis{Start: 1, End: 1}
	padded := Pad(x, ScalarZero(x.Graph(), x.DType()), PadAxis{}, one, one, PadAxis{})
	shifted := make([]*Node, 0, 9)
	for i := range 3 {
		for j := range 3 {
			shifted = append(shifted,
				Slice(padded, AxisRange(), AxisRange(i, i+d[1]), AxisRange(j, j+d[2]), AxisRange()))
		}
	}
	return Concatenate(shifted, -1)
}

// customGradient returns f(x, w) with the gradients that vjp gives for the gradient dy of its result.
//
// GoMLX lets an identity replace the gradient that passes it. Going backward, the one behind the result is met first: it
// has vjp work out both gradients. The ones before the inputs then hand these out, in place of what came through f.
func customGradient(x, w *Node, f func(x, w *Node) *Node, vjp func(dy *Node) (dx, dw *Node)) *Node {
	var dx, dw *Node
	y := f(IdentityWithCustomGradient(x, func(_, _ *Node) *Node { return dx }),
		IdentityWithCustomGradient(w, func(_, _ *Node) *Node { return dw }))
	return IdentityWithCustomGradient(y, func(_, dy *Node) *Node {
		dx, dw = vjp(dy)
		return dy
	})
}
