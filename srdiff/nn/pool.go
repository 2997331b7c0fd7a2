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

// Resize resizes pictures [batch, height, width, channels] bilinearly, with half-pixel centres and
// without antialiasing, as torch's interpolate does.
func Resize(x *Node, height, width int) *Node {
	x.AssertRank(4)
	return Interpolate(x, NoInterpolation, height, width, NoInterpolation).Bilinear().Done()
}

// Upsample enlarges pictures [batch, height, width, channels] bilinearly, factor times in each
// direction: see Resize.
func Upsample(x *Node, factor int) *Node {
	d := x.Shape().Dimensions
	return Resize(x, factor*d[1], factor*d[2])
}
