// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package nn

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// TimeChannel is the tutorial's input of the time: one more channel with the constant t/T in [0,
// 1). (The tutorial's code uses t itself, whose values up to 999 are much larger than the pictures'
// [-1, 1]: see docs/errata.md.)
//
// x is the picture, [batch, height, width, channels], whose size the channel has; t is the
// timestep, a number of any type, [batch] or a scalar for all. The result is [batch, height, width,
// 1].
func TimeChannel(x, t *Node, timesteps int) *Node {
	size := x.Shape().Dimensions
	tau := MulScalar(ConvertDType(t, dtypes.Float32), 1/float64(timesteps))
	return BroadcastToDims(Reshape(tau, t.Shape().Size(), 1, 1, 1), size[0], size[1], size[2], 1)
}

// TimeEmbedding is the sinusoidal embedding of timesteps (Vaswani et al. 2017, section 3.5; Ho et
// al. 2020, appendix B), followed by two dense layers:
//
//	e(t) = [cos(w_i t), sin(w_i t)],   w_i = 10000^(-i / (n/2)),   i = 0 .. n/2-1
//	emb  = Dense(SiLU(Dense(e(t)))),   n -> 4n -> 4n
//
// t is a number of any type, [batch] or a scalar for all; n is even. The result is [batch, 4n] or
// [1, 4n].
func TimeEmbedding(scope *Scope, t *Node, n int) *Node {
	frequencies := make([]float32, n/2)
	for i := range frequencies {
		frequencies[i] = float32(math.Pow(10000, -float64(i)/float64(n/2)))
	}
	angles := Mul(Reshape(ConvertDType(t, dtypes.Float32), -1, 1), Reshape(Const(t.Graph(), frequencies), 1, -1))
	emb := Concatenate([]*Node{Cos(angles), Sin(angles)}, -1)
	emb = SiLU(Dense(scope.In("0"), emb, 4*n))
	return Dense(scope.In("2"), emb, 4*n)
}
