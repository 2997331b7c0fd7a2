// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// Scale is how many times larger the result is than the input in each direction, as in the tutorial.
const Scale = 4

// Condition returns what the network is shown of a high-resolution picture x0, the tutorial's y: the picture made Scale
// times smaller and blown up again, so that only its low-resolution content is left.
//
//	y = Upscale(Downscale(x_0))
//
// x0 is [batch, height, width, 3], height and width multiples of Scale; y has the same shape.
func Condition(x0 *Node) *Node { return Upscale(Downscale(x0)) }

// Downscale makes pictures [batch, height, width, 3] Scale times smaller, bilinear with half-pixel centres and without
// antialiasing: torch's interpolate(scale_factor=0.25, mode="bilinear"), with which the tutorial makes its inputs.
func Downscale(x *Node) *Node {
	size := x.Shape().Dimensions
	return resize(x, size[1]/Scale, size[2]/Scale)
}

// Upscale makes pictures [batch, height, width, 3] Scale times larger, bilinear with half-pixel centres: the condition of
// a picture that has no high-resolution original.
func Upscale(x *Node) *Node {
	size := x.Shape().Dimensions
	return resize(x, size[1]*Scale, size[2]*Scale)
}

func resize(x *Node, height, width int) *Node {
	x.AssertRank(4)
	return Interpolate(x, NoInterpolation, height, width, NoInterpolation).Bilinear().Done()
}
