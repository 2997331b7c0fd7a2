// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"
	"github.com/gomlx/gomlx/ml/train/optimizer"
)

// adam is GoMLX's Adam with PyTorch's defaults (GoMLX's differ in epsilon, 1e-7), and what a diffusion model's training adds:
// a learning rate that follows a schedule, a bound on the gradients' norm, and an average of the weights.
type adam struct {
	optimizer.Interface
	config Config
}

func newAdam(c Config) *adam {
	return &adam{optimizer.Adam().LearningRate(c.LearningRate).Epsilon(1e-8).Done(), c}
}

// UpdateGraph implements optimizer.Interface.
func (a *adam) UpdateGraph(scope *model.Scope, _ *Graph, loss *Node) {
	a.UpdateGraphWithGradients(scope, scope.BuildTrainableVariablesGradientsGraph(loss), loss.DType())
}

// UpdateGraphWithGradients implements train.OptimizeWithGradients, which accumulated gradients come to.
func (a *adam) UpdateGraphWithGradients(scope *model.Scope, gradients []*Node, dtype dtypes.DType) {
	g := gradients[0].Graph()
	updates := ConvertDType(optimizer.GetGlobalStepVar(scope).NodeValue(g), dtypes.Float32) // before this one
	rate := optimizer.LearningRateVar(scope, dtype, a.config.LearningRate)
	rate.SetNodeValue(learningRate(a.config, updates))
	if a.config.ClipNorm > 0 {
		gradients = clipNorm(gradients, a.config.ClipNorm)
	}
	a.Interface.(train.OptimizeWithGradients).UpdateGraphWithGradients(scope, gradients, dtype)
	if a.config.EMA > 0 {
		updateAverages(scope, a.config, updates)
	}
}

// learningRate is the rate of the update after n updates of the weights, which are steps = n Accumulate:
//
//	rate = LearningRate min(1, (steps + Accumulate) / WarmUp) (1 + cos(pi u)) / 2
//	u = (steps - WarmUp) / Decay, from 0 to 1
func learningRate(c Config, updates *Node) *Node {
	steps := MulScalar(updates, float64(c.Accumulate))
	rate := AddScalar(ZerosLike(steps), c.LearningRate)
	if c.WarmUp > 0 { // the update's own steps count, so that the first is not wasted
		rate = Mul(rate, MinScalar(MulScalar(AddScalar(steps, float64(c.Accumulate)), 1/float64(c.WarmUp)), 1))
	}
	if c.Decay > 0 {
		u := ClipScalar(MulScalar(AddScalar(steps, -float64(c.WarmUp)), 1/float64(c.Decay)), 0, 1)
		rate = Mul(rate, MulScalar(AddScalar(Cos(MulScalar(u, math.Pi)), 1), 0.5))
	}
	return rate
}

// clipNorm scales the gradients down together where their common norm is greater than limit (Pascanu et al. 2013).
func clipNorm(gradients []*Node, limit float64) []*Node {
	var sum *Node
	for _, gradient := range gradients {
		squares := ReduceAllSum(Square(gradient))
		if sum == nil {
			sum = squares
		} else {
			sum = Add(sum, squares)
		}
	}
	scale := MinScalar(Div(Scalar(sum.Graph(), sum.DType(), limit), AddScalar(Sqrt(sum), 1e-6)), 1) // as PyTorch has it
	clipped := make([]*Node, len(gradients))
	for i, gradient := range gradients {
		clipped[i] = Mul(gradient, scale)
	}
	return clipped
}

// updateAverages moves the averaged weights towards the new ones:
//
//	average = d average + (1 - d) weight,   d = min(EMA, (1 + n) / (10 + n)) after n updates
//
// A constant d would hold on to the first weights, which are of no use, for 1 / (1 - EMA) steps; the smaller d at first removes
// that bias: after n updates their share is below 9! / n^9.
func updateAverages(scope *model.Scope, c Config, updates *Node) {
	d := MinScalar(Div(AddScalar(updates, 1), AddScalar(updates, 10)), c.EMA)
	for _, p := range parametersOf(c) {
		average := scope.Store().GetVariable(p.path(averages))
		weight := scope.Store().GetVariable(p.path(weights))
		old, current := average.NodeValue(updates), weight.NodeValue(updates)
		average.SetNodeValue(Add(current, Mul(d, Sub(old, current))))
	}
}
