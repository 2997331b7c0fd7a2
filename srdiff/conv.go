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
	return customGradient(x, w, productOfPatches,
		func(dy *Node) (dx, dw *Node) {
			// dw is worked out transposed, dy^T patches(x), because dy is nine times cheaper to transpose.
			flat := func(x *Node) *Node { return Reshape(x, -1, x.Shape().Dimensions[3]) }
			dw = Dot(TransposeAllDims(flat(dy), 1, 0), flat(patches(border(x)))).Product() // [out, 9 in]
			dw = Reshape(TransposeAllDims(dw, 1, 0), 3, 3, in, out)
			dx = productOfPatches(dy, TransposeAllDims(Reverse(w, 0, 1), 0, 1, 3, 2))
			return dx, dw
		})
}

// maxPatches bounds the values of a matrix of patches, which is nine times as large as its picture: 128 MB. Batches of
// training are below it; the patches of a whole photograph would be gigabytes.
const maxPatches = 32 << 20

// productOfPatches is patches(x) w. A large picture is done in horizontal bands, one after the other.
func productOfPatches(x, w *Node) *Node {
	d := x.Shape().Dimensions
	batch, height, width, channels := d[0], d[1], d[2], d[3]
	x = border(x)
	rows := max(1, maxPatches/(batch*width*9*channels))
	if rows >= height {
		return product(patches(x), w)
	}
	var bands []*Node
	for top := 0; top < height; top += rows {
		bottom := min(top+rows, height)
		band := Slice(x, AxisRange(), AxisRange(top, bottom+2), AxisRange(), AxisRange())
		if len(bands) > 0 { // the engine would start on all bands at once
			band = SchedulingBarrier(band, bands[len(bands)-1])
		}
		bands = append(bands, product(patches(band), w))
	}
	return Concatenate(bands, 1)
}

// product multiplies the channels of x [batch, height, width, n] by a kernel whose axes but the last hold n values.
func product(x, w *Node) *Node {
	d := x.Shape().Dimensions
	out := w.Shape().Dimensions[3]
	y := Dot(Reshape(x, -1, d[3]), Reshape(w, d[3], out)).Product()
	return Reshape(y, d[0], d[1], d[2], out)
}

// border puts a border of zeros, one pixel wide, around pictures.
func border(x *Node) *Node {
	one := PadAxis{Start: 1, End: 1}
	return Pad(x, ScalarZero(x.Graph(), x.DType()), PadAxis{}, one, one, PadAxis{})
}

// patches lays the 3x3 neighbourhood of every pixel but the border's out as its channels ("im2col"): [batch, height+2,
// width+2, c] -> [batch, height, width, 9c].
func patches(x *Node) *Node {
	d := x.Shape().Dimensions
	shifted := make([]*Node, 0, 9)
	for i := range 3 {
		for j := range 3 {
			shifted = append(shifted,
				Slice(x, AxisRange(), AxisRange(i, i+d[1]-2), AxisRange(j, j+d[2]-2), AxisRange()))
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
