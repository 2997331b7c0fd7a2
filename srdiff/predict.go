// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/srdiff/srlab/srdiff/diffusion"
	"github.com/srdiff/srlab/srdiff/networks"
	"github.com/srdiff/srlab/srdiff/nn"
)

// Predict is the network f_theta(x_t, t, low) as a graph function, the tutorial's noise predictor
// eps_theta. It predicts eps, x_0 or v, as the configuration says; a regression predicts the picture
// from low alone. For networks with a ResidualSpread, the network's output is added to a closed-form
// estimate (see diffusion.Prediction.Precondition):
//
//	f_theta = ofXt x_t + ofY y + ofF network(x_t, t, low),   y = nn.Upsample(low)
//
// xt is [batch, factor height, factor width, 3], and its height and width are multiples of
// networks.Network.Multiple; low is [batch, height, width, 3], without noise; t is an integer in
// 0..T-1, [batch] or a scalar for all. The result has the shape of xt. The network's weights are in
// the scope.
func Predict(scope *nn.Scope, c Config, xt, low, t *Node) *Node {
	d := mustDenoiser(c)
	return d.predict(scope, d.schedule.At(t), networks.Inputs{Xt: xt, Low: low})
}

// denoiser turns the output of a network into a prediction, by the schedule and the configuration.
type denoiser struct {
	config   Config // complete with defaults
	schedule *diffusion.Schedule
	network  networks.Network

	predictor networks.MeanPredictor // nil for a model that does not refine
}

func newDenoiser(c Config) (denoiser, error) {
	if err := c.Validate(); err != nil {
		return denoiser{}, err
	}
	c = c.WithDefaults()
	schedule, err := diffusion.NewSchedule(c.Diffusion)
	if err != nil {
		return denoiser{}, err
	}
	network, err := networks.New(c.Network)
	if err != nil {
		return denoiser{}, err
	}
	predictor, err := newPredictor(c)
	return denoiser{c, schedule, network, predictor}, err
}

func mustDenoiser(c Config) denoiser {
	d, err := newDenoiser(c)
	if err != nil {
		panic(err)
	}
	return d
}

// predict is Predict at any time. It fills in T and Timesteps of the inputs, and Level if it is
// missing.
func (d denoiser) predict(scope *nn.Scope, at diffusion.Time, in networks.Inputs) *Node {
	in.T, in.Timesteps = at.T, d.schedule.Timesteps
	if d.config.Diffusion.Prediction == diffusion.Regression { // from low alone
		in.Xt, in.T = ZerosLike(in.Xt), ZerosLike(in.T)
	}
	switch {
	case d.config.Degradation.Noise == 0:
		in.Level = nil
	case in.Level == nil:
		in.Level = Zeros(in.Xt.Graph(), shapes.Make(dtypes.Float32, in.Xt.Shape().Dimensions[0]))
	}
	if d.predictor != nil {
		if in.Mean == nil {
			in = d.withMean(scope, in)
		}
		scope = scope.In(refinerScope)
	}
	f := d.network.Predict(scope, in)
	if d.config.Network.ResidualSpread == 0 {
		return f
	}
	ofXt, ofY, ofF := d.config.Diffusion.Prediction.Precondition(at, d.config.Network.ResidualSpread)
	return Add(Add(Mul(ofXt, in.Xt), Mul(ofY, in.Enlarged())), Mul(ofF, f))
}

// declare lists the weights of the network.
func (m *Model) declare() (err error) {
	m.weights, err = nn.Declared(m.backend, func(g *Graph, scope *nn.Scope) {
		size := m.Config.multiple()
		zeros := func(dims ...int) *Node { return Zeros(g, shapes.Make(dtypes.Float32, dims...)) }
		low := size / m.Config.Factor
		in := networks.Inputs{Xt: zeros(1, size, size, 3), Low: zeros(1, low, low, 3)}
		m.denoiser().predict(scope, m.schedule.At(Zeros(g, shapes.Make(dtypes.Int32, 1))), in)
	})
	return err
}
