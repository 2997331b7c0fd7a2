// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"fmt"
	"math"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
)

// size is the width and depth of a ResidualUNet.
type size struct {
	channels int // of its first stage, unless Config.BaseChannels says otherwise
	blocks   int // residual blocks in each stage; one more at the bottleneck
}

// sizes are the networks of Config.Network that are a ResidualUNet. For 32x32 pictures they have
//
//	tiny    16 channels   1 block a stage     193,363 parameters
//	small   32            1                   766,627
//	base    64            2                 4,900,675
var sizes = map[string]size{
	NetworkTiny:  {16, 1},
	NetworkSmall: {32, 1},
	NetworkBase:  {64, 2},
}

// ResidualUNet is the better network. It has the tutorial's shape, and in it residual blocks that are told the time by
// adaptive normalisation, and attention where the picture is smallest (Dhariwal and Nichol 2021; C = channels):
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
// x is [batch, height, width, 6], or 7 with the condition's noise; t is an integer [batch], or a scalar for all; the result is
// [batch, height, width, 3]. It computes in the type of x, float32 or bfloat16.
func ResidualUNet(scope *model.Scope, c Config, x, t *Node) *Node {
	c = c.WithDefaults()
	n := c.BaseChannels
	emb := ConvertDType(TimeEmbedding(scope.In("time"), t, n), x.DType())
	stage := func(name string, x *Node, channels int) *Node {
		s := scope.In("%s", name)
		for i := range c.blocks(name) {
			block := s.In("%d", i)
			x = ResBlock(block, c, x, emb, channels)
			if c.attends(name) {
				x = Attention(block.In("attention"), x)
			}
		}
		return x
	}
	x = Conv(scope.In("in"), x, n, 3)
	enc1 := stage("enc1", x, n)                  // [batch, height, width, C]
	enc2 := stage("enc2", AvgPool2(enc1), 2*n)   // [batch, height/2, width/2, 2C]
	x = stage("bottleneck", AvgPool2(enc2), 3*n) // [batch, height/4, width/4, 3C]
	transformers := scope.In("transformer")
	for i := range c.Transformers {
		x = Transformer(transformers.In("%d", i), x)
	}
	x = Concatenate([]*Node{UpConv(scope.In("upconv2"), x, 2*n), enc2}, -1)
	x = stage("dec2", x, 2*n) // [batch, height/2, width/2, 2C]
	x = Concatenate([]*Node{UpConv(scope.In("upconv1"), x, n), enc1}, -1)
	x = stage("dec1", x, n) // [batch, height, width, C]
	return Conv(scope.In("out"), activation.Swish(GroupNorm(scope.In("norm"), x)), 3, 3)
}

// blocks is how many residual blocks a stage of a ResidualUNet has.
func (c Config) blocks(stage string) int {
	if stage == "bottleneck" {
		return sizes[c.Network].blocks + 1
	}
	return sizes[c.Network].blocks
}

// attends is whether the blocks of a stage are each followed by attention.
func (c Config) attends(stage string) bool {
	switch stage {
	case "bottleneck":
		return c.Attention >= 1
	case "enc2", "dec2":
		return c.Attention >= 2
	}
	return c.Attention >= 3
}

// maxAttention is how many pixels may look at each other: 4096 squared numbers take 64 MB a head and picture.
const maxAttention = 4096

// checkAttention returns an error for pictures that are too large for the network's attention.
func (c Config) checkAttention(width, height int) error {
	largest := 0 // pixels with attention
	for shift, stage := range map[int]string{0: "enc1", 2: "enc2", 4: "bottleneck"} {
		if c.attends(stage) || stage == "bottleneck" && c.Transformers > 0 {
			largest = max(largest, width*height>>shift)
		}
	}
	if largest > maxAttention {
		return fmt.Errorf("the result would be %dx%d, too large for this network's attention, which has every pixel look at all others: "+
			"want at most %d pixels, so cut the picture", width, height, maxAttention*(width*height/largest))
	}
	return nil
}

// residualParameters lists the weights of ResidualUNet in the order of its layers.
func residualParameters(c Config) parameters {
	var l parameters
	n := c.BaseChannels
	emb := 4 * n
	stage := func(name string, in, out int) {
		for i := range c.blocks(name) {
			b := fmt.Sprintf("%s.%d.", name, i)
			l.block(b, in, out, emb, c.AddTime)
			in = out
			if c.attends(name) {
				l.norm(b+"attention.norm", out)
				l.attention(b+"attention.", out)
			}
		}
	}
	l.dense("time.0", n, emb)
	l.dense("time.2", emb, emb)
	l.conv("in", shownChannels(c), n, 3)
	stage("enc1", n, n)
	stage("enc2", n, 2*n)
	stage("bottleneck", 2*n, 3*n)
	for i := range c.Transformers {
		b := fmt.Sprintf("transformer.%d.", i)
		l.norm(b+"norm1", 3*n)
		l.attention(b+"attention.", 3*n)
		l.norm(b+"norm2", 3*n)
		l.dense(b+"mlp.0", 3*n, 12*n)
		l.dense(b+"mlp.2", 12*n, 3*n)
		l.zero()
	}
	l.upConv("upconv2", 3*n, 2*n)
	stage("dec2", 4*n, 2*n)
	l.upConv("upconv1", 2*n, n)
	stage("dec1", 2*n, n)
	l.norm("norm", n)
	l.conv("out", n, 3, 3)
	l.zero()
	return l
}

// block lists the weights of ResBlock; prefix is its name with a dot.
func (l *parameters) block(prefix string, in, out, emb int, addTime bool) {
	l.norm(prefix+"norm1", in)
	l.conv(prefix+"conv1", in, out, 3)
	if addTime {
		l.dense(prefix+"time", emb, out)
		l.norm(prefix+"norm2", out)
	} else {
		l.dense(prefix+"time", emb, 2*out)
	}
	l.conv(prefix+"conv2", out, out, 3)
	l.zero()
	if in != out {
		l.conv(prefix+"skip", in, out, 1)
	}
}

// attention lists the weights of attend.
func (l *parameters) attention(prefix string, channels int) {
	l.dense(prefix+"qkv", channels, 3*channels)
	l.dense(prefix+"out", channels, channels)
	l.zero()
}

// residualSpread is the standard deviation of x_0 - y over generated pictures: what the condition leaves open.
const residualSpread = 0.15

// precondition says how the prediction of a ResidualUNet is put together, so that the network, F, is left to say only what is not
// plain from x_t and y, and in numbers of about unit size at every timestep (Karras et al. 2022, section 5):
//
//	prediction = ofXt x_t + ofY y + ofF F
//
// Without F it is the best guess where x_0 is taken to be normal around y with the standard deviation s:
//
//	E[x_0 | x_t, y] = (sqrt(alpha_bar) s^2 x_t + (1 - alpha_bar) y) / V,   V = alpha_bar s^2 + 1 - alpha_bar
//
// written as what is predicted, and ofF is the standard deviation that is left of it.
func precondition(prediction string, alphaBar float64) (ofXt, ofY, ofF float64) {
	const s = residualSpread
	signal, noise := math.Sqrt(alphaBar), math.Sqrt(1-alphaBar)
	V := alphaBar*s*s + 1 - alphaBar
	left := s / math.Sqrt(V)
	switch prediction {
	case Regresses: // there is no x_t
		return 0, 1, s
	case PredictsX0:
		return signal * s * s / V, noise * noise / V, noise * left
	case PredictsV:
		return noise / V * signal * (1 - s*s), -noise / V, left
	}
	return noise / V, -noise / V * signal, signal * left
}
