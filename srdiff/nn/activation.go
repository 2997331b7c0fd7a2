// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package nn

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers/activation"
)

// ReLU is y = max(x, 0), with the gradient
//
//	dx = min(2^126 y, 1) dy,   which is dy where y > 0, else 0
//
// GoMLX's own gradient computes signs, which take the pure-Go engine twenty times as long as
// products. It is 1 at 0, where PyTorch's is 0.
func ReLU(x *Node) *Node {
	var y, dy *Node
	x = IdentityWithCustomGradient(x, func(_, _ *Node) *Node { return Mul(MinScalar(MulScalar(y, 0x1p126), 1), dy) })
	y = Max(x, ZerosLike(x))
	return IdentityWithCustomGradient(y, func(_, v *Node) *Node {
		dy = v
		return v
	})
}

// SiLU is y = x sigmoid(x) (Elfwing et al. 2018), also known as Swish.
//
// On the pure-Go engine it is x / (2 + expm1(-x)). Go's math.Exp mixes two kinds of vector
// instructions there, and takes up to a hundred times as long once a matrix product or the Go
// scheduler has left values in the upper halves of vector registers: 790 ns in place of 7. Expm1
// always takes 10 ns.
func SiLU(x *Node) *Node {
	if x.Graph().Backend().Name() != pureGo {
		return activation.Swish(x)
	}
	var divisor, dy *Node
	in := IdentityWithCustomGradient(x, func(_, _ *Node) *Node {
		sigmoid := Inverse(divisor)
		return Mul(dy, Mul(sigmoid, OnePlus(Mul(x, OneMinus(sigmoid)))))
	})
	divisor = AddScalar(StopGradient(Expm1(Neg(x))), 2)
	return IdentityWithCustomGradient(Div(in, divisor), func(_, v *Node) *Node {
		dy = v
		return v
	})
}
