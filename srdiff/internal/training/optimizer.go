// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package training

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"
	"github.com/gomlx/gomlx/ml/train/optimizer"
)

// Adam configures the optimizer.
type Adam struct {
	LearningRate  float64
	WarmUp, Decay int     // steps: see rate
	ClipNorm      float64 // greatest norm of all gradients together; 0 for any
	Accumulate    int     // steps whose mean gradient changes the weights once
	EMA           float64 // decay of the averages
	Averages      []Average
}

// New returns GoMLX's Adam with PyTorch's defaults (GoMLX's differ in epsilon, 1e-7), and what the
// training of a diffusion model adds: a learning rate that follows a schedule, a bound on the
// gradients' norm, and averages of the weights.
func (a Adam) New() optimizer.Interface {
	return &adam{optimizer.Adam().LearningRate(a.LearningRate).Epsilon(1e-8).Done(), a}
}

type adam struct {
	optimizer.Interface
	config Adam
}

// UpdateGraph implements optimizer.Interface.
func (a *adam) UpdateGraph(scope *model.Scope, _ *Graph, loss *Node) {
	a.UpdateGraphWithGradients(scope, scope.BuildTrainableVariablesGradientsGraph(loss), loss.DType())
}

// UpdateGraphWithGradients implements train.OptimizeWithGradients, which accumulated gradients
// need.
func (a *adam) UpdateGraphWithGradients(scope *model.Scope, gradients []*Node, dtype dtypes.DType) {
	g := gradients[0].Graph()
	updates := ConvertDType(optimizer.GetGlobalStepVar(scope).NodeValue(g), dtypes.Float32) // before this one
	rate := optimizer.LearningRateVar(scope, dtype, a.config.LearningRate)
	rate.SetNodeValue(a.config.rate(updates))
	if a.config.ClipNorm > 0 {
		gradients = clipNorm(gradients, a.config.ClipNorm)
	}
	a.Interface.(train.OptimizeWithGradients).UpdateGraphWithGradients(scope, gradients, dtype)
	updateAverages(scope.Store(), a.config.Averages, a.config.EMA, updates)
}

// rate is the learning rate of the update after n updates of the weights, which are steps = n
// Accumulate:
//
//	rate = LearningRate min(1, (steps + Accumulate) / WarmUp) (1 + cos(pi u)) / 2
//	u = (steps - WarmUp) / Decay, from 0 to 1
func (a Adam) rate(updates *Node) *Node {
	steps := MulScalar(updates, float64(a.Accumulate))
	rate := AddScalar(ZerosLike(steps), a.LearningRate)
	if a.WarmUp > 0 { // the update's own steps count, so that the first is not wasted
		rate = Mul(rate, MinScalar(MulScalar(AddScalar(steps, float64(a.Accumulate)), 1/float64(a.WarmUp)), 1))
	}
	if a.Decay > 0 {
		u := ClipScalar(MulScalar(AddScalar(steps, -float64(a.WarmUp)), 1/float64(a.Decay)), 0, 1)
		rate = Mul(rate, MulScalar(AddScalar(Cos(MulScalar(u, math.Pi)), 1), 0.5))
	}
	return rate
}

// clipNorm scales all gradients down together where their common norm is greater than limit
// (Pascanu et al. 2013).
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
