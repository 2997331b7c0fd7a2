// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package degrade

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/srdiff/srlab/srdiff/nn"
)

// Downscale makes pictures [batch, height, width, 3] factor times smaller, bilinearly with
// half-pixel centres and without antialiasing: torch's interpolate(scale_factor=0.25,
// mode="bilinear"), which makes the tutorial's inputs. Height and width are multiples of factor.
func Downscale(x *Node, factor int) *Node {
	d := x.Shape().Dimensions
	x = Reshape(x, d[0], d[1]/factor, factor, d[2]/factor, factor, d[3])
	return middle(middle(x, 2), 3)
}

// middle returns the middle of an axis, which is the mean of two values where it is even.
func middle(x *Node, axis int) *Node {
	at := func(i int) *Node {
		ranges := make([]SliceAxisSpec, x.Rank())
		for k := range ranges {
			ranges[k] = AxisRange()
		}
		ranges[axis] = AxisElem(i)
		return Squeeze(Slice(x, ranges...), axis)
	}
	n := x.Shape().Dimensions[axis]
	if n%2 == 1 {
		return at(n / 2)
	}
	return MulScalar(Add(at(n/2-1), at(n/2)), 0.5)
}

// Condition returns the condition y of a high-resolution picture x_0 without noise: the picture made
// smaller as the configuration says and enlarged again, so that only its low-resolution content is
// left. The zero Config makes the tutorial's.
//
//	y = Upsample(Shrink(x_0))
//
// x0 is [batch, height, width, 3], height and width multiples of factor; y has the same shape.
func (c Config) Condition(x0 *Node, factor int) *Node {
	return nn.Upsample(c.Shrink(x0, factor), factor)
}

// BackProject brings a predicted x_0 closer to the low-resolution picture that it must shrink to:
// the difference is enlarged and added (Irani and Peleg 1991). At every step of a sampler, that
// keeps a model from contradicting its input (Choi et al. 2021; Wang et al. 2022):
//
//	x_0 + Upsample(low - Shrink(x_0))
//
// x0 is [batch, factor height, factor width, 3], low [batch, height, width, 3]. Each further call
// shrinks the remaining difference to at most 0.44 of what it was (for Bilinear and a factor of 4).
func (c Config) BackProject(x0, low *Node) *Node {
	factor := x0.Shape().Dimensions[1] / low.Shape().Dimensions[1]
	return Add(x0, nn.Upsample(Sub(low, c.Shrink(x0, factor)), factor))
}
