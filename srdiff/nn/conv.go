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

// pureGo is the name that GoMLX's pure-Go engine goes by.
const pureGo = "Go Backend"

// convolve is a convolution of x [batch, height, width, in] with the kernel w [k, k, in, out], k 1
// or 3, stride 1, zero padding that keeps the size.
//
// No other function depends on the engine. XLA has a fast convolution. The pure-Go engine's is many
// times slower than its matrix product (see docs/benchmarks.md), so there a convolution is
// matrix products.
func convolve(x, w *Node) *Node {
	switch {
	case w.Shape().Dimensions[0] == 1:
		return product(x, w)
	case x.Graph().Backend().Name() == pureGo:
		return convolveByProducts(x, w)
	default:
		return Convolve(x, w).Strides(1).PadSame().Done()
	}
}

// convolveByProducts is the 3x3 convolution as a matrix product for all rows of the kernel. Its gradients
// are products too, since GoMLX's own would undo what triples does:
//
//	y    = sum over rows i of w:  triples(x) w_i, moved up or down by one row, or not at all
//	dw_i = triples(x)^T dy, moved likewise
//	dx   = the convolution of dy with w', which is w turned by 180 degrees, in and out exchanged
//
// No two products run side by side: each uses all processors, and the engine (compute v0.1.6)
// deadlocks when it runs as many as it has workers.
func convolveByProducts(x, w *Node) *Node {
	return customGradient(x, w,
		func(x, w *Node) *Node { return convolveInBands(x, w, nil) },
		func(dy *Node) (dx, dw *Node) {
			dw = gradientOfKernel(x, dy)
			return convolveInBands(dy, TransposeAllDims(Reverse(w, 0, 1), 0, 1, 3, 2), dw), dw
		})
}

// maxTriples bounds the values that triples makes at a time, three times as many as its picture
// has: 4 MB, of which a processor's cache holds a good part.
const maxTriples = 1 << 20

// leastBand is the least height of a band but the last, since a band computes two rows more than it has.
const leastBand = 8

// convolveInBands is the y above, for a large picture in horizontal bands, one after the other. Its
// products wait for the node after, if there is one.
func convolveInBands(x, w, after *Node) *Node {
	d := x.Shape().Dimensions
	batch, height, width, in, out := d[0], d[1], d[2], d[3], w.Shape().Dimensions[3]
	// The rows of the kernel side by side, so that the engine rearranges triples for one product in place of three.
	w = Reshape(TransposeAllDims(Reshape(w, 3, 3*in, out), 1, 0, 2), 1, 1, 3*in, 3*out)
	rows := max(leastBand, maxTriples/(batch*width*3*in))
	var bands []*Node
	for top := 0; top < height; top += rows {
		after = convolveBand(x, w, after, top, min(top+rows, height))
		bands = append(bands, after)
	}
	if len(bands) == 1 {
		return bands[0]
	}
	return Concatenate(bands, 1)
}

// convolveBand returns the rows from top to before bottom of the y above. w is [1, 1, 3 in, 3 out].
func convolveBand(x, w, after *Node, top, bottom int) (y *Node) {
	height, width, out := x.Shape().Dimensions[1], x.Shape().Dimensions[2], w.Shape().Dimensions[3]/3
	from, to := max(0, top-1), min(height, bottom+1)                     // the rows that these depend on
	products := product(triples(waitFor(rowsOf(x, from, to), after)), w) // the engine copies what waits
	for i := range 3 {
		first, end := max(0, top+i-1), min(height, bottom+i-1) // the rows of x that row i of the kernel meets
		if first >= end {
			continue
		}
		part := Slice(products, AxisRange(), AxisRange(first-from, end-from), AxisRange(1, width+1), AxisRange(i*out, (i+1)*out))
		part = padded(part, 1, first-(top+i-1), bottom+i-1-end)
		if y == nil {
			y = part
		} else {
			y = Add(y, part)
		}
	}
	return y
}

// rowsOf returns the rows from top to before bottom of x.
func rowsOf(x *Node, top, bottom int) *Node {
	if top == 0 && bottom == x.Shape().Dimensions[1] {
		return x
	}
	return Slice(x, AxisRange(), AxisRange(top, bottom))
}

// gradientOfKernel is the dw above, computed transposed, as dy^T triples(x), since dy is cheaper to
// transpose.
func gradientOfKernel(x, dy *Node) *Node {
	in, out := x.Shape().Dimensions[3], dy.Shape().Dimensions[3]
	x = Reshape(padded(triples(x), 1, 1, 1), -1, 3*in)     // [batch (height+2) (width+2), 3 in]
	dy = TransposeAllDims(padded(dy, 2, 1, 1), 3, 0, 1, 2) // [out, batch, height, width+2]
	var rows []*Node
	var dw *Node
	for i := range 3 {
		dw = Dot(waitFor(Reshape(padded(dy, 2, i, 2-i), out, -1), dw), x).Product() // [out, 3 in]
		rows = append(rows, Reshape(TransposeAllDims(dw, 1, 0), 1, 3, in, out))
	}
	return Concatenate(rows, 0)
}

// waitFor is x, available once the node after is computed, if there is one.
func waitFor(x, after *Node) *Node {
	if after == nil {
		return x
	}
	return SchedulingBarrier(x, after)
}

// triples adds to the channels of every pixel those of its left and right neighbours: [batch,
// height, width, c] -> [batch, height, width+2, 3c]. Pixels beyond the picture are zero. The first
// and the last column are not used: the engine pads much faster than it slices.
func triples(x *Node) *Node {
	var shifted []*Node
	for j := range 3 {
		shifted = append(shifted, padded(x, 2, 2-j, j))
	}
	return Concatenate(shifted, -1)
}

// padded adds zeros before and after x along one axis.
func padded(x *Node, axis, before, after int) *Node {
	if before == 0 && after == 0 {
		return x
	}
	pads := make([]PadAxis, x.Rank())
	pads[axis] = PadAxis{Start: before, End: after}
	return Pad(x, ScalarZero(x.Graph(), x.DType()), pads...)
}

// product multiplies the channels of x [batch, height, width, n] by a kernel whose axes but the
// last hold n values.
func product(x, w *Node) *Node {
	d := x.Shape().Dimensions
	out := w.Shape().Dimensions[3]
	y := Dot(Reshape(x, -1, d[3]), Reshape(w, d[3], out)).Product()
	return Reshape(y, d[0], d[1], d[2], out)
}

// customGradient returns f(x, w) with the gradients that vjp computes from the gradient dy of its
// result.
//
// GoMLX lets an identity replace the gradient that passes it. The backward pass first meets the
// identity behind the result, which calls vjp for both gradients. The identities before the inputs
// then return these, in place of what came through f.
func customGradient(x, w *Node, f func(x, w *Node) *Node, vjp func(dy *Node) (dx, dw *Node)) *Node {
	var dx, dw *Node
	y := f(IdentityWithCustomGradient(x, func(_, _ *Node) *Node { return dx }),
		IdentityWithCustomGradient(w, func(_, _ *Node) *Node { return dw }))
	return IdentityWithCustomGradient(y, func(_, dy *Node) *Node {
		dx, dw = vjp(dy)
		return dy
	})
}
