// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package nn

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// normEpsilon is PyTorch's default.
const normEpsilon = 1e-5

// GroupNorm normalises each group of channels of each picture to mean 0 and variance 1, and applies
// a learned scale and shift to each channel (Wu and He 2018):
//
//	y = scale (x - mean) / sqrt(variance + 1e-5) + shift
//
// where mean and variance are over height, width and the group's channels. x is [batch, height,
// width, channels]; channels is a multiple of groups.
func GroupNorm(scope *Scope, x *Node, groups int) *Node {
	channels := x.Shape().Dimensions[3]
	scale, shift := normScale(scope, x), normShift(scope, x)
	return groupNorm(x, Reshape(scale, 1, channels), Reshape(shift, 1, channels), groups)
}

// normScale is the learned scale of a norm, which begins as 1.
func normScale(scope *Scope, x *Node) *Node {
	return scope.Weight(x.Graph(), Weight{Name: "weight", Dims: []int{x.Shape().Dimensions[x.Rank()-1]}, Middle: 1})
}

// normShift is the learned shift of a norm, which begins as 0.
func normShift(scope *Scope, x *Node) *Node {
	return scope.Weight(x.Graph(), Weight{Name: "bias", Dims: []int{x.Shape().Dimensions[x.Rank()-1]}})
}

// AdaptiveNorm is a GroupNorm whose scale and shift follow from the time (adaptive group
// normalisation, Dhariwal and Nichol 2021, section 4):
//
//	[scale, shift] = Dense(SiLU(emb))
//	y = (1 + scale) (x - mean) / sqrt(variance + 1e-5) + shift
//
// x is [batch, height, width, channels], emb the result of TimeEmbedding.
func AdaptiveNorm(scope *Scope, x, emb *Node, groups int) *Node {
	channels := x.Shape().Dimensions[3]
	both := Dense(scope, SiLU(emb), 2*channels)
	scale := Slice(both, AxisRange(), AxisRange(0, channels))
	shift := Slice(both, AxisRange(), AxisRange(channels))
	return groupNorm(x, OnePlus(scale), shift, groups)
}

// groupNorm is the formula of GroupNorm, computed in float32; scale and shift are [batch, channels]
// or [1, channels].
//
// It first combines the mean and variance with scale and shift, so that x is read twice and written
// once.
func groupNorm(x, scale, shift *Node, groups int) *Node {
	dtype, d := x.DType(), x.Shape().Dimensions
	batch, channels := d[0], d[3]
	x, scale, shift = ConvertDType(x, dtypes.Float32), ConvertDType(scale, dtypes.Float32), ConvertDType(shift, dtypes.Float32)
	ofGroup := func(perChannel *Node) *Node { // [batch, channels] -> the means of the groups, [batch, channels]
		mean := ReduceAndKeep(Reshape(perChannel, batch, groups, channels/groups), ReduceMean, 2)
		return Reshape(BroadcastToDims(mean, batch, groups, channels/groups), batch, channels)
	}
	mean := ofGroup(ReduceMean(x, 1, 2))
	squares := Square(Sub(x, Reshape(mean, batch, 1, 1, channels)))
	scale = Div(scale, Sqrt(AddScalar(ofGroup(ReduceMean(squares, 1, 2)), normEpsilon)))
	shift = Sub(shift, Mul(mean, scale))
	y := Add(Mul(x, Reshape(scale, batch, 1, 1, channels)), Reshape(shift, batch, 1, 1, channels))
	return ConvertDType(y, dtype)
}

// LayerNorm normalises the channels of each pixel to mean 0 and variance 1, and applies a learned
// scale and shift to each channel (Ba et al. 2016). x is [..., channels].
func LayerNorm(scope *Scope, x *Node) *Node {
	dtype := x.DType()
	scale := normScale(scope, x)
	x = ConvertDType(x, dtypes.Float32)
	x = Sub(x, ReduceAndKeep(x, ReduceMean, -1))
	x = Div(x, Sqrt(AddScalar(ReduceAndKeep(Square(x), ReduceMean, -1), normEpsilon)))
	x = Mul(x, ExpandLeftToRank(scale, x.Rank()))
	return ConvertDType(Add(x, ExpandLeftToRank(normShift(scope, x), x.Rank())), dtype)
}
