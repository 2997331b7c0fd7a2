// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/srdiff/srlab/srdiff/imaging"
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

// What Config.Degradation may be: see imaging.Shrinking.
const (
	Bilinear = "bilinear" // Downscale, as in the tutorial
	Bicubic  = "bicubic"  // with antialiasing
	Area     = "area"
)

// Degrade makes the low-resolution pictures that a network is trained on: Downscale, or what c.Degradation and c.Blur say.
//
// x0 is [batch, height, width, 3], height and width multiples of Scale; the result is Scale times smaller each way.
func Degrade(c Config, x0 *Node) *Node {
	c = c.WithDefaults()
	if c.Degradation == Bilinear && c.Blur == 0 {
		return Downscale(x0)
	}
	size := x0.Shape().Dimensions
	rows := imaging.Shrinking(c.Degradation, size[1], size[1]/Scale, c.Blur)
	columns := imaging.Shrinking(c.Degradation, size[2], size[2]/Scale, c.Blur)
	x := Einsum("bhwc,gh->bgwc", x0, Const(x0.Graph(), rows))
	return Einsum("bgwc,vw->bgvc", x, Const(x0.Graph(), columns))
}

// ShownCondition is what the network is shown of low-resolution pictures: Upscale(low) and, where c.Noise is not 0, how much
// noise is in each picture as one more channel (Ho et al. 2022, section 4.2).
//
// low is [batch, height, width, 3], level [batch]; the result is Scale times larger each way, with 3 channels or 4.
func ShownCondition(c Config, low, level *Node) *Node {
	y := Upscale(low)
	if c.Noise == 0 {
		return y
	}
	size := y.Shape().Dimensions
	return Concatenate([]*Node{y, BroadcastToDims(Reshape(level, size[0], 1, 1, 1), size[0], size[1], size[2], 1)}, -1)
}

func resize(x *Node, height, width int) *Node {
	x.AssertRank(4)
	return Interpolate(x, NoInterpolation, height, width, NoInterpolation).Bilinear().Done()
}
