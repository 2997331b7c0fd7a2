// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/srdiff/srlab/srdiff/diffusion"
	"github.com/srdiff/srlab/srdiff/networks"
	"github.com/srdiff/srlab/srdiff/nn"
)

// Loss is the error of the network's prediction on pictures x_0 with the conditions low. For the
// tutorial's setting it is the noise-prediction error (Ho et al. 2020, equation 14):
//
//	L = E || eps - eps_theta(sqrt(alpha_bar_t) x_0 + sqrt(1 - alpha_bar_t) eps, t, low) ||^2
//
// and in general, with the distance d of c.Training.Loss and a weight w_t,
//
//	L = E w_t d(Target(x_0, t, eps) - Predict(QSample(x_0, t, eps), t, low))
//
// The weight is MinSNR's if c.Training.MinSNRGamma is set. Otherwise it is 1, or 1/ofF^2 for a
// network with a ResidualSpread, so that errors of the network's output count alike at all
// timesteps (Karras et al. 2022, section 5).
//
// x0 and eps are [batch, height, width, 3], low and t as for Predict. The result is the scalar
// mean.
func Loss(scope *nn.Scope, c Config, x0, low, t, eps *Node) *Node {
	return mustDenoiser(c).loss(scope, networks.Inputs{Low: low}, x0, t, eps)
}

// loss is Loss, given the network's inputs other than x_t and t.
func (d denoiser) loss(scope *nn.Scope, in networks.Inputs, x0, t, eps *Node) *Node {
	prediction, at := d.config.Diffusion.Prediction, d.schedule.At(t)
	in, x0, ofScale := d.residual(scope, in, x0)
	in.Xt = d.schedule.QSample(x0, t, eps)
	distance := d.config.Training.Loss.Distance(prediction.Target(at, x0, eps), d.predict(scope, at, in))
	if weight := d.lossWeight(at); weight != nil {
		distance = Mul(distance, weight)
	}
	if ofScale == nil {
		return ReduceAllMean(distance)
	}
	return Add(ReduceAllMean(distance), ofScale)
}

// lossWeight returns the w_t of Loss, or nil for 1.
func (d denoiser) lossWeight(at diffusion.Time) *Node {
	prediction, spread := d.config.Diffusion.Prediction, d.config.Network.ResidualSpread
	switch gamma := d.config.Training.MinSNRGamma; {
	case prediction == diffusion.Regression:
		return nil
	case gamma > 0:
		return prediction.MinSNR(at, gamma)
	case spread > 0:
		_, _, ofF := prediction.Precondition(at, spread)
		return Reciprocal(Square(ofF))
	}
	return nil
}
