// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/srdiff/srlab/srdiff/diffusion"
	"github.com/srdiff/srlab/srdiff/networks"
	"github.com/srdiff/srlab/srdiff/nn"
)

// selfEnsemble is the mean of eight predictions (Timofte et al. 2016):
//
//	f(low) = 1/8 sum over T of T^-1 predict(T low)
//
// where T turns by a multiple of 90 degrees, and mirrors or not. A picture and its mirror image are
// equally likely, so a part of the network's error differs between the eight and is averaged out.
func (d denoiser) selfEnsemble(scope *nn.Scope, at diffusion.Time, in networks.Inputs) *Node {
	var sum *Node
	for _, t := range symmetries {
		turned := in
		turned.Xt, turned.Low = t.of(in.Xt), t.of(in.Low)
		predicted := t.inverse(d.predict(scope.Turned(t.of), at, turned))
		if sum == nil {
			sum = predicted
		} else {
			sum = Add(sum, predicted)
		}
	}
	return DivScalar(sum, len(symmetries))
}

// symmetry is one of the eight ways to place a square on itself: mirror it upside down, then left to
// right, then exchange rows and columns.
type symmetry struct{ upsideDown, leftRight, exchange bool }

var symmetries = func() (all []symmetry) {
	for i := range 8 {
		all = append(all, symmetry{i&1 != 0, i&2 != 0, i&4 != 0})
	}
	return all
}()

// of moves the pixels of x, [batch, height, width, channels].
func (s symmetry) of(x *Node) *Node {
	x = s.mirrored(x)
	if s.exchange {
		x = TransposeAllDims(x, 0, 2, 1, 3)
	}
	return x
}

// inverse undoes of.
func (s symmetry) inverse(x *Node) *Node {
	if s.exchange {
		x = TransposeAllDims(x, 0, 2, 1, 3)
	}
	return s.mirrored(x)
}

func (s symmetry) mirrored(x *Node) *Node {
	if s.upsideDown {
		x = Reverse(x, 1)
	}
	if s.leftRight {
		x = Reverse(x, 2)
	}
	return x
}
