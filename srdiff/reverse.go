// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// PredictX0 returns the x_0 that the predicted noise implies, which solves QSample's equation for x_0:
//
//	x_0 = (x_t - sqrt(1 - alpha_bar_t) eps) / sqrt(alpha_bar_t)
//
// Shapes are QSample's. The result may leave [-1, 1]: see ClipX0.
func (s *Schedule) PredictX0(xt, t, eps *Node) *Node {
	noise := s.lookUp(func(t int) float64 { return sqrt(1 - s.AlphaBars[t]) }, t)
	scale := s.lookUp(func(t int) float64 { return 1 / sqrt(s.AlphaBars[t]) }, t)
	return Mul(scale, Sub(xt, Mul(noise, eps)))
}

// ClipX0 clips a predicted x_0 to the range of pictures, [-1, 1]. It is the predicted x_0 that is clipped, never x_t,
// which rightly leaves that range while there is noise in it (see docs/errata.md).
func ClipX0(x0 *Node) *Node { return ClipScalar(x0, -1, 1) }

// PSample draws x_{t-1} ~ p_theta(x_{t-1} | x_t, y), given the x_0 that the network predicts (Ho et al. 2020,
// algorithm 2, with the mean written by x_0: equation 7):
//
//	x_{t-1} = sqrt(alpha_bar_{t-1}) beta_t / (1 - alpha_bar_t) x_0
//	        + sqrt(alpha_t) (1 - alpha_bar_{t-1}) / (1 - alpha_bar_t) x_t
//	        + sqrt(beta_t) z,                                            with z = 0 at the last step, t = 0
//
// With x_0 from PredictX0, not clipped, the mean is the tutorial's (x_t - beta_t / sqrt(1 - alpha_bar_t) eps) /
// sqrt(alpha_t). Shapes are QSample's; z is standard normal.
func (s *Schedule) PSample(xt, t, x0, z *Node) *Node {
	ofX0 := s.lookUp(func(t int) float64 { c, _ := s.PosteriorMean(t); return c }, t)
	ofXt := s.lookUp(func(t int) float64 { _, c := s.PosteriorMean(t); return c }, t)
	sigma := s.lookUp(func(t int) float64 {
		if t == 0 {
			return 0
		}
		return sqrt(s.Betas[t])
	}, t)
	return Add(Add(Mul(ofX0, x0), Mul(ofXt, xt)), Mul(sigma, z))
}
