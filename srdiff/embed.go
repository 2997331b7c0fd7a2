// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
)

// TimeChannel tells the network the time the tutorial's way: as one more channel, constant over the picture, of value
// t/T in [0, 1). (The tutorial's code feeds t itself; 0..999 dwarfs the pictures' [-1, 1], see docs/errata.md.)
//
// x is the picture [batch, height, width, 3] that the channel is for, t an integer [batch] or a scalar for all; the result
// is [batch, height, width, 1].
func TimeChannel(x, t *Node, timesteps int) *Node {
	size := x.Shape().Dimensions
	tau := MulScalar(ConvertDType(t, dtypes.Float32), 1/float64(timesteps))
	return BroadcastToDims(Reshape(tau, t.Shape().Size(), 1, 1, 1), size[0], size[1], size[2], 1)
}

// TimeEmbedding turns timesteps into vectors that change fast and slowly with time (Vaswani et al. 2017, section 3.5; Ho et al.
// 2020, appendix B), and these into what the network's blocks are steered with:
//
//	e(t) = [cos(w_i t), sin(w_i t)],   w_i = 10000^(-i / (n/2)),   i = 0 .. n/2-1
//	emb  = Dense(SiLU(Dense(e(t)))),   n -> 4n -> 4n
//
// t is an integer [batch], or a scalar for all; the result is [batch, 4n] or [1, 4n]. n is even.
func TimeEmbedding(scope *model.Scope, t *Node, n int) *Node {
	frequencies := make([]float32, n/2)
	for i := range frequencies {
		frequencies[i] = float32(math.Pow(10000, -float64(i)/float64(n/2)))
	}
	angles := Mul(Reshape(ConvertDType(t, dtypes.Float32), -1, 1), Reshape(Const(t.Graph(), frequencies), 1, -1))
	emb := Concatenate([]*Node{Cos(angles), Sin(angles)}, -1)
	emb = activation.Swish(Dense(scope.In("0"), emb, 4*n))
	return Dense(scope.In("2"), emb, 4*n)
}
