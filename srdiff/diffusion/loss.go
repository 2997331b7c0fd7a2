// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package diffusion

import . "github.com/gomlx/gomlx/core/graph"

// LossKind names the distance d(u) of a prediction from its target, where u = target - prediction.
// srdiff.Loss is the mean of such distances.
type LossKind string

// The kinds of loss.
const (
	MSE   LossKind = "mse"   // u^2
	L1    LossKind = "l1"    // |u|
	Huber LossKind = "huber" // u^2 / 2 where |u| < 1, else |u| - 1/2
)

// Distance returns d(target - predicted), value by value.
func (kind LossKind) Distance(target, predicted *Node) *Node {
	u := Sub(target, predicted)
	switch kind {
	case L1:
		return Abs(u)
	case Huber:
		u = Abs(u)
		return Where(LessThan(u, OnesLike(u)), MulScalar(Square(u), 0.5), AddScalar(u, -0.5))
	}
	return Square(u)
}
