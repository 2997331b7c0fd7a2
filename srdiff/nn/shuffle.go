// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package nn

import . "github.com/gomlx/gomlx/core/graph"

// PixelShuffle turns channels into pixels (Shi et al. 2016), as torch's pixel_shuffle does: [batch,
// height, width, channels factor^2] -> [batch, factor height, factor width, channels].
func PixelShuffle(x *Node, factor int) *Node {
	d := x.Shape().Dimensions
	channels := d[3] / (factor * factor)
	x = Reshape(x, d[0], d[1], d[2], channels, factor, factor)
	x = TransposeAllDims(x, 0, 1, 4, 2, 5, 3)
	return Reshape(x, d[0], d[1]*factor, d[2]*factor, channels)
}

// PixelUnshuffle is the inverse of PixelShuffle: [batch, factor height, factor width, channels] ->
// [batch, height, width, channels factor^2].
func PixelUnshuffle(x *Node, factor int) *Node {
	d := x.Shape().Dimensions
	x = Reshape(x, d[0], d[1]/factor, factor, d[2]/factor, factor, d[3])
	x = TransposeAllDims(x, 0, 1, 3, 5, 2, 4)
	return Reshape(x, d[0], d[1]/factor, d[2]/factor, d[3]*factor*factor)
}

// Repeat repeats each pixel of a picture factor times in each direction: nearest-neighbour enlargement.
func Repeat(x *Node, factor int) *Node {
	d := x.Shape().Dimensions
	x = Reshape(x, d[0], d[1], 1, d[2], 1, d[3])
	x = BroadcastToDims(x, d[0], d[1], factor, d[2], factor, d[3])
	return Reshape(x, d[0], d[1]*factor, d[2]*factor, d[3])
}
