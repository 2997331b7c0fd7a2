// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package nn

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/layers/attention"
)

// Attention is self-attention over all pixels (Vaswani et al. 2017, equation 1), in heads of n
// channels, n = headChannels, or in one head if there are fewer channels:
//
//	[q, k, v] = Dense(GroupNorm(x))
//	y = x + Dense(softmax(q k^T / sqrt(n)) v)
//
// The last Dense begins as zero. x is [batch, height, width, channels]. Each head stores
// (height width)^2 numbers for each picture.
func Attention(scope *Scope, x *Node, groups, headChannels int) *Node {
	return Add(x, attend(scope, GroupNorm(scope.In("norm"), x, groups), headChannels))
}

// attend is the y - x of Attention for a normalised x.
func attend(scope *Scope, x *Node, headChannels int) *Node {
	dtype, d := x.DType(), x.Shape().Dimensions
	batch, pixels, channels := d[0], d[1]*d[2], d[3]
	heads := max(1, channels/headChannels)
	qkv := ConvertDType(Dense(scope.In("qkv"), Reshape(x, batch, pixels, channels), 3*channels), dtypes.Float32)
	part := func(i int) *Node {
		p := Slice(qkv, AxisRange(), AxisRange(), AxisRange(i*channels, (i+1)*channels))
		return Reshape(p, batch, pixels, heads, channels/heads)
	}
	h, _ := attention.Core(part(0), part(1), part(2), attention.LayoutBSHD, attention.CoreOptions{})
	h = ConvertDType(Reshape(h, d...), dtype)
	return Dense(scope.In("out").Scaled(0), h, channels)
}

// Transformer is a transformer block (Vaswani et al. 2017, with the norms first: Xiong et al. 2020)
// on pixels as tokens:
//
//	x = x + Attention(LayerNorm(x))
//	y = x + Dense(GELU(Dense(LayerNorm(x)))),   C -> 4C -> C
//
// Both last Dense layers begin as zero. x is [batch, height, width, channels].
func Transformer(scope *Scope, x *Node, headChannels int) *Node {
	channels := x.Shape().Dimensions[3]
	x = Add(x, attend(scope.In("attention"), LayerNorm(scope.In("norm1"), x), headChannels))
	mlp := scope.In("mlp")
	h := activation.Gelu(Dense(mlp.In("0"), LayerNorm(scope.In("norm2"), x), 4*channels))
	return Add(x, Dense(mlp.In("2").Scaled(0), h, channels))
}
