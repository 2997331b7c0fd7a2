// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package nn

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// Conv is a convolution with a square kernel of 1 or 3 pixels, stride 1, zero padding that keeps
// the size, and a bias, [batch, height, width, in] -> [batch, height, width, channels].
func Conv(scope *Scope, x *Node, channels, kernel int) *Node {
	in := x.Shape().Dimensions[3]
	bound := fanIn(in * kernel * kernel)
	w := weightLike(scope, x, Weight{Name: "weight", Dims: []int{kernel, kernel, in, channels}, TorchAxes: []int{2, 3, 1, 0}, Bound: bound})
	return addBias(scope, convolve(scope.masked(x), w), bound)
}

// UpConv doubles height and width, [batch, height, width, in] -> [batch, 2 height, 2 width,
// channels]: a transposed convolution with kernel 2 and stride 2. Every input pixel becomes 2x2
// output pixels that no other reaches, so it is a product of channels followed by an interleaving
// of pixels.
func UpConv(scope *Scope, x *Node, channels int) *Node {
	d := x.Shape().Dimensions
	batch, height, width, in := d[0], d[1], d[2], d[3]
	bound := fanIn(channels * 2 * 2) // torch counts the fan-in of a transposed convolution over its outputs
	w := weightLike(scope, x, Weight{Name: "weight", Dims: []int{in, 2, 2, channels}, TorchAxes: []int{0, 2, 3, 1}, Bound: bound})
	x = Dot(Reshape(x, batch*height*width, in), Reshape(w, in, 4*channels)).Product()
	x = TransposeAllDims(Reshape(x, batch, height, width, 2, 2, channels), 0, 1, 3, 2, 4, 5)
	return addBias(scope, Reshape(x, batch, 2*height, 2*width, channels), bound)
}

// convolve is a convolution of x [batch, height, width, in] with the kernel w [k, k, in, out], k 1
// or 3, stride 1, zero padding that keeps the size.
func convolve(x, w *Node) *Node {
	if w.Shape().Dimensions[0] == 1 {
		return product(x, w)
	}
	return Convolve(x, w).Strides(1).PadSame().Done()
}

// product multiplies the channels of x [batch, height, width, n] by a kernel whose axes but the
// last hold n values.
func product(x, w *Node) *Node {
	d := x.Shape().Dimensions
	out := w.Shape().Dimensions[3]
	y := Dot(Reshape(x, -1, d[3]), Reshape(w, d[3], out)).Product()
	return Reshape(y, d[0], d[1], d[2], out)
}
