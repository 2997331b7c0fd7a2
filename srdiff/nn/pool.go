// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package nn

import . "github.com/gomlx/gomlx/core/graph"

// MaxPool2 halves height and width, which are even: it takes the greatest of each 2x2 pixels.
func MaxPool2(x *Node) *Node { return ReduceMax(blocksOf2(x), 2, 4) }

// AvgPool2 halves height and width, which are even: it takes the mean of each 2x2 pixels.
func AvgPool2(x *Node) *Node { return ReduceMean(blocksOf2(x), 2, 4) }

func blocksOf2(x *Node) *Node {
	d := x.Shape().Dimensions
	return Reshape(x, d[0], d[1]/2, 2, d[2]/2, 2, d[3])
}
