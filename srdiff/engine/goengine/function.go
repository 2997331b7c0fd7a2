// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package goengine

//go:generate go run ./genops

import (
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/shapes"
)

// function is a function of GoMLX's that records its operations.
type function struct {
	compute.Function // GoMLX's
	builder          *builder
	parent           *function // of a closure
	operations       []*operation
	parameters       []*value
	results          []*value
}

// operation is one step of a function. Parameters are none.
type operation struct {
	name    string   // of the method
	inputs  []*value // nil for an operand that was omitted
	outputs []*value
	build   buildFunc // adds it to a function of GoMLX's
	axes    []int     // of BroadcastInDim
	own     own       // for what this package computes, or nil
	stage   int       // in which it is computed: see assignStages
}

// own is an operation that this package computes, between two stages.
type own interface {
	// run computes the operation's results, which become r's.
	run(r *run, op *operation) error
}

// buildFunc adds an operation to a function of GoMLX's and returns its results there.
type buildFunc func(g compute.Function, in *inputs) ([]compute.Value, error)

// value is a parameter or a result of an operation.
type value struct {
	inner compute.Value // in the function that GoMLX checks
	from  *operation    // nil for a parameter
	of    *function
	shape shapes.Shape
	name  string // of a parameter
}

// inputs are the operands of an operation in a function of GoMLX's, one after the other.
type inputs struct{ left []compute.Value }

func (in *inputs) next() compute.Value { return in.several(1)[0] }

func (in *inputs) several(n int) []compute.Value {
	values := in.left[:n:n]
	in.left = in.left[n:]
	return values
}

// operands makes one list of values and lists of values.
func operands(lists ...any) []compute.Value {
	var all []compute.Value
	for _, v := range lists {
		if list, ok := v.([]compute.Value); ok {
			all = append(all, list...)
		} else {
			all = append(all, v)
		}
	}
	return all
}

// add adds an operation to GoMLX's function and records it.
func (f *function) add(name string, operands []compute.Value, build buildFunc) (*operation, error) {
	op := &operation{name: name, build: build}
	in := make([]compute.Value, len(operands))
	for i, v := range operands {
		if v == nil {
			op.inputs = append(op.inputs, nil)
			continue
		}
		x := v.(*value)
		if x.of != f { // a closure uses what is around it
			f.builder.divisible = false
		}
		op.inputs = append(op.inputs, x)
		in[i] = x.inner
	}
	out, err := build(f.Function, &inputs{in})
	if err != nil {
		return nil, err
	}
	for _, inner := range out {
		shape, err := f.Function.Shape(inner)
		if err != nil {
			return nil, err
		}
		if shape.IsDynamic() {
			f.builder.divisible = false
		}
		op.outputs = append(op.outputs, &value{inner: inner, from: op, of: f, shape: shape})
	}
	f.operations = append(f.operations, op)
	return op, nil
}

// some adds an operation with any number of results; one, two and three add those with so many.
func (f *function) some(name string, operands []compute.Value, build func(compute.Function, *inputs) ([]compute.Value, error)) ([]compute.Value, error) {
	op, err := f.add(name, operands, build)
	if err != nil {
		return nil, err
	}
	return op.results(), nil
}

// results returns the operation's outputs as GoMLX takes them.
func (op *operation) results() []compute.Value {
	results := make([]compute.Value, len(op.outputs))
	for i, v := range op.outputs {
		results[i] = v
	}
	return results
}

func (f *function) one(name string, operands []compute.Value, build func(compute.Function, *inputs) (compute.Value, error)) (compute.Value, error) {
	op, err := f.add(name, operands, func(g compute.Function, in *inputs) ([]compute.Value, error) {
		a, err := build(g, in)
		return []compute.Value{a}, err
	})
	if err != nil {
		return nil, err
	}
	return op.outputs[0], nil
}

func (f *function) two(name string, operands []compute.Value, build func(compute.Function, *inputs) (a, b compute.Value, err error)) (a, b compute.Value, err error) {
	op, err := f.add(name, operands, func(g compute.Function, in *inputs) ([]compute.Value, error) {
		a, b, err := build(g, in)
		return []compute.Value{a, b}, err
	})
	if err != nil {
		return nil, nil, err
	}
	return op.outputs[0], op.outputs[1], nil
}

func (f *function) three(name string, operands []compute.Value, build func(compute.Function, *inputs) (a, b, c compute.Value, err error)) (a, b, c compute.Value, err error) {
	op, err := f.add(name, operands, func(g compute.Function, in *inputs) ([]compute.Value, error) {
		a, b, c, err := build(g, in)
		return []compute.Value{a, b, c}, err
	})
	if err != nil {
		return nil, nil, nil, err
	}
	return op.outputs[0], op.outputs[1], op.outputs[2], nil
}

func (f *function) Builder() compute.Builder { return f.builder }

func (f *function) Parent() compute.Function {
	if f.parent == nil {
		return nil
	}
	return f.parent
}

func (f *function) Shape(v compute.Value) (shapes.Shape, error) { return v.(*value).shape, nil }

func (f *function) Parameter(name string, shape shapes.Shape, sharding *compute.ShardingSpec) (compute.Value, error) {
	inner, err := f.Function.Parameter(name, shape, sharding)
	if err != nil {
		return nil, err
	}
	if shape.IsDynamic() {
		f.builder.divisible = false
	}
	v := &value{inner: inner, of: f, shape: shape, name: name}
	f.parameters = append(f.parameters, v)
	return v, nil
}

func (f *function) Constant(flat any, dims ...int) (compute.Value, error) {
	return f.one("Constant", nil, func(g compute.Function, _ *inputs) (compute.Value, error) { return g.Constant(flat, dims...) })
}

// Return ends the function. Each result is an operation of its own: it may be a parameter, the result of a
// convolution, or the same as another result.
func (f *function) Return(results []compute.Value, shardings []*compute.ShardingSpec) error {
	inner := make([]compute.Value, len(results))
	for i, v := range results {
		inner[i] = v.(*value).inner
		result, err := f.one("Identity", operands(v), func(g compute.Function, in *inputs) (compute.Value, error) { return g.Identity(in.next()) })
		if err != nil {
			return err
		}
		f.results = append(f.results, result.(*value))
	}
	return f.Function.Return(inner, shardings)
}

// ConvGeneral is the operation for which this package exists.
func (f *function) ConvGeneral(x, kernel compute.Value, axes compute.ConvolveAxesConfig, strides []int, paddings [][2]int,
	inputDilations, kernelDilations []int, channelGroupCount, batchGroupCount int) (compute.Value, error) {
	y, err := f.one("ConvGeneral", operands(x, kernel), func(g compute.Function, in *inputs) (compute.Value, error) {
		return g.ConvGeneral(in.next(), in.next(), axes, strides, paddings, inputDilations, kernelDilations, channelGroupCount, batchGroupCount)
	})
	if err != nil {
		return nil, err
	}
	op := y.(*value).from
	if allOnes(strides) && allOnes(inputDilations) && allOnes(kernelDilations) && channelGroupCount <= 1 && batchGroupCount <= 1 {
		if c := newConvolution(op.inputs[0].shape, op.inputs[1].shape, op.outputs[0].shape, axes, paddings); c != nil {
			op.own = &fused{convolution: c}
		}
	}
	return y, nil
}

// Identity records nothing.
func (f *function) Identity(x compute.Value) (compute.Value, error) { return x, nil }

// BroadcastInDim records its axes, which fuse needs.
func (f *function) BroadcastInDim(x compute.Value, shape shapes.Shape, axes []int) (compute.Value, error) {
	y, err := f.one("BroadcastInDim", operands(x), func(g compute.Function, in *inputs) (compute.Value, error) {
		return g.BroadcastInDim(in.next(), shape, axes)
	})
	if err != nil {
		return nil, err
	}
	y.(*value).from.axes = axes
	return y, nil
}

// DotGeneral of two matrices is a convolution with a kernel of one pixel, or the gradient of its kernel.
func (f *function) DotGeneral(lhs compute.Value, lhsContracting, lhsBatch []int, rhs compute.Value, rhsContracting, rhsBatch []int,
	config compute.DotGeneralConfig) (compute.Value, error) {
	y, err := f.one("DotGeneral", operands(lhs, rhs), func(g compute.Function, in *inputs) (compute.Value, error) {
		return g.DotGeneral(in.next(), lhsContracting, lhsBatch, in.next(), rhsContracting, rhsBatch, config)
	})
	if err != nil {
		return nil, err
	}
	op := y.(*value).from
	if len(lhsContracting) == 1 && len(rhsContracting) == 1 && len(lhsBatch) == 0 {
		if c := newProduct(op.inputs[0].shape, op.inputs[1].shape, op.outputs[0].shape, lhsContracting[0], rhsContracting[0]); c != nil {
			op.own = &fused{convolution: c}
		}
	}
	return y, nil
}

func allOnes(values []int) bool {
	return !slices.ContainsFunc(values, func(v int) bool { return v != 1 })
}

// FusedScaledDotProductAttention has a result and what its gradient needs.
func (f *function) FusedScaledDotProductAttention(query, key, values compute.Value, layout compute.AttentionAxesLayout,
	options *compute.ScaledDotProductAttentionConfig) (output compute.Value, statesForVJP []compute.Value, err error) {
	out, err := f.some("FusedScaledDotProductAttention", operands(query, key, values), func(g compute.Function, in *inputs) ([]compute.Value, error) {
		output, states, err := g.FusedScaledDotProductAttention(in.next(), in.next(), in.next(), layout, options)
		return append([]compute.Value{output}, states...), err
	})
	if err != nil {
		return nil, nil, err
	}
	return out[0], out[1:], nil
}

func (f *function) Closure() (compute.Function, error) {
	inner, err := f.Function.Closure()
	if err != nil {
		return nil, err
	}
	return &function{Function: inner, builder: f.builder, parent: f}, nil
}

// While records a loop. Its functions use nothing but its state, or else GoMLX computes all of the graph.
func (f *function) While(cond, body compute.Function, initialState ...compute.Value) ([]compute.Value, error) {
	l := &loop{cond: cond.(*function), body: body.(*function)}
	op, err := f.add("While", initialState, func(g compute.Function, in *inputs) ([]compute.Value, error) {
		return g.While(l.cond.Function, l.body.Function, in.left...)
	})
	if err != nil {
		return nil, err
	}
	op.own = l
	return op.results(), nil
}

// Other operations with functions are left to GoMLX, and so is the graph.

func (f *function) Call(callee compute.Function, args ...compute.Value) ([]compute.Value, error) {
	f.builder.divisible = false
	return f.some("Call", args, func(g compute.Function, in *inputs) ([]compute.Value, error) {
		return g.Call(callee.(*function).Function, in.left...)
	})
}

func (f *function) Sort(comparator compute.Function, axis int, isStable bool, args ...compute.Value) ([]compute.Value, error) {
	f.builder.divisible = false
	return f.some("Sort", args, func(g compute.Function, in *inputs) ([]compute.Value, error) {
		return g.Sort(comparator.(*function).Function, axis, isStable, in.left...)
	})
}

func (f *function) If(pred compute.Value, trueBranch, falseBranch compute.Function) ([]compute.Value, error) {
	f.builder.divisible = false
	return f.some("If", operands(pred), func(g compute.Function, in *inputs) ([]compute.Value, error) {
		return g.If(in.next(), trueBranch.(*function).Function, falseBranch.(*function).Function)
	})
}

// unwrapDynamic returns sizes that are values of this engine as values of GoMLX's.
func unwrapDynamic[T compute.DynamicDimensionSpec | compute.DynamicPadAxis](sizes []T) []T {
	sizes = slices.Clone(sizes)
	for i := range sizes {
		switch s := any(&sizes[i]).(type) {
		case *compute.DynamicDimensionSpec:
			unwrapInto(&s.Value)
		case *compute.DynamicPadAxis:
			unwrapInto(&s.StartValue, &s.EndValue, &s.InteriorValue)
		}
	}
	return sizes
}

func unwrapInto(values ...*compute.Value) {
	for _, v := range values {
		if *v != nil {
			*v = (*v).(*value).inner
		}
	}
}
