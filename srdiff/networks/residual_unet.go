// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package networks

import (
	"math"
	"strconv"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/srdiff/srlab/srdiff/nn"
)

// residualUNet is ResidualUNet of x_t and y, stacked as channels, and of the time.
type residualUNet struct{ config Config }

func newResidualUNet(c Config) (Network, error) { return residualUNet{c}, c.checkResidual() }

func (residualUNet) Multiple() int { return 4 }
func (residualUNet) Margin() int   { return 1 }

func (n residualUNet) Predict(scope *nn.Scope, in Inputs) *Node {
	x := scope.Convert(Concatenate(in.stacked(), -1))
	return ConvertDType(ResidualUNet(scope, n.config, x, in.T), in.Xt.DType())
}

// maxAttention is the greatest number of pixels that attend to each other: 4096^2 weights take 64 MB
// for each head and picture.
const maxAttention = 4096

// MaxPixels implements Limited.
func (n residualUNet) MaxPixels() int {
	switch c := n.config; {
	case c.attends("enc1"):
		return maxAttention
	case c.attends("enc2"): // a quarter of the pixels
		return 4 * maxAttention
	case c.attends("bottleneck") || c.Transformers > 0:
		return 16 * maxAttention
	}
	return math.MaxInt
}

// ResidualUNet is the better network. It has the stages of the tutorial's network, built from
// residual blocks that depend on the time, with attention at the lowest resolution (Dhariwal and
// Nichol 2021; C = channels):
//
//	in           6 -> C                       height     x width
//	enc1         C -> C                       height     x width       --------.
//	enc2         C -> 2C   after avg-pool 2   height/2   x width/2     ----.   |
//	bottleneck  2C -> 3C   after avg-pool 2   height/4   x width/4         |   | skips
//	upconv2     3C -> 2C                      height/2   x width/2         |   |
//	dec2        4C -> 2C   of [upconv2, enc2]                         <---'   |
//	upconv1     2C -> C                       height     x width               |
//	dec1        2C -> C    of [upconv1, enc1]                         <-------'
//	norm, out    C -> 3    3x3, zero at first
//
// The bottleneck has one block more than the other stages. x is [batch, height, width, channels]:
// x_t and y are 6 channels, the noise level of y is one more. t is a number [batch], or a scalar for all.
// The result is [batch, height, width, 3]. It computes in the type of x, float32 or bfloat16.
func ResidualUNet(scope *nn.Scope, c Config, x, t *Node) *Node {
	c = c.WithDefaults()
	n := c.BaseChannels
	emb := ConvertDType(nn.TimeEmbedding(scope.In("time"), t, n), x.DType())
	stage := func(name string, x *Node, channels, blocks int) *Node {
		for i := range blocks {
			block := scope.In(name).In(strconv.Itoa(i))
			x = nn.ResBlock(block, x, emb, channels,
				nn.ResBlockOptions{Groups: c.NormGroups, AddTime: c.AddTime, Dropout: c.Dropout})
			if c.attends(name) {
				x = nn.Attention(block.In("attention"), x, c.NormGroups, c.HeadChannels)
			}
		}
		return x
	}
	x = nn.Conv(scope.In("in"), x, n, 3)
	enc1 := stage("enc1", x, n, c.Blocks)                       // [batch, height, width, C]
	enc2 := stage("enc2", nn.AvgPool2(enc1), 2*n, c.Blocks)     // [batch, height/2, width/2, 2C]
	x = stage("bottleneck", nn.AvgPool2(enc2), 3*n, c.Blocks+1) // [batch, height/4, width/4, 3C]
	for i := range c.Transformers {
		x = nn.Transformer(scope.In("transformer").In(strconv.Itoa(i)), x, c.HeadChannels)
	}
	x = Concatenate([]*Node{nn.UpConv(scope.In("upconv2"), x, 2*n), enc2}, -1)
	x = stage("dec2", x, 2*n, c.Blocks) // [batch, height/2, width/2, 2C]
	x = Concatenate([]*Node{nn.UpConv(scope.In("upconv1"), x, n), enc1}, -1)
	x = stage("dec1", x, n, c.Blocks) // [batch, height, width, C]
	x = nn.SiLU(nn.GroupNorm(scope.In("norm"), x, c.NormGroups))
	return nn.Conv(scope.In("out").Scaled(0), x, 3, 3)
}

// attends reports whether attention follows each block of a stage.
func (c Config) attends(stage string) bool {
	switch stage {
	case "bottleneck":
		return c.Attention >= 1
	case "enc2", "dec2":
		return c.Attention >= 2
	}
	return c.Attention >= 3
}
