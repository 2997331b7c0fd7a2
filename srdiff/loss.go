// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train/loss"
)

// Loss is the error of the network's prediction on pictures x0 with the conditions y. For the tutorial's setting it is the
// noise-prediction error (Ho et al. 2020, equation 14):
//
//	L = E || eps - eps_theta(sqrt(alpha_bar_t) x_0 + sqrt(1 - alpha_bar_t) eps, t, y) ||^2
//
// and in general, with what c.Prediction says for the target, c.MinSNRGamma for the weight w_t, and c.Loss for the distance d,
//
//	L = E w_t d(Target(x_0, t, eps) - Predict(QSample(x_0, t, eps), t, y))
//	d(u) = u^2  (MSE),   |u|  (L1),   u^2 / 2 where |u| < 1, else |u| - 1/2  (Huber)
//
// x0 and eps are [batch, height, width, 3], y is the network's: see Predict; t is an integer [batch]; the result is the scalar
// mean. Scope is where the network's weights are. The weight w_t is 1, or MinSNR's for c.MinSNRGamma; or else, for the networks
// whose prediction is put together (see Predict), 1/c^2: so the network's own share counts alike at all timesteps (Karras et al.
// 2022, section 5).
func Loss(scope *model.Scope, s *Schedule, c Config, x0, y, t, eps *Node) *Node {
	c = c.WithDefaults()
	predicted := Predict(scope, c, s.QSample(x0, t, eps), y, t)
	target := s.Target(c.Prediction, x0, t, eps)
	weight := c.weight(s)
	if c.Loss == MSE && weight == nil {
		return loss.MeanSquaredError([]*Node{target}, []*Node{predicted})
	}
	// GoMLX's losses disagree on the shape of weights.
	u := Abs(Sub(target, predicted))
	d := Square(u)
	switch c.Loss {
	case L1:
		d = u
	case Huber:
		d = Where(LessThan(u, OnesLike(u)), MulScalar(d, 0.5), AddScalar(u, -0.5))
	}
	if weight != nil {
		d = Mul(d, s.lookUp(weight, t))
	}
	return ReduceAllMean(d)
}

// weight returns the w_t of Loss, or nil where it is 1.
func (c Config) weight(s *Schedule) func(t int) float64 {
	switch {
	case c.Prediction == Regresses:
		return nil
	case c.MinSNRGamma > 0:
		return func(t int) float64 { return s.MinSNR(c.Prediction, c.MinSNRGamma, t) }
	case c.Network != NetworkTutorial:
		return func(t int) float64 {
			_, _, ofF := precondition(c.Prediction, s.AlphaBars[t])
			return 1 / (ofF * ofF)
		}
	}
	return nil
}

// MinSNR is the weight w_t of a squared error at timestep t that keeps the easy timesteps, whose signal-to-noise ratio is
// great, from ruling the training (Hang et al. 2023, section 3.4):
//
//	x_0: min(SNR_t, gamma),   eps: min(SNR_t, gamma) / SNR_t,   v: min(SNR_t, gamma) / (SNR_t + 1)
func (s *Schedule) MinSNR(prediction string, gamma float64, t int) float64 {
	snr := s.SNR(t)
	weight := min(snr, gamma)
	switch prediction {
	case PredictsEps:
		return weight / snr
	case PredictsV:
		return weight / (snr + 1)
	}
	return weight
}
