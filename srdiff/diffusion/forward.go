// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package diffusion

import . "github.com/gomlx/gomlx/core/graph"

// QSample draws x_t ~ q(x_t | x_0), the forward process in one jump (Ho et al. 2020, equation 4):
//
//	x_t = sqrt(alpha_bar_t) x_0 + sqrt(1 - alpha_bar_t) eps
//
// x0 and eps are [batch, height, width, 3], eps standard normal; t is an integer [batch] in 0..T-1,
// or a scalar for all.
func (s *Schedule) QSample(x0, t, eps *Node) *Node {
	at := s.At(t)
	return Add(Mul(at.Signal, x0), Mul(at.Noise, eps))
}
