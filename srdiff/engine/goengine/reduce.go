// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package goengine

import (
	"math"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
)

// ReduceSum records a large sum in float32 as an operation of this package, and ReduceMax a maximum.
func (f *function) ReduceSum(x compute.Value, axes ...int) (compute.Value, error) {
	return f.reduce("ReduceSum", compute.Function.ReduceSum, x, axes)
}

func (f *function) ReduceMax(x compute.Value, axes ...int) (compute.Value, error) {
	return f.reduce("ReduceMax", compute.Function.ReduceMax, x, axes)
}

func (f *function) reduce(name string, method func(compute.Function, compute.Value, ...int) (compute.Value, error), x compute.Value, axes []int) (
	compute.Value, error) {
	y, err := f.one(name, operands(x), func(g compute.Function, in *inputs) (compute.Value, error) {
		return method(g, in.next(), axes...)
	})
	if err != nil {
		return nil, err
	}
	op := y.(*value).from
	if shape := op.inputs[0].shape; shape.DType == dtypes.Float32 && !shape.IsDynamic() && shape.Size() >= leastValues {
		op.own = newReduction(shape.Dimensions, axes, name == "ReduceMax")
	}
	return y, nil
}

// reduction is a sum or a maximum over some axes. Neighbouring axes of which all or none are reduced count as one.
type reduction struct {
	maximum bool
	sizes   []int // of the axes
	strides []int // of the result along them; 0 for those that are reduced
}

// newReduction returns the reduction over some axes; over all if there are none.
func newReduction(dimensions, axes []int, maximum bool) *reduction {
	r := &reduction{maximum: maximum}
	reduced := func(axis int) bool { return len(axes) == 0 || slices.Contains(axes, axis) }
	stride := 1
	for axis := len(dimensions) - 1; axis >= 0; axis-- {
		n := len(r.sizes)
		if n > 0 && reduced(axis) == (r.strides[n-1] == 0) {
			r.sizes[n-1] *= dimensions[axis]
		} else if reduced(axis) {
			r.sizes, r.strides = append(r.sizes, dimensions[axis]), append(r.strides, 0)
		} else {
			r.sizes, r.strides = append(r.sizes, dimensions[axis]), append(r.strides, stride)
		}
		if !reduced(axis) {
			stride *= dimensions[axis]
		}
	}
	slices.Reverse(r.sizes)
	slices.Reverse(r.strides)
	return r
}

// run computes the reduction in parts of the first axis, whose number does not depend on that of the processors.
func (r *reduction) run(run *run, op *operation) error {
	return run.compute(op, func(y []float32, in [][]float32) {
		parts := min(sums, r.sizes[0])
		results := make([][]float32, parts) // where each part's result is
		for i := range results {
			results[i] = y
			if r.strides[0] == 0 && i > 0 { // the parts share all of the result
				results[i] = make([]float32, len(y))
			}
		}
		parallel(parts, func(i int) { r.part(results[i], in[0], i*r.sizes[0]/parts, (i+1)*r.sizes[0]/parts) })
		if r.strides[0] == 0 {
			for _, part := range results[1:] {
				r.merge(y, part)
			}
		}
	})
}

// part reduces x from one to before another index of the first axis.
func (r *reduction) part(y, x []float32, from, to int) {
	last := len(r.sizes) - 1
	row, strides := r.sizes[last], r.strides
	x = x[from*len(x)/r.sizes[0] : to*len(x)/r.sizes[0]]
	first := 0.0
	if r.maximum {
		first = math.Inf(-1)
	}
	result := y
	if strides[0] != 0 {
		result = y[from*strides[0] : to*strides[0]]
	}
	for i := range result {
		result[i] = float32(first)
	}
	if last == 0 { // one axis
		if strides[0] == 0 {
			y[0] = r.all(x)
		} else {
			copy(result, x)
		}
		return
	}
	rows := 1 // for each index of the first axis
	for _, n := range r.sizes[1:last] {
		rows *= n
	}
	for p := newPosition(r.sizes[:last], strides[:last], from*rows); len(x) > 0; x = x[row:] {
		if strides[last] == 0 {
			r.merge(y[p.at:p.at+1], []float32{r.all(x[:row])})
		} else {
			r.merge(y[p.at:p.at+row], x[:row])
		}
		p.next()
	}
}

// merge adds x to y, or has y be the greater of both.
func (r *reduction) merge(y, x []float32) {
	if r.maximum {
		greater.each(y, x)
	} else {
		add.each(y, x)
	}
}

// all reduces x to a value. A sum is of four sums, so that they need not wait for each other.
func (r *reduction) all(x []float32) float32 {
	if r.maximum {
		return slices.Max(x)
	}
	var a, b, c, d float32
	for ; len(x) >= 4; x = x[4:] {
		a, b, c, d = a+x[0], b+x[1], c+x[2], d+x[3]
	}
	for _, v := range x {
		a += v
	}
	return a + b + (c + d)
}
