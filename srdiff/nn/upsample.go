// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package nn

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph"
)

// Upsample enlarges pictures [batch, height, width, channels] bilinearly, factor times in each
// direction, with half-pixel centres and a repeated border: torch's interpolate(mode="bilinear").
//
// Its weights are computed on the host. GoMLX's Interpolate computes positions on the engine, where
// those of a factor of 3 are rounded to the wrong pixel.
func Upsample(x *Node, factor int) *Node {
	if factor == 1 {
		return x
	}
	return upsample(upsample(x, 1, factor), 2, factor)
}

// upsample is Upsample along one axis. Of the factor pixels that a pixel becomes, each is a mean of
// the pixel and one of its neighbours, with weights of its own.
func upsample(x *Node, axis, factor int) *Node {
	dims := x.Shape().Clone().Dimensions
	n := dims[axis]
	part := func(from, to int) *Node {
		ranges := []SliceAxisSpec{AxisRange(), AxisRange(), AxisRange(), AxisRange()}
		ranges[axis] = AxisRange(from, to)
		return Slice(x, ranges...)
	}
	x = Concatenate([]*Node{part(0, 1), x, part(n-1, n)}, axis)
	var phases []*Node
	for i := range factor {
		centre := (float64(i)+0.5)/float64(factor) + 0.5 // from the left neighbour's
		left := int(math.Floor(centre))
		share := centre - float64(left) // of the right one
		phase := Add(MulScalar(part(left, left+n), 1-share), MulScalar(part(left+1, left+1+n), share))
		phases = append(phases, ExpandAxes(phase, axis+1))
	}
	dims[axis] = factor * n
	return Reshape(Concatenate(phases, axis+1), dims...)
}
