// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package nn

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// DoubleConv is two 3x3 convolutions to the given number of channels, each with a ReLU, [batch,
// height, width, in] -> [batch, height, width, channels]: the tutorial's block. Its layers are
// numbered as in torch's Sequential, which counts the ReLUs too.
func DoubleConv(scope *Scope, x *Node, channels int) *Node {
	x = ReLU(Conv(scope.In("0"), x, channels, 3))
	return ReLU(Conv(scope.In("2"), x, channels, 3))
}

// ResBlockOptions are the options of a ResBlock.
type ResBlockOptions struct {
	Groups  int     // groups of its GroupNorms
	AddTime bool    // adds the time before a plain GroupNorm (Ho et al. 2020), in place of AdaptiveNorm
	Dropout float64 // share of values that training zeroes
}

// ResBlock is the residual block of diffusion networks (He et al. 2016; Dhariwal and Nichol 2021),
// with the given number of output channels:
//
//	h = Conv(SiLU(GroupNorm(x)))
//	h = Conv(Dropout(SiLU(AdaptiveNorm(h, emb))))
//	y = x + h,   with a 1x1 convolution of x where the channels change
//
// With AddTime, AdaptiveNorm(h, emb) is GroupNorm(h + Dense(SiLU(emb))). The second convolution
// begins as zero, so that a block begins as the identity. x is [batch, height, width, in], emb the
// result of TimeEmbedding.
func ResBlock(scope *Scope, x, emb *Node, channels int, o ResBlockOptions) *Node {
	h := Conv(scope.In("conv1"), SiLU(GroupNorm(scope.In("norm1"), x, o.Groups)), channels, 3)
	if o.AddTime {
		h = Add(h, Reshape(Dense(scope.In("time"), SiLU(emb), channels), -1, 1, 1, channels))
		h = GroupNorm(scope.In("norm2"), h, o.Groups)
	} else {
		h = AdaptiveNorm(scope.In("time"), h, emb, o.Groups)
	}
	h = Dropout(scope, SiLU(h), o.Dropout)
	h = Conv(scope.In("conv2").Scaled(0), h, channels, 3)
	if x.Shape().Dimensions[3] != channels {
		x = Conv(scope.In("skip"), x, channels, 1)
	}
	return Add(x, h)
}
