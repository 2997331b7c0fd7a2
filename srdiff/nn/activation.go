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
// GoMLX's own gradient is 1 at 0, where PyTorch's is 0.
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
func SiLU(x *Node) *Node { return activation.Swish(x) }
