// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/srdiff/srlab/srdiff/dataset"
	"github.com/srdiff/srlab/srdiff/degrade"
	"github.com/srdiff/srlab/srdiff/diffusion"
	"github.com/srdiff/srlab/srdiff/nn"
)

// NoiseError returns the mean squared error of the predicted noise over the first batches of src.
// Timesteps and noise depend only on the seed. On held-out pictures it measures what the network
// has learned. For the tutorial's setting it is the mean of Loss. A regression, which predicts no
// noise, fewer than one batch, and pictures of a size that the network does not take are errors.
func (m *Model) NoiseError(ctx context.Context, src dataset.Source, batches int, seed int64) (float64, error) {
	if m.Config.Diffusion.Prediction == diffusion.Regression {
		return 0, errors.New("this model was trained for regression, which predicts no noise: measure its pictures")
	}
	if batches < 1 {
		return 0, fmt.Errorf("measuring the noise error on %d batches: want at least 1", batches)
	}
	if err := m.checkConfig(); err != nil {
		return 0, err
	}
	if size, multiple := src.Size(), m.Config.multiple(); size < 1 || size%multiple != 0 {
		return 0, fmt.Errorf("the pictures of %s are %d pixels wide: want a multiple of %d", src.Name(), size, multiple)
	}
	if err := m.checkSize(src.Size(), src.Size()); err != nil {
		return 0, err
	}
	program, err := m.noiseErrorProgram()
	if err != nil {
		return 0, err
	}
	rng, err := RNGStateFromSeed(seed)
	if err != nil {
		return 0, err
	}
	sum := 0.0
	for n := range batches {
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		x0, err := dataset.Batch(src, m.Config.Training.BatchSize, int64(n))
		if err != nil {
			return 0, err
		}
		inputs, err := m.noiseErrorInputs(x0, n)
		if err != nil {
			return 0, err
		}
		out, err := program.Call(append([]any{rng}, inputs...)...)
		if err != nil {
			return 0, fmt.Errorf("measuring the noise error: %w", err)
		}
		sum += float64(tensors.ToScalar[float32](out[0]))
		rng = out[1]
	}
	return sum / float64(batches), nil
}

// noiseErrorInputs returns the inputs of draw for batch n.
func (m *Model) noiseErrorInputs(x0 *tensors.Tensor, n int) ([]any, error) {
	if m.Config.Degradation.Name == "" {
		return []any{x0}, nil
	}
	d, err := degrade.New(m.Config.Degradation)
	if err != nil {
		return nil, err
	}
	low, level, err := degrade.Batch(d, x0, m.Config.Factor, func(i int) *rand.Rand {
		return rand.New(rand.NewPCG(uint64(n), uint64(i)))
	})
	return []any{x0, low, level}, err
}

// noiseErrorProgram returns the program of NoiseError for the weights in use: random state, inputs
// of draw -> loss, random state.
func (m *Model) noiseErrorProgram() (*model.Exec, error) {
	use := m.inUse()
	if m.noiseErrors[use] == nil {
		program, err := m.NewExec(func(scope *nn.Scope, inputs []*Node) []*Node {
			rng, inputs, at := inputs[0], inputs[1:], m.schedule.At
			in, t, eps, rng := m.draw(inputs, rng, 0)
			in, x0, _ := m.denoiser().residual(scope, in, inputs[0])
			in.Xt = m.schedule.QSample(x0, t, eps)
			predicted := m.Config.Diffusion.Prediction.Eps(at(t), in.Xt, m.denoiser().predict(scope, at(t), in))
			return []*Node{ReduceAllMean(Square(Sub(eps, predicted))), rng}
		})
		if err != nil {
			return nil, err
		}
		m.noiseErrors[use] = program
	}
	return m.noiseErrors[use], nil
}
