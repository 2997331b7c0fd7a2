// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// Classifier-free guidance (Ho and Salimans 2021): one network learns to predict with the condition and, because training
// drops the condition now and then, without; sampling goes further in the direction that the condition makes a difference.

// Drop replaces the condition y [batch, height, width, channels] by zeros, a grey picture, where drop, a boolean [batch], is
// true.
func Drop(y, drop *Node) *Node {
	keep := ConvertDType(LogicalNot(drop), y.DType())
	return Mul(y, Reshape(keep, y.Shape().Dimensions[0], 1, 1, 1))
}

// Guide puts the predictions with and without condition together (Ho and Salimans 2021, equation 6), with the paper's weight
// w, which is 0 for no guidance (others count from 1: guidance_scale = 1 + w):
//
//	guided = (1 + w) conditional - w unconditional
//
// Rescale in [0, 1] brings the spread of the result that much back to the conditional one's, since large weights overexpose
// (Lin et al. 2023, equations 15 and 16):
//
//	rescale guided std(conditional) / std(guided) + (1 - rescale) guided,     std over each picture
//
// The predictions are [batch, height, width, 3]; weight and rescale multiply them, so they are scalars or [1, 1, 1, 1].
func Guide(conditional, unconditional, weight, rescale *Node) *Node {
	guided := Add(conditional, Mul(weight, Sub(conditional, unconditional)))
	ratio := Div(spread(conditional), spread(guided))
	return Mul(guided, Add(Mul(rescale, ratio), OneMinus(rescale)))
}

// spread is the standard deviation of each picture, [batch, 1, 1, 1].
func spread(x *Node) *Node {
	centred := Sub(x, ReduceAndKeep(x, ReduceMean, 1, 2, 3))
	return Sqrt(ReduceAndKeep(Square(centred), ReduceMean, 1, 2, 3))
}
