// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package networks

import (
	"fmt"
	"math"
	"strconv"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/srdiff/srlab/srdiff/nn"
)

// predictor is the network Predictor: a regression from the low-resolution picture alone.
type predictor struct{ config Config }

func newPredictor(c Config) (Network, error) { return predictor{c}, c.checkLocal() }

func (predictor) Multiple() int { return 1 }
func (predictor) Margin() int   { return 0 }

// Reach implements Local: each 3x3 convolution looks one pixel further.
func (n predictor) Reach() int { return 3 + 2*n.config.Blocks }

func (n predictor) Predict(scope *nn.Scope, in Inputs) *Node {
	mean, _ := n.PredictMean(scope, in.Low, in.Factor())
	return mean
}

// PredictMean implements MeanPredictor.
func (n predictor) PredictMean(scope *nn.Scope, low *Node, factor int) (mean, features *Node) {
	return Predictor(scope, n.config, low, factor)
}

// Predictor predicts the mean of all pictures that a low-resolution picture may come from. It computes
// at low resolution and ends in a pixel shuffle (Shi et al. 2016), which makes a pixel of the result
// factor^2 times cheaper than a network at full resolution (Lim et al. 2017, without a norm; C =
// channels):
//
//	head     3 -> C
//	trunk    C -> C   blocks of x + Conv(ReLU(Conv(x))), the second convolution zero at first
//	tail     C -> C   added to head
//	up       C -> 3 factor^2, zero at first, added to low with each pixel repeated
//
// low is [batch, height, width, 3]. The mean is [batch, factor height, factor width, 3], and the
// features are those behind tail, [batch, height, width, C].
func Predictor(scope *nn.Scope, c Config, low *Node, factor int) (mean, features *Node) {
	head := nn.Conv(scope.In("head"), scope.Convert(low), c.BaseChannels, 3)
	x := head
	for i := range c.Blocks {
		block := scope.In("trunk").In(strconv.Itoa(i))
		h := nn.ReLU(nn.Conv(block.In("a"), x, c.BaseChannels, 3))
		x = Add(x, nn.Conv(block.In("b").Scaled(0), h, c.BaseChannels, 3))
	}
	features = Add(head, nn.Conv(scope.In("tail"), x, c.BaseChannels, 3))
	up := nn.PixelShuffle(nn.Conv(scope.In("up").Scaled(0), features, 3*factor*factor, 3), factor)
	float32s := func(x *Node) *Node { return ConvertDType(x, low.DType()) }
	return Add(float32s(up), nn.Repeat(low, factor)), float32s(features)
}

// The bounds of ResidualScale, on the scale -1..1: two levels of 8 bits, and half of the range.
const (
	MinScale = 0.008
	MaxScale = 1.
)

// ResidualScale predicts how far a predictor is likely to be off at each pixel: the logarithm of the
// standard deviation of x_0 - mean, whose colour is scaled first as by ScaleChroma. It is trained by
// the likelihood of a normal distribution: see
// ScaleLoss. In flat regions a predictor errs by almost nothing, at edges and in texture by much;
// divided by this scale, the residual is of unit size everywhere.
//
// features are a predictor's, [batch, height, width, channels]; the result is [batch, height, width,
// factor^2], the pixels of a result in the channels.
func ResidualScale(scope *nn.Scope, features *Node, factor int) *Node {
	channels := features.Shape().Dimensions[3]
	h := nn.ReLU(nn.Conv(scope.In("a"), scope.Convert(features), channels, 3))
	log := ConvertDType(nn.Conv(scope.In("b").Scaled(0), h, factor*factor, 3), features.DType())
	return ClipScalar(AddScalar(log, math.Log(10*MinScale)), math.Log(MinScale), math.Log(MaxScale))
}

// ResidualChroma is the standard deviation of the colour of a residual in units of its luma's. In
// photographs it is 0.13 to 0.25, in those with JPEG's artefacts more. So luma and colour of
// ScaleChroma(residual, 1/ResidualChroma) have about the same size, as noise has.
const ResidualChroma = 0.25

// Luma has the weights of red, green and blue in luma (ITU-R BT.601).
var Luma = [3]float32{0.299, 0.587, 0.114}

// ScaleChroma multiplies the colour of pictures, which is their difference from luma, by a number. x is
// [batch, height, width, 3].
func ScaleChroma(x *Node, by float64) *Node {
	weights := Reshape(Const(x.Graph(), Luma[:]), 1, 1, 1, 3)
	grey := ReduceAndKeep(Mul(x, weights), ReduceSum, -1)
	return Add(MulScalar(x, by), MulScalar(grey, 1-by))
}

// ScaleLoss is the negative logarithm of the likelihood that a normal distribution of standard
// deviation s gives the residual, apart from a constant:
//
//	E residual^2 / (2 s^2) + log(s / MinScale)
//
// residual is [batch, height, width, 3], logScale [batch, height, width, 1].
func ScaleLoss(residual, logScale *Node) *Node {
	square := ReduceAndKeep(Square(residual), ReduceMean, -1)
	inverse := Exp(MulScalar(logScale, -2))
	return ReduceAllMean(Add(MulScalar(Mul(square, inverse), 0.5), AddScalar(logScale, -math.Log(MinScale))))
}

// checkLocal validates the configuration of a predictor or a refiner.
func (c Config) checkLocal() error {
	plain := Config{Name: c.Name, BaseChannels: c.BaseChannels, Blocks: c.Blocks}
	switch {
	case c != plain:
		return fmt.Errorf("attention, transformers, added time, dropout, norm groups, head channels and residual spread "+
			"belong to the networks tiny, small and base, not to the network %s", c.Name)
	case c.Blocks < 1 || c.Blocks > 64:
		return fmt.Errorf("blocks is %d: want a number from 1 to 64", c.Blocks)
	case c.BaseChannels < 1 || c.BaseChannels > 1024:
		return fmt.Errorf("base channels is %d: want a number from 1 to 1024", c.BaseChannels)
	}
	return nil
}
