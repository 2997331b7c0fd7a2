// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package goengine

import (
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
)

// fused is a convolution, or an operation on each value of its first operand, and what is done to each
// value of the result: a bias, an activation, a sum with another picture. So these values need not be
// written to memory and read again for each.
type fused struct {
	convolution *convolution // nil: the steps begin with the first operand
	steps       []step
}

// step is an operation on each value x.
type step struct {
	kind    stepKind
	operand int // its second operand's place among the operation's inputs
	per     perKind
}

type stepKind int

const (
	add         stepKind = iota // x + operand
	subtract                    // x - operand
	multiply                    // x operand
	divide                      // x / operand
	greater                     // max(x, operand)
	lesser                      // min(x, operand)
	sign                        // -1, 0 or 1
	exponential                 // e^x
	logistic                    // 1 / (1 + e^-x)
	silu                        // x / (1 + e^-x)
)

// perKind is which values have a value of the second operand of their own.
type perKind int

const (
	perValue          perKind = iota // each has
	perChannel                       // those of a channel share one
	perPictureChannel                // those of a channel of a picture share one
	perAll                           // there is one
)

var unaries = map[string]stepKind{"Sign": sign, "Exp": exponential, "Logistic": logistic}

var binaries = map[string]stepKind{"Add": add, "Sub": subtract, "Mul": multiply, "Div": divide, "Max": greater, "Min": lesser}

// fuse replaces operations by fused ones where it can, and returns those that are left. Both lists have each
// operation after those that it depends on.
func fuse(operations []*operation) []*operation {
	f := &fuser{uses: map[*value]int{}, dropped: map[*operation]bool{}}
	for _, op := range operations {
		for _, v := range op.inputs {
			f.uses[v]++
		}
	}
	for _, op := range operations {
		if op.own != nil || len(op.outputs) != 1 || op.outputs[0].shape.DType != dtypes.Float32 {
			continue
		}
		if op.name == "Reshape" {
			f.reshape(op)
			continue
		}
		unary, isUnary := unaries[op.name]
		kind, binary := binaries[op.name]
		switch {
		case op.outputs[0].shape.Size() < leastSteps:
		case isUnary:
			f.own(op, step{kind: unary}, op.inputs[0], nil)
		case op.name == "Mul" && isLogisticOf(op.inputs[1], op.inputs[0]):
			f.own(op, step{kind: silu}, op.inputs[0], op.inputs[1])
		case op.name == "Mul" && isLogisticOf(op.inputs[0], op.inputs[1]):
			f.own(op, step{kind: silu}, op.inputs[1], op.inputs[0])
		case binary:
			f.binary(op, kind)
		}
	}
	for _, op := range operations {
		if _, isLoop := op.own.(*loop); op.own != nil && !isLoop && !f.dropped[op] {
			f.seeThrough(op)
		}
	}
	return slices.DeleteFunc(slices.Clone(operations), func(op *operation) bool { return f.dropped[op] })
}

// fuser is the state of fuse.
type fuser struct {
	uses    map[*value]int // by operations that are not dropped
	dropped map[*operation]bool
}

func isLogisticOf(v, x *value) bool {
	return v.from != nil && v.from.name == "Logistic" && v.from.inputs[0] == x
}

// own makes op the step on x, and frees what it used before: x, and unused if that is not nil.
func (f *fuser) own(op *operation, s step, x, unused *value) {
	op.inputs = []*value{x}
	op.own = &fused{steps: []step{s}}
	if unused != nil {
		f.free(unused)
	}
	f.join(op, x)
}

// free counts one use less of v, and drops its operation when none is left.
func (f *fuser) free(v *value) {
	if f.uses[v]--; f.uses[v] > 0 || v.from == nil || f.dropped[v.from] || len(v.from.outputs) > 1 {
		return
	}
	f.dropped[v.from] = true
	for _, in := range v.from.inputs {
		f.free(in)
	}
}

// canContinue reports whether another step can follow the operation that computes x.
func (f *fuser) canContinue(x *value) bool {
	if x.from == nil || f.uses[x] != 1 {
		return false
	}
	before, ok := x.from.own.(*fused)
	return ok && !(before.convolution != nil && before.convolution.ofKernel)
}

// join makes the steps of op a part of the operation that computes its first operand x, if they can be.
func (f *fuser) join(op *operation, x *value) {
	if !f.canContinue(x) {
		return
	}
	before := x.from.own.(*fused)
	op.inputs = slices.Concat(x.from.inputs, op.inputs[1:])
	op.own = &fused{before.convolution, slices.Concat(before.steps, op.own.(*fused).steps)}
	f.dropped[x.from] = true
}

// reshape makes a change of shape a part of the operation before it, if that is possible. A step on channels
// needs the last axis, one on the channels of pictures all.
func (f *fuser) reshape(op *operation) {
	x := op.inputs[0]
	from, to := x.shape.Dimensions, op.outputs[0].shape.Dimensions
	if x.from == nil || f.uses[x] != 1 || len(from) == 0 || len(to) == 0 || from[len(from)-1] != to[len(to)-1] {
		return
	}
	switch before := x.from.own.(type) {
	case *transposition:
	case *fused:
		if slices.ContainsFunc(before.steps, func(s step) bool { return s.per == perPictureChannel }) {
			return
		}
	default:
		return
	}
	op.inputs, op.own = x.from.inputs, x.from.own
	f.dropped[x.from] = true
}

// seeThrough has an own operation use what a change of shape has as its operand: it needs the values alone.
func (f *fuser) seeThrough(op *operation) {
	op.inputs = slices.Clone(op.inputs)
	for i, v := range op.inputs {
		for v.from != nil && v.from.name == "Reshape" && v.from.own == nil {
			source := v.from.inputs[0]
			f.uses[source]++
			f.free(v)
			v = source
		}
		op.inputs[i] = v
	}
}

// leastValues is the least number of values for which an operation in memory is worth a stage of its own, and
// leastSteps that for one that computes much more than it moves, such as e^x, or that can join another.
const leastValues, leastSteps = 1 << 16, 1 << 8

// binary makes op a step after the operation that computes one of its operands, if it can be, or else a
// first step on one of them, if it is large.
func (f *fuser) binary(op *operation, kind stepKind) {
	x, y := op.inputs[0], op.inputs[1]
	swap := kind != subtract && kind != divide
	shape := op.outputs[0].shape
	switch _, ok := perOf(y, shape); {
	case ok && x.shape.Equal(shape) && (f.canContinue(x) || !(swap && f.canContinue(y)) && shape.Size() >= leastValues):
	case swap && y.shape.Equal(shape) && (f.canContinue(y) || shape.Size() >= leastValues):
		x, y = y, x
	default:
		return
	}
	per, ok := perOf(y, shape)
	if !ok {
		return
	}
	operand := 1
	if f.canContinue(x) {
		operand = len(x.from.inputs)
	}
	source := y
	if y.from != nil && y.from.name == "BroadcastInDim" && per != perValue {
		source = y.from.inputs[0]
		f.uses[source]++
		f.free(y)
	}
	op.inputs = []*value{x, source}
	op.own = &fused{steps: []step{{kind: kind, operand: operand, per: per}}}
	f.join(op, x)
}

// perOf returns which values of a result of that shape share a value of the operand y.
func perOf(y *value, shape shapes.Shape) (perKind, bool) {
	if y.shape.DType != dtypes.Float32 {
		return 0, false
	}
	d, last := shape.Dimensions, shape.Rank()-1
	own := make([]bool, len(d)) // for each axis, whether its values have values of their own
	if y.from != nil && y.from.name == "BroadcastInDim" {
		for i, axis := range y.from.axes {
			own[axis] = y.from.inputs[0].shape.Dimensions[i] > 1
		}
	} else if y.shape.Rank() == len(d) {
		for axis, n := range y.shape.Dimensions {
			own[axis] = n > 1
		}
	} else if y.shape.Size() != 1 {
		return 0, false
	}
	all, none := true, true
	for axis, n := range d {
		all = all && (own[axis] || n == 1)
		none = none && !own[axis]
	}
	switch {
	case none:
		return perAll, true
	case all && y.shape.Equal(shape):
		return perValue, true
	case last > 0 && own[last] && !slices.Contains(own[:last], true):
		return perChannel, true
	case last > 1 && own[last] && own[0] && !slices.Contains(own[1:last], true):
		return perPictureChannel, true
	}
	return 0, false
}

func (f *fused) run(r *run, op *operation) error {
	shape := op.outputs[0].shape
	return r.compute(op, func(y []float32, in [][]float32) { f.compute(y, in, shape) })
}

// compute computes y, of that shape, from the operands.
func (f *fused) compute(y []float32, in [][]float32, shape shapes.Shape) {
	if len(f.steps) == 0 {
		f.convolution.run(y, in[0], in[1], func(from, to int) {})
		return
	}
	channels, picture := 1, len(y)
	if d := shape.Dimensions; len(d) > 0 {
		channels, picture = d[len(d)-1], len(y)/d[0]
	}
	steps := func(from, to int) {
		for _, s := range f.steps {
			s.apply(y[from:to], from, in, channels, picture)
		}
	}
	if f.convolution != nil {
		f.convolution.run(y, in[0], in[1], steps)
		return
	}
	part := max(1, 1<<13/channels) * channels
	parts := (len(y) + part - 1) / part
	parallel(parts, func(i int) {
		from, to := i*part, min((i+1)*part, len(y))
		copy(y[from:to], in[0][from:to])
		steps(from, to)
	})
}

// apply computes the step for whole pixels, which begin at the value from of the result.
func (s *step) apply(y []float32, from int, in [][]float32, channels, picture int) {
	switch {
	case s.kind == silu:
		siluOf(y)
	case s.kind == sign:
		for i, x := range y {
			switch {
			case x > 0:
				y[i] = 1
			case x < 0:
				y[i] = -1
			}
		}
	case s.kind == exponential:
		for i, x := range y {
			y[i] = exp(x)
		}
	case s.kind == logistic:
		logisticOf(y)
	case s.per == perValue:
		s.kind.each(y, in[s.operand][from:])
	case s.per == perAll:
		s.kind.same(y, in[s.operand][0])
	default:
		row := in[s.operand]
		for ; len(y) > 0; y, from = y[channels:], from+channels {
			if s.per == perPictureChannel {
				row = in[s.operand][from/picture*channels:]
			}
			s.kind.each(y[:channels], row)
		}
	}
}

// each applies the step to each value of y, with its own second operand.
func (k stepKind) each(y, operand []float32) {
	operand = operand[:len(y)]
	done := k.eachEight(y, operand)
	y, operand = y[done:], operand[done:]
	switch k {
	case add:
		for i, v := range operand {
			y[i] += v
		}
	case subtract:
		for i, v := range operand {
			y[i] -= v
		}
	case multiply:
		for i, v := range operand {
			y[i] *= v
		}
	case divide:
		for i, v := range operand {
			y[i] /= v
		}
	case greater:
		for i, v := range operand {
			y[i] = max(y[i], v)
		}
	case lesser:
		for i, v := range operand {
			y[i] = min(y[i], v)
		}
	}
}

// same is each with one second operand for all.
func (k stepKind) same(y []float32, operand float32) {
	switch k {
	case add:
		for i := range y {
			y[i] += operand
		}
	case subtract:
		for i := range y {
			y[i] -= operand
		}
	case multiply:
		for i := range y {
			y[i] *= operand
		}
	case divide:
		for i := range y {
			y[i] /= operand
		}
	case greater:
		for i, v := range y {
			y[i] = max(v, operand)
		}
	case lesser:
		for i, v := range y {
			y[i] = min(v, operand)
		}
	}
}
