// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package networks

import (
	"strconv"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/srdiff/srlab/srdiff/nn"
)

// refiner is the network Refiner: it denoises what a predictor leaves open.
type refiner struct{ config Config }

func newRefiner(c Config) (Network, error) { return refiner{c}, c.checkLocal() }

func (refiner) Multiple() int { return 1 }
func (refiner) Margin() int   { return 0 }

// Reach implements Local.
func (n refiner) Reach() int { return 2 + 2*n.config.Blocks }

func (n refiner) Predict(scope *nn.Scope, in Inputs) *Node {
	if in.Features == nil || in.LogScale == nil {
		panic("the network refiner needs a predictor's features: set Config.Predictor")
	}
	return ConvertDType(Refiner(scope, n.config, in), in.Xt.DType())
}

// timeFrequencies is how many waves a Refiner's time embedding has.
const timeFrequencies = 32

// Refiner predicts from the noisy residual x_t of a predictor. It computes at low resolution, as
// Predictor does, and has no norm: a statistic over a picture would make tiles disagree (C = channels;
// f^2 = factor^2).
//
//	head    3 f^2 + features + 3 + f^2 -> C   of [x_t unshuffled, features, low, log scale]
//	trunk   C -> C                            blocks of x + Conv(SiLU(Conv(SiLU(FiLM(x, t))))), the second one zero at first
//	out     C + 3 f^2 -> 3 f^2                of [SiLU(trunk), FiLM(x_t unshuffled, t)], zero at first; then a pixel shuffle
//
// where FiLM(x, t) = (1 + scale(t)) x + shift(t) steers each channel by the time (Perez et al. 2018). The
// noise reaches the output by a path of its own, so the trunk need not carry it.
func Refiner(scope *nn.Scope, c Config, in Inputs) *Node {
	factor := in.Factor()
	emb := nn.SiLU(scope.Convert(nn.TimeEmbedding(scope.In("time"), in.T, timeFrequencies)))
	film := func(scope *nn.Scope, x *Node) *Node {
		n := x.Shape().Dimensions[3]
		both := nn.Dense(scope.Scaled(0), emb, 2*n) // [batch, 2 n], or [1, 2 n] for one time
		part := func(i int) *Node {
			return Reshape(Slice(both, AxisRange(), AxisRange(i*n, (i+1)*n)), -1, 1, 1, n)
		}
		return Add(Mul(x, OnePlus(part(0))), part(1))
	}
	noisy := nn.PixelUnshuffle(scope.Convert(in.Xt), factor)
	logScale := AddScalar(in.LogScale, 2.5) // about the middle of its range
	x := Concatenate([]*Node{noisy, scope.Convert(in.Features), scope.Convert(in.Low), scope.Convert(logScale)}, -1)
	x = nn.Conv(scope.In("head"), x, c.BaseChannels, 3)
	for i := range c.Blocks {
		block := scope.In("trunk").In(strconv.Itoa(i))
		h := nn.Conv(block.In("a"), nn.SiLU(film(block.In("time"), x)), c.BaseChannels, 3)
		x = Add(x, nn.Conv(block.In("b").Scaled(0), nn.SiLU(h), c.BaseChannels, 3))
	}
	x = Concatenate([]*Node{nn.SiLU(x), film(scope.In("noise"), noisy)}, -1)
	return nn.PixelShuffle(nn.Conv(scope.In("out").Scaled(0), x, 3*factor*factor, 3), factor)
}
