// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package goengine

import (
	"runtime"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
)

// Transpose records a large transposition in float32 as an operation of this package.
func (f *function) Transpose(x compute.Value, permutation ...int) (compute.Value, error) {
	y, err := f.one("Transpose", operands(x), func(g compute.Function, in *inputs) (compute.Value, error) {
		return g.Transpose(in.next(), permutation...)
	})
	if err != nil {
		return nil, err
	}
	op := y.(*value).from
	if shape := op.outputs[0].shape; shape.DType == dtypes.Float32 && !shape.IsDynamic() && shape.Size() >= leastValues {
		op.own = newTransposition(op.inputs[0].shape.Dimensions, permutation)
	}
	return y, nil
}

// transposition changes the order of axes. Axes at the end that stay where they are make blocks, which are copied whole.
type transposition struct {
	block   int   // values of a block
	sizes   []int // of the result's other axes
	strides []int // of the operand along them, in values
}

func newTransposition(dimensions, permutation []int) *transposition {
	t := &transposition{block: 1}
	rank := len(dimensions)
	for rank > 0 && permutation[rank-1] == rank-1 {
		rank--
		t.block *= dimensions[rank]
	}
	strides, stride := make([]int, rank), t.block
	for axis := rank - 1; axis >= 0; axis-- {
		strides[axis] = stride
		stride *= dimensions[axis]
	}
	for _, axis := range permutation[:rank] {
		t.sizes, t.strides = append(t.sizes, dimensions[axis]), append(t.strides, strides[axis])
	}
	return t
}

func (t *transposition) run(r *run, op *operation) error {
	return r.compute(op, func(y []float32, in [][]float32) {
		n := runtime.GOMAXPROCS(0)
		blocks := len(y) / t.block
		parallel(n, func(i int) { t.copy(y, in[0], i*blocks/n, (i+1)*blocks/n) })
	})
}

// copy copies blocks from one to before another.
func (t *transposition) copy(y, x []float32, from, to int) {
	p := newPosition(t.sizes, t.strides, from)
	for i := from; i < to; i++ {
		copy(y[i*t.block:(i+1)*t.block], x[p.at:])
		p.next()
	}
}

// position walks along axes of these sizes, the last one fastest, and knows where the strides lead.
type position struct {
	sizes, strides, index []int
	at                    int
}

// newPosition returns the position number i.
func newPosition(sizes, strides []int, i int) *position {
	p := &position{sizes: sizes, strides: strides, index: make([]int, len(sizes))}
	for axis := len(sizes) - 1; axis >= 0; axis-- {
		p.index[axis] = i % sizes[axis]
		i /= sizes[axis]
		p.at += p.index[axis] * strides[axis]
	}
	return p
}

// next goes on by one; after the last position comes the first.
func (p *position) next() {
	for axis := len(p.index) - 1; axis >= 0; axis-- {
		p.at += p.strides[axis]
		if p.index[axis]++; p.index[axis] < p.sizes[axis] {
			return
		}
		p.at -= p.index[axis] * p.strides[axis]
		p.index[axis] = 0
	}
}
