// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"context"
	"fmt"

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
	steps := m.schedule.Timesteps
	for t := steps - 1; t >= 0; t-- {
		if ctx.Err() != nil {
			return nil, &stoppedError{fmt.Sprintf("sampling stopped at timestep %d", t), ctx.Err()}
		}
		next, err := m.reverse.Call(x, y, tensors.FromScalar(int32(t)), rng)
		if err != nil {
			return nil, fmt.Errorf("sampling at timestep %d: %w", t, err)
		}
		for _, used := range []*tensors.Tensor{x, rng} {
			if err := used.FinalizeAll(); err != nil {
				return nil, fmt.Errorf("sampling at timestep %d: %w", t, err)
			}
		}
		x, rng = next[0], next[2]
		if each != nil {
			each(SampleStep{Done: steps - t, Steps: steps, T: t, X: x, X0: next[1]})
		}
		if err := next[1].FinalizeAll(); err != nil {
			return nil, fmt.Errorf("sampling at timestep %d: %w", t, err)
		}
	}
	return Pictures(x)
}

// newSampler makes the two programs of Sample: the start (low, random state -> x_T, y, random state) and one reverse step
// (x_t, y, t, random state -> x_{t-1}, x_0, random state).
func (m *Model) newSampler() (err error) {
	m.start, err = NewExec(m.backend, func(low, rng *Node) (xT, y, newRNG *Node) {
		y = Upscale(low)
		newRNG, xT = Normal(rng, y.Shape())
		return xT, y, newRNG
	})
	if err != nil {
		return err
	}
	m.reverse, err = model.NewExec(m.backend, m.store,
		func(scope *model.Scope, inputs []*Node) []*Node {
			xt, y, t, rng := inputs[0], inputs[1], inputs[2], inputs[3]
			eps := EpsTheta(network(scope), m.Config.BaseChannels, xt, y, t, m.schedule.Timesteps)
			x0 := ClipX0(m.schedule.PredictX0(xt, t, eps))
			rng, z := Normal(rng, xt.Shape())
			return []*Node{m.schedule.PSample(xt, t, x0, z), x0, rng}
		})
	if err != nil {
		return err
	}
	// Pictures come in any number of sizes.
	m.start.SetMaxCache(-1)
	m.reverse.SetMaxCache(-1)
	return nil
}
