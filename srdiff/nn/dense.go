// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package nn

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// Dense is y = x W + b over the last axis, [..., in] -> [..., out].
func Dense(scope *Scope, x *Node, out int) *Node {
	dims := x.Shape().Clone().Dimensions
	last := len(dims) - 1
	in := dims[last]
	w := weightLike(scope, x, Weight{Name: "weight", Dims: []int{in, out}, TorchAxes: []int{1, 0}, Bound: fanIn(in)})
	dims[last], x = out, Reshape(x, -1, in)
	return addBias(scope, Reshape(Dot(x, w).Product(), dims...), fanIn(in))
}

// addBias adds a bias to every channel, the last axis. It adds in float32, since the bias's
// gradient is a sum over all pixels of a batch: XLA on a CPU loses most of such a sum in bfloat16.
func addBias(scope *Scope, x *Node, bound float64) *Node {
	channels := x.Shape().Dimensions[x.Rank()-1]
	b := scope.Weight(x.Graph(), Weight{Name: "bias", Dims: []int{channels}, Bound: bound})
	return ConvertDType(Add(ConvertDType(x, dtypes.Float32), ExpandLeftToRank(b, x.Rank())), x.DType())
}

// weightLike is a weight as a node of x's type.
func weightLike(scope *Scope, x *Node, w Weight) *Node {
	return ConvertDType(scope.Weight(x.Graph(), w), x.DType())
}
