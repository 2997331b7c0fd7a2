// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// Package nn holds the layers of networks, as graph functions that take and return nodes. A layer
// declares its weights once, where it uses them, with the names and layouts of PyTorch's
// state_dict. Pictures and features are [batch, height, width, channels].
//
// As in GoMLX, building a graph panics on misuse.
package nn

import (
	"fmt"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers"
	"github.com/gomlx/gomlx/ml/model"
)

// Scope is the place of a layer in a network: the layer's name, and the GoMLX scope that holds its
// weights.
type Scope struct {
	network  *model.Scope // holds the weights of the whole network
	name     string       // of the layer in PyTorch's state_dict; "" for the whole network
	scale    float64      // of first values: see Scaled
	declared *[]Weight    // the list of Declared, or nil
	fixed    bool         // see Fixed
	inside   *Node        // see Within; may be nil

	precision Precision // see Computing; "" is Float32
}

// NewScope returns the scope of a network whose weights are in a GoMLX scope.
func NewScope(network *model.Scope) *Scope { return &Scope{network: network, scale: 1} }

// In returns the scope of a layer, or of a group of layers, by its name within this one.
func (s *Scope) In(name string) *Scope {
	inner := *s
	if s.name != "" {
		name = s.name + "." + name
	}
	inner.name = name
	return &inner
}

// Scaled returns the same scope with first weights multiplied by times. The weights of Scaled(0)
// begin as zero.
func (s *Scope) Scaled(times float64) *Scope {
	scaled := *s
	scaled.scale *= times
	return &scaled
}

// Fixed returns the same scope without Dropout, also in training. A teacher is used with it.
func (s *Scope) Fixed() *Scope {
	fixed := *s
	fixed.fixed = true
	return &fixed
}

// Within returns the same scope for padded pictures: inside, [1, height, width, 1], is 1 in a
// picture and 0 in its padding. Conv replaces values in the padding by zeros, as beyond the end of
// a picture. So a network of convolutions has the same result as without padding. The features of a
// Conv may be larger than inside by a whole factor.
func (s *Scope) Within(inside *Node) *Scope {
	within := *s
	within.inside = inside
	return &within
}

// Turned returns the same scope for pictures whose pixels the function move has moved: see Within.
func (s *Scope) Turned(move func(*Node) *Node) *Scope {
	turned := *s
	if s.inside != nil {
		turned.inside = move(s.inside)
	}
	return &turned
}

// masked replaces the values of x, [batch, height, width, channels], in the padding by zeros: see
// Within.
func (s *Scope) masked(x *Node) *Node {
	if s.inside == nil {
		return x
	}
	inside := Repeat(s.inside, x.Shape().Dimensions[1]/s.inside.Shape().Dimensions[1])
	return Mul(x, ConvertDType(inside, x.DType()))
}

// Weight returns a weight of the layer as a float32 node of the graph. The name in w is the
// weight's within the layer, such as "bias".
func (s *Scope) Weight(g *Graph, w Weight) *Node {
	w.Name, w.Bound = s.In(w.Name).name, s.scale*w.Bound
	if s.declared != nil {
		for _, other := range *s.declared {
			if other.Name == w.Name {
				panic(fmt.Errorf("two layers declare the weight %s: want a name for each", w.Name))
			}
		}
		*s.declared = append(*s.declared, w)
	}
	path := w.Path(s.network.Scope())
	return s.network.Store().VariableWithShape(path, w.Shape(), s.network.Initializer()).NodeValue(g)
}

// Dropout zeroes the given share of values in training, and scales up the others (Srivastava et al.
// 2014). Outside of training, in a Fixed scope, and for a share of 0, it returns x.
func Dropout(scope *Scope, x *Node, share float64) *Node {
	if scope.fixed {
		return x
	}
	return layers.DropoutStatic(scope.network, x, share)
}

// Declared returns the weights of a network in the order of their declaration. It builds the
// network on a graph that is never compiled, and returns a panic of build as an error.
func Declared(backend compute.Backend, build func(g *Graph, scope *Scope)) (weights []Weight, err error) {
	defer func() {
		if problem := recover(); problem != nil {
			err = fmt.Errorf("building the network: %v", problem)
		}
	}()
	g := NewGraph(backend, "weights")
	defer g.Finalize()
	scope := NewScope(model.NewStore().RootScope())
	scope.declared = &weights
	build(g, scope)
	return weights, nil
}
