// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/layers/attention"
	"github.com/gomlx/gomlx/ml/model"
)

// The layers of both networks. Their weights are in the scope they are given, with the names of PyTorch's layers.

// Conv is a convolution with a square kernel of 1 or 3, stride 1, zero padding that keeps the size, and a bias,
// [batch, height, width, in] -> [batch, height, width, channels].
func Conv(scope *model.Scope, x *Node, channels, kernel int) *Node {
	in := x.Shape().Dimensions[3]
	w := weight(scope, x, "weight", kernel, kernel, in, channels)
	return addBias(scope, convolve(x, w))
}

// UpConv doubles height and width, [batch, height, width, in] -> [batch, 2 height, 2 width, channels]: a transposed
// convolution with kernel 2 and stride 2. Every input pixel becomes 2x2 output pixels that no other reaches, so it is a
// product of channels followed by an interleaving of pixels.
func UpConv(scope *model.Scope, x *Node, channels int) *Node {
	d := x.Shape().Dimensions
	batch, height, width, in := d[0], d[1], d[2], d[3]
	w := weight(scope, x, "weight", in, 2, 2, channels)
	x = Dot(Reshape(x, batch*height*width, in), Reshape(w, in, 4*channels)).Product()
	x = TransposeAllDims(Reshape(x, batch, height, width, 2, 2, channels), 0, 1, 3, 2, 4, 5)
	return addBias(scope, Reshape(x, batch, 2*height, 2*width, channels))
}

// Dense is y = x W + b over the last axis, [..., in] -> [..., out].
func Dense(scope *model.Scope, x *Node, out int) *Node {
	dims := x.Shape().Clone().Dimensions
	last := len(dims) - 1
	w := weight(scope, x, "weight", dims[last], out)
	dims[last], x = out, Reshape(x, -1, dims[last])
	return addBias(scope, Reshape(Dot(x, w).Product(), dims...))
}

// MaxPool2 halves height and width, which are even, keeping the greatest of each 2x2 pixels.
func MaxPool2(x *Node) *Node { return ReduceMax(blocksOf2(x), 2, 4) }

// AvgPool2 halves height and width, which are even, taking the mean of each 2x2 pixels.
func AvgPool2(x *Node) *Node { return ReduceMean(blocksOf2(x), 2, 4) }

func blocksOf2(x *Node) *Node {
	d := x.Shape().Dimensions
	return Reshape(x, d[0], d[1]/2, 2, d[2]/2, 2, d[3])
}

// relu is y = max(x, 0), with the gradient
//
//	dx = min(2^126 y, 1) dy,   which is dy where y > 0, else 0
//
// GoMLX's own gradient asks for signs, which the pure-Go engine is slow at, twenty times as slow as at products; and it is 1 at 0,
// where PyTorch's is 0.
func relu(x *Node) *Node {
	var y, dy *Node
	x = IdentityWithCustomGradient(x, func(_, _ *Node) *Node { return Mul(MinScalar(MulScalar(y, 0x1p126), 1), dy) })
	y = Max(x, ZerosLike(x))
	return IdentityWithCustomGradient(y, func(_, v *Node) *Node {
		dy = v
		return v
	})
}

// groups is how many groups of channels GroupNorm makes.
const groups = 8

// normEpsilon is PyTorch's, in all its norms.
const normEpsilon = 1e-5

// GroupNorm brings every group of channels in every picture to mean 0 and variance 1, and then every channel to a scale and a
// shift that are learned (Wu and He 2018):
//
//	y = scale (x - mean) / sqrt(variance + 1e-5) + shift,   mean and variance over height, width and the group's channels
//
// x is [batch, height, width, channels], in 8 groups.
func GroupNorm(scope *model.Scope, x *Node) *Node {
	channels := x.Shape().Dimensions[3]
	scale := scope.VariableWithShape("weight", shapes.Make(dtypes.Float32, channels)).NodeValue(x)
	shift := scope.VariableWithShape("bias", shapes.Make(dtypes.Float32, channels)).NodeValue(x)
	return groupNorm(x, Reshape(scale, 1, channels), Reshape(shift, 1, channels))
}

// AdaptiveNorm is a GroupNorm whose scale and shift say what time it is (Dhariwal and Nichol 2021, section 4, adaptive group
// normalisation):
//
//	[scale, shift] = Dense(SiLU(emb))
//	y = (1 + scale) (x - mean) / sqrt(variance + 1e-5) + shift
//
// x is [batch, height, width, channels], emb what TimeEmbedding makes.
func AdaptiveNorm(scope *model.Scope, x, emb *Node) *Node {
	channels := x.Shape().Dimensions[3]
	both := Dense(scope, activation.Swish(emb), 2*channels)
	scale := Slice(both, AxisRange(), AxisRange(0, channels))
	shift := Slice(both, AxisRange(), AxisRange(channels))
	return groupNorm(x, OnePlus(scale), shift)
}

// groupNorm is the formula of GroupNorm; scale and shift are [batch, channels] or [1, channels]. It is worked out in float32.
//
// Scale and shift of the whole are worked out first, so that x is read twice and written once.
func groupNorm(x, scale, shift *Node) *Node {
	dtype, d := x.DType(), x.Shape().Dimensions
	batch, channels := d[0], d[3]
	x, scale, shift = ConvertDType(x, dtypes.Float32), ConvertDType(scale, dtypes.Float32), ConvertDType(shift, dtypes.Float32)
	ofGroup := func(perChannel *Node) *Node { // [batch, channels] -> the means of the groups, [batch, channels]
		mean := ReduceAndKeep(Reshape(perChannel, batch, groups, channels/groups), ReduceMean, 2)
		return Reshape(BroadcastToDims(mean, batch, groups, channels/groups), batch, channels)
	}
	mean := ofGroup(ReduceMean(x, 1, 2))
	spread := Square(Sub(x, Reshape(mean, batch, 1, 1, channels)))
	scale = Div(scale, Sqrt(AddScalar(ofGroup(ReduceMean(spread, 1, 2)), normEpsilon)))
	shift = Sub(shift, Mul(mean, scale))
	y := Add(Mul(x, Reshape(scale, batch, 1, 1, channels)), Reshape(shift, batch, 1, 1, channels))
	return ConvertDType(y, dtype)
}

// LayerNorm brings the channels of every pixel to mean 0 and variance 1, and then to a scale and a shift that are learned (Ba et
// al. 2016), as GroupNorm does. x is [..., channels].
func LayerNorm(scope *model.Scope, x *Node) *Node {
	dtype, channels := x.DType(), x.Shape().Dimensions[x.Rank()-1]
	scale := scope.VariableWithShape("weight", shapes.Make(dtypes.Float32, channels)).NodeValue(x)
	x = ConvertDType(x, dtypes.Float32)
	x = Sub(x, ReduceAndKeep(x, ReduceMean, -1))
	x = Div(x, Sqrt(AddScalar(ReduceAndKeep(Square(x), ReduceMean, -1), normEpsilon)))
	return ConvertDType(addBias(scope, Mul(x, ExpandLeftToRank(scale, x.Rank()))), dtype)
}

// ResBlock is a residual block (He et al. 2016) as diffusion networks have it (Dhariwal and Nichol 2021), to so many channels:
//
//	h = Conv(SiLU(GroupNorm(x)))
//	h = Conv(Dropout(SiLU(AdaptiveNorm(h, emb))))
//	y = x + h,   with a 1x1 convolution of x where the channels change
//
// The second convolution is zero at first, so that a block begins as the identity. With c.AddTime the time is added before a plain
// GroupNorm in place of AdaptiveNorm (Ho et al. 2020): GroupNorm(h + Dense(SiLU(emb))). x is [batch, height, width, in], emb
// what TimeEmbedding makes.
func ResBlock(scope *model.Scope, c Config, x, emb *Node, channels int) *Node {
	h := Conv(scope.In("conv1"), activation.Swish(GroupNorm(scope.In("norm1"), x)), channels, 3)
	if c.AddTime {
		h = Add(h, Reshape(Dense(scope.In("time"), activation.Swish(emb), channels), -1, 1, 1, channels))
		h = GroupNorm(scope.In("norm2"), h)
	} else {
		h = AdaptiveNorm(scope.In("time"), h, emb)
	}
	h = layers.DropoutStatic(scope, activation.Swish(h), c.Dropout)
	h = Conv(scope.In("conv2"), h, channels, 3)
	if x.Shape().Dimensions[3] != channels {
		x = Conv(scope.In("skip"), x, channels, 1)
	}
	return Add(x, h)
}

// headChannels is how many channels an attention head has, where there are that many.
const headChannels = 32

// Attention lets every pixel look at all others (Vaswani et al. 2017, equation 1), in heads of 32 channels:
//
//	[q, k, v] = Dense(GroupNorm(x))
//	y = x + Dense(softmax(q k^T / sqrt(32)) v)
//
// The last Dense is zero at first. x is [batch, height, width, channels]; it takes memory for (height width)^2 numbers a head.
func Attention(scope *model.Scope, x *Node) *Node {
	return Add(x, attend(scope, GroupNorm(scope.In("norm"), x)))
}

// attend is the y - x of Attention, of the x that is normalised already.
func attend(scope *model.Scope, x *Node) *Node {
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
	return Dense(scope.In("out"), h, channels)
}

// Transformer is a transformer block (Vaswani et al. 2017, with the norms first: Xiong et al. 2020) on pixels as tokens:
//
//	x = x + Attention(LayerNorm(x))
//	y = x + Dense(GELU(Dense(LayerNorm(x)))),   C -> 4C -> C
//
// Both last Dense layers are zero at first. x is [batch, height, width, channels].
func Transformer(scope *model.Scope, x *Node) *Node {
	channels := x.Shape().Dimensions[3]
	x = Add(x, attend(scope.In("attention"), LayerNorm(scope.In("norm1"), x)))
	mlp := scope.In("mlp")
	h := activation.Gelu(Dense(mlp.In("0"), LayerNorm(scope.In("norm2"), x), 4*channels))
	return Add(x, Dense(mlp.In("2"), h, channels))
}

// addBias adds the bias of every channel, the last axis. It does so in float32, since the bias's gradient is a sum over all pixels
// of a batch, and XLA's processor engine loses most of such a sum in bfloat16.
func addBias(scope *model.Scope, x *Node) *Node {
	channels := x.Shape().Dimensions[x.Rank()-1]
	b := scope.VariableWithShape("bias", shapes.Make(dtypes.Float32, channels)).NodeValue(x)
	return ConvertDType(Add(ConvertDType(x, dtypes.Float32), ExpandLeftToRank(b, x.Rank())), x.DType())
}

// weight is a variable of the scope, which is float32, as a node of x's graph and type.
func weight(scope *model.Scope, x *Node, name string, dims ...int) *Node {
	return ConvertDType(scope.VariableWithShape(name, shapes.Make(dtypes.Float32, dims...)).NodeValue(x), x.DType())
}
