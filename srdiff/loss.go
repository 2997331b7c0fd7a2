// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train/loss"
)

// Loss is the noise-prediction error of the network on pictures x0 with the conditions y (Ho et al. 2020, equation 14):
//
//	L = E || eps - eps_theta(sqrt(alpha_bar_t) x_0 + sqrt(1 - alpha_bar_t) eps, t, y) ||^2
//
// x0, y and eps are [batch, height, width, 3], t is an integer [batch]; the result is the scalar mean. Scope is where the
// network's weights are.
func Loss(scope *model.Scope, s *Schedule, channels int, x0, y, t, eps *Node) *Node {
	xt := s.QSample(x0, t, eps)
	predicted := EpsTheta(scope, channels, xt, y, t, s.Timesteps)
	return loss.MeanSquaredError([]*Node{eps}, []*Node{predicted})
}
