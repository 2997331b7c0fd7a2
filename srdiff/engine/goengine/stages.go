// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package goengine

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/shapes"
)

// staged is a graph that was divided into stages.
type staged struct {
	backend    *Backend
	parameters []*value
	results    []*value
	stages     []stage
	uses       map[*value]int // how many stages and own operations need a value, and the caller
}

// stage is a graph of GoMLX's engine, and this package's operations that follow it.
type stage struct {
	exec    compute.Executable // nil if there is nothing to compute
	inputs  []*value           // of exec
	outputs []*value
	own     []*operation
}

// assignStages sets each operation's stage. This package's operations of stage s run after GoMLX's of
// stage s, so their results are there from stage s+1 on. They are computed as early as they can be, and
// GoMLX's as late as they can be: many make large values from small ones. It returns the number of stages.
func assignStages(operations []*operation) int {
	last := 0
	for _, op := range operations {
		for _, v := range op.inputs {
			if v != nil && v.from != nil {
				op.stage = max(op.stage, available(v.from))
			}
		}
		last = max(last, op.stage)
	}
	late := map[*operation]int{}
	for _, op := range slices.Backward(operations) {
		if stage, used := late[op]; used && op.own == nil {
			op.stage = stage
		}
		for _, v := range op.inputs {
			if v == nil || v.from == nil {
				continue
			}
			if stage, found := late[v.from]; !found || op.stage < stage {
				late[v.from] = op.stage
			}
		}
	}
	return last + 1
}

// available returns the first stage that can use what op computes.
func available(op *operation) int {
	if op.own != nil {
		return op.stage + 1
	}
	return op.stage
}

// compileStages compiles a function.
func compileStages(backend *Backend, name string, f *function) (*staged, error) {
	s := &staged{backend: backend, parameters: f.parameters, results: f.results, uses: map[*value]int{}}
	operations := fuse(neededBy(f.results))
	for _, op := range operations {
		if l, ok := op.own.(*loop); ok {
			if err := l.compile(backend, name); err != nil {
				return nil, err
			}
		}
	}
	s.stages = make([]stage, assignStages(operations))
	members := make([][]*operation, len(s.stages)) // GoMLX's operations of each stage
	for _, op := range operations {
		st := &s.stages[op.stage]
		if op.own != nil {
			st.own = append(st.own, op)
		} else {
			members[op.stage] = append(members[op.stage], op)
		}
	}
	// What a stage takes from others, and what others take from it.
	crossing := map[*value]bool{}
	for _, v := range f.results {
		crossing[v] = true
		s.uses[v]++
	}
	for i := range s.stages {
		st := &s.stages[i]
		seen := map[*value]bool{}
		take := func(v *value) {
			if v != nil && !seen[v] && (v.from == nil || v.from.stage != i || v.from.own != nil) {
				seen[v] = true
				crossing[v] = true
				s.uses[v]++
				st.inputs = append(st.inputs, v)
			}
		}
		for _, op := range members[i] {
			for _, v := range op.inputs {
				take(v)
			}
		}
		for _, op := range st.own {
			for _, v := range op.inputs {
				crossing[v] = true
				s.uses[v]++
			}
		}
	}
	for i := range s.stages {
		st := &s.stages[i]
		for _, op := range members[i] {
			for _, v := range op.outputs {
				if crossing[v] {
					st.outputs = append(st.outputs, v)
				}
			}
		}
		if err := st.compile(backend.Backend, fmt.Sprintf("%s, stage %d", name, i), members[i]); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// neededBy returns the operations that results depend on, each after those it depends on.
func neededBy(results []*value) []*operation {
	var operations []*operation
	seen := map[*operation]bool{}
	var visit func(v *value)
	visit = func(v *value) {
		if v == nil || v.from == nil || seen[v.from] {
			return
		}
		seen[v.from] = true
		for _, in := range v.from.inputs {
			visit(in)
		}
		operations = append(operations, v.from)
	}
	for _, v := range results {
		visit(v)
	}
	return operations
}

// compile builds the stage's graph.
func (st *stage) compile(backend compute.Backend, name string, operations []*operation) error {
	if len(st.outputs) == 0 {
		return nil
	}
	builder := backend.Builder(name)
	main := builder.Main()
	values := map[*value]compute.Value{}
	for i, v := range st.inputs {
		p, err := main.Parameter(fmt.Sprintf("input %d", i), v.shape, nil)
		if err != nil {
			return err
		}
		values[v] = p
	}
	for _, op := range operations {
		in := make([]compute.Value, len(op.inputs))
		for i, v := range op.inputs {
			if v != nil {
				in[i] = values[v]
			}
		}
		out, err := op.build(main, &inputs{in})
		if err != nil {
			return err
		}
		for i, v := range op.outputs {
			values[v] = out[i]
		}
	}
	results := make([]compute.Value, len(st.outputs))
	for i, v := range st.outputs {
		results[i] = values[v]
	}
	err := main.Return(results, nil)
	if err == nil {
		st.exec, err = builder.Compile()
	}
	return err
}

// Inputs returns the names and shapes of the parameters.
func (s *staged) Inputs() ([]string, []shapes.Shape) {
	var names []string
	for _, p := range s.parameters {
		names = append(names, p.name)
	}
	return names, shapesOf(s.parameters)
}

// Outputs returns the shapes of the results.
func (s *staged) Outputs() []shapes.Shape { return shapesOf(s.results) }

func shapesOf(values []*value) []shapes.Shape {
	var all []shapes.Shape
	for _, v := range values {
		all = append(all, v.shape)
	}
	return all
}

// Finalize frees the stages.
func (s *staged) Finalize() {
	for _, st := range s.stages {
		if st.exec != nil {
			st.exec.Finalize()
		}
		for _, op := range st.own {
			if l, ok := op.own.(*loop); ok {
				l.condStages.Finalize()
				l.bodyStages.Finalize()
			}
		}
	}
	s.stages = nil
}

// Execute runs the stages and the own operations between them.
func (s *staged) Execute(inputs []compute.Buffer, donate []bool, device compute.DeviceNum) ([]compute.Buffer, error) {
	results, err := s.execute(unwrap(inputs), donate, device)
	return s.backend.wrap(results), err
}

// execute is Execute for buffers of GoMLX's.
func (s *staged) execute(inputs []compute.Buffer, donate []bool, device compute.DeviceNum) ([]compute.Buffer, error) {
	if len(inputs) != len(s.parameters) {
		return nil, fmt.Errorf("%d inputs, want %d", len(inputs), len(s.parameters))
	}
	r := &run{staged: s, device: device, held: map[*value]held{}}
	for i, v := range s.parameters {
		r.held[v] = held{buffer: inputs[i], uses: s.uses[v], mine: len(donate) > 0 && donate[i]}
	}
	for i := range s.stages {
		if err := r.stage(&s.stages[i]); err != nil {
			return nil, err
		}
	}
	results := make([]compute.Buffer, len(s.results))
	for i, v := range s.results {
		results[i] = r.held[v].buffer
	}
	return results, nil
}

// run is one execution.
type run struct {
	*staged
	device compute.DeviceNum
	held   map[*value]held
}

// held is a buffer of a value.
type held struct {
	buffer compute.Buffer
	uses   int  // how often it will be needed
	mine   bool // it may be overwritten after the last use
	pooled bool // it is from Backend.newBuffer
}

// isLast reports whether nothing needs the buffer after this use.
func (h held) isLast() bool { return h.mine && h.uses == 0 }

// stage computes a stage and its own operations.
func (r *run) stage(st *stage) error {
	if st.exec != nil {
		taken := r.take(st.inputs)
		inputs, donate := make([]compute.Buffer, len(taken)), make([]bool, len(taken))
		for i, h := range taken {
			inputs[i], donate[i] = h.buffer, h.isLast() && !h.pooled
		}
		results, err := st.exec.Execute(inputs, donate, r.device)
		if err != nil {
			return err
		}
		for _, h := range taken {
			if h.pooled && h.isLast() {
				r.backend.pool(h.buffer)
			}
		}
		r.put(st.outputs, false, results...)
	}
	for _, op := range st.own {
		if err := op.own.run(r, op); err != nil {
			return err
		}
	}
	return nil
}

// take returns the values' buffers, with one use less.
func (r *run) take(values []*value) []held {
	var taken []held
	for _, v := range values {
		h := r.held[v]
		h.uses--
		r.held[v] = h
		if taken = append(taken, h); h.uses == 0 {
			delete(r.held, v)
		}
	}
	return taken
}

// put holds the values' buffers.
func (r *run) put(values []*value, pooled bool, buffers ...compute.Buffer) {
	for i, v := range values {
		r.held[v] = held{buffer: buffers[i], uses: r.uses[v], mine: true, pooled: pooled}
	}
}

// compute computes an own operation's only result from its operands, all in float32.
func (r *run) compute(op *operation, compute func(y []float32, in [][]float32)) error {
	y, flat, err := r.backend.newBuffer(r.device, op.outputs[0].shape)
	if err != nil {
		return err
	}
	taken := r.take(op.inputs)
	in := make([][]float32, len(taken))
	for i, h := range taken {
		values, err := h.buffer.Data()
		if err != nil {
			return err
		}
		in[i] = values.([]float32)
	}
	compute(flat, in)
	r.put(op.outputs, true, y)
	for _, h := range taken {
		switch {
		case !h.isLast():
		case h.pooled:
			r.backend.pool(h.buffer)
		default:
			if err := h.buffer.Finalize(); err != nil {
				return err
			}
		}
	}
	return nil
}

// loop is a loop as long as cond of its state is true, each time with body's results as the next state.
type loop struct {
	cond, body             *function
	condStages, bodyStages *staged
}

func (l *loop) compile(backend *Backend, name string) (err error) {
	if l.condStages, err = compileStages(backend, name+", condition", l.cond); err != nil {
		return err
	}
	l.bodyStages, err = compileStages(backend, name+", body", l.body)
	return err
}

func (l *loop) run(r *run, op *operation) error {
	taken := r.take(op.inputs)
	state, mine := make([]compute.Buffer, len(taken)), make([]bool, len(taken))
	for i, h := range taken {
		state[i] = h.buffer
	}
	for i, h := range taken { // a buffer that the state has twice must not be overwritten
		mine[i] = h.isLast() && !h.pooled && !slices.Contains(state[:i], h.buffer) && !slices.Contains(state[i+1:], h.buffer)
	}
	for {
		more, err := l.condStages.execute(state, nil, r.device)
		if err != nil {
			return err
		}
		flat, err := more[0].Data()
		if err != nil {
			return err
		}
		if !flat.([]bool)[0] {
			break
		}
		if state, err = l.bodyStages.execute(state, mine, r.device); err != nil {
			return err
		}
		for i := range mine {
			mine[i] = true
		}
	}
	r.put(op.outputs, false, state...)
	for i, v := range op.outputs {
		h := r.held[v]
		h.mine = mine[i]
		r.held[v] = h
	}
	return nil
}
