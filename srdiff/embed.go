// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
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
