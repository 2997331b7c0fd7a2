// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package diffusion

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// Classifier-free guidance (Ho and Salimans 2021): training drops some of the conditions, so that
// one network learns to predict with and without a condition. Sampling extrapolates from the
// prediction without to the prediction with condition.

// Drop replaces conditions, [batch, ...], by zeros where drop, a boolean [batch], is true. A
// low-resolution picture of zeros is grey.
func Drop(condition, drop *Node) *Node {
	dims := make([]int, condition.Rank())
	for i := range dims {
		dims[i] = 1
	}
	dims[0] = drop.Shape().Size()
	return Mul(condition, Reshape(ConvertDType(LogicalNot(drop), condition.DType()), dims...))
}

// Guide combines the predictions with and without condition (Ho and Salimans 2021, equation 6),
// with the paper's weight w, which is 0 for no guidance (others count from 1: guidance_scale = 1 +
// w):
//
//	guided = (1 + w) conditional - w unconditional
//
// Large weights overexpose. Rescale, in [0, 1], moves the standard deviation of the result towards
// that of the conditional prediction (Lin et al. 2023, equations 15 and 16):
//
//	rescale guided std(conditional) / std(guided) + (1 - rescale) guided,     std over each picture
//
// A constant guided prediction has a standard deviation of 0, and is returned as it is.
//
// The predictions are [batch, height, width, 3]; weight and rescale are scalars or [1, 1, 1, 1].
func Guide(conditional, unconditional, weight, rescale *Node) *Node {
	guided := Add(conditional, Mul(weight, Sub(conditional, unconditional)))
	ratio := Div(spread(conditional), spread(guided))
	ratio = Where(isConstant(guided), OnesLike(ratio), ratio) // 0/0, or two rounding errors
	return Mul(guided, Add(Mul(rescale, ratio), OneMinus(rescale)))
}

// isConstant reports for each picture, [batch, 1, 1, 1], whether its values differ by rounding
// alone.
func isConstant(x *Node) *Node {
	size := Sqrt(ReduceAndKeep(Square(x), ReduceMean, 1, 2, 3))
	return LessOrEqual(spread(x), MulScalar(size, 1e-4))
}

// spread is the standard deviation of each picture, [batch, 1, 1, 1].
func spread(x *Node) *Node {
	centred := Sub(x, ReduceAndKeep(x, ReduceMean, 1, 2, 3))
	return Sqrt(ReduceAndKeep(Square(centred), ReduceMean, 1, 2, 3))
}
