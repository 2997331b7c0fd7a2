// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"context"
	"fmt"
	"time"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/srdiff/srlab/srdiff/imaging"
)

// SampleStep is where a trajectory stands after one reverse step. The tensors are valid during the callback only.
type SampleStep struct {
	Done, Steps int             // reverse steps done, and in all
	T           int             // the timestep that was undone: T-1 at first, 0 at last
	X           *tensors.Tensor // x_{t-1}, [batch, height, width, 3]
	X0          *tensors.Tensor // the predicted x_0, clipped to [-1, 1], of the same shape
}

// Sample draws one high-resolution picture for each low-resolution one (the tutorial's sample_diffusion; Ho et al. 2020,
// algorithm 2, with the predicted x_0 clipped):
//
//	x_T ~ N(0, I), y = Upscale(low)
//	for t = T-1 .. 0:  eps = eps_theta(x_t, t, y);  x_0 = ClipX0(PredictX0(x_t, eps));  x_{t-1} = PSample(x_t, x_0, z)
//
// The low-resolution pictures have one size; the results are Scale times larger each way. The same seed gives the same
// pictures on the same engine. Each, if not nil, is called after every step. When ctx ends, Sample stops with an error
// that wraps ctx's.
//
// The loop runs on the engine, as many steps at a time as take about a second, so that ctx is heeded; with a callback, one.
func (m *Model) Sample(ctx context.Context, seed int64, each func(SampleStep), low ...imaging.Picture) (
	[]imaging.Picture, error) {
	lowTensor, err := Tensor(low...)
	if err != nil {
		return nil, err
	}
	rng, err := RNGStateFromSeed(seed)
	if err != nil {
		return nil, fmt.Errorf("seeding the noise: %w", err)
	}
	start, err := m.start.Call(lowTensor, rng)
	if err != nil {
		return nil, fmt.Errorf("starting to sample: %w", err)
	}
	x, y, rng := start[0], start[1], start[2]
	steps, stride := m.schedule.Timesteps, 1
	for t, end := steps-1, 0; t >= 0; t = end {
		if ctx.Err() != nil {
			return nil, &stoppedError{fmt.Sprintf("sampling stopped at timestep %d", t), ctx.Err()}
		}
		end = max(t-stride, -1)
		began := time.Now()
		next, err := m.reverse.Call(x, y, rng, int32(t), int32(end))
		if err == nil {
			err = finalize(x, rng)
		}
		if err != nil {
			return nil, fmt.Errorf("sampling at timestep %d: %w", t, err)
		}
		x, rng = next[0], next[2]
		if each != nil {
			each(SampleStep{Done: steps - t, Steps: steps, T: t, X: x, X0: next[1]})
		}
		if err := finalize(next[1]); err != nil {
			return nil, fmt.Errorf("sampling at timestep %d: %w", t, err)
		}
		if each == nil {
			perStep := max(1, time.Since(began)/time.Duration(t-end))
			stride = max(1, int(time.Second/perStep))
		}
	}
	return Pictures(x)
}

// newSampler makes the two programs of Sample: the start (low, random state -> x_T, y, random state), and the reverse steps
// from timestep t down to end+1 (x_t, y, random state, t, end -> x_end, x_0, random state; x_{t-1} is called x_end where
// end = t-1).
func (m *Model) newSampler() (err error) {
	m.start, err = NewExec(m.backend, func(low, rng *Node) (xT, y, newRNG *Node) {
		y = Upscale(low)
		newRNG, xT = Normal(rng, y.Shape())
		return xT, y, newRNG
	})
	if err != nil {
		return err
	}
	m.reverse, err = model.NewExec(m.backend, m.store, m.reverseSteps)
	if err != nil {
		return err
	}
	// Pictures come in any number of sizes.
	m.start.SetMaxCache(-1)
	m.reverse.SetMaxCache(-1)
	return nil
}

// reverseSteps builds the loop over reverse steps.
func (m *Model) reverseSteps(scope *model.Scope, inputs []*Node) []*Node {
	xt, y, rng, t, end := inputs[0], inputs[1], inputs[2], inputs[3], inputs[4]
	// All that a turn of the loop uses travels in its state, the weights too: XLA's engines refuse what comes from around it
	// (TestLoopsSeeNothingAround). That holds for constants as well, which GoMLX would share with the loop, so none is made
	// here.
	state := []*Node{xt, xt, rng, t, end, y} // the second is for x_0
	var weights []*model.Variable
	for _, p := range unetParameters(m.Config.BaseChannels) {
		w := m.store.GetVariable(p.path())
		weights, state = append(weights, w), append(state, w.NodeValue(xt))
	}
	received := func(g *Graph) []*Node {
		list := make([]*Node, len(state))
		for i, s := range state {
			list[i] = Parameter(g, fmt.Sprintf("state%d", i), s.Shape())
		}
		return list
	}
	more := NewClosure(xt.Graph(), func(g *Graph) []*Node {
		s := received(g)
		return []*Node{GreaterThan(s[3], s[4])}
	})
	turn := NewClosure(xt.Graph(), func(g *Graph) []*Node {
		s := received(g)
		for i, w := range weights {
			w.SetNodeValue(s[6+i])
		}
		x, x0, rng := m.reverseStep(scope, s[0], s[5], s[2], s[3])
		return append([]*Node{x, x0, rng, AddScalar(s[3], -1)}, s[4:]...)
	})
	for i, w := range weights {
		w.SetNodeValue(state[6+i])
	}
	return While(more, turn, state...)[:3]
}

// reverseStep is one turn of Sample's loop: x_t, y, random state, t -> x_{t-1}, x_0, random state.
func (m *Model) reverseStep(scope *model.Scope, xt, y, rng, t *Node) (x, x0, newRNG *Node) {
	eps := EpsTheta(network(scope), m.Config.BaseChannels, xt, y, t, m.schedule.Timesteps)
	x0 = ClipX0(m.schedule.PredictX0(xt, t, eps))
	newRNG, z := Normal(rng, xt.Shape())
	return m.schedule.PSample(xt, t, x0, z), x0, newRNG
}

// finalize frees tensors at once, rather than when the garbage collector comes to them.
func finalize(list ...*tensors.Tensor) error {
	for _, t := range list {
		if err := t.FinalizeAll(); err != nil {
			return err
		}
	}
	return nil
}
