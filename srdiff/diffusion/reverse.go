// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package diffusion

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// PredictX0 computes x_0 from x_t and the predicted noise (the inverse of QSample):
//
//	x_0 = (x_t - sqrt(1 - alpha_bar_t) eps) / sqrt(alpha_bar_t)
//
// Shapes are QSample's. The result may leave [-1, 1]: see ClipX0. For other predictions see
// Prediction.X0.
func (s *Schedule) PredictX0(xt, t, eps *Node) *Node { return PredictEps.X0(s.At(t), xt, eps) }

// Clipping names a way to keep a predicted x_0 within the range of pictures.
type Clipping string

// The ways to clip.
const (
	ClipStatic  Clipping = "static"  // ClipX0
	ClipDynamic Clipping = "dynamic" // ThresholdX0
	ClipNone    Clipping = "none"
)

// X0 clips a predicted x_0, [batch, height, width, 3].
func (c Clipping) X0(x0 *Node) *Node {
	switch c {
	case ClipStatic:
		return ClipX0(x0)
	case ClipDynamic:
		return ThresholdX0(x0)
	}
	return x0
}

// ClipX0 clips a predicted x_0 to the range of pictures, [-1, 1]. Do not clip x_t: its noise
// exceeds that range (see docs/errata.md).
func ClipX0(x0 *Node) *Node { return ClipScalar(x0, -1, 1) }

// thresholdShare is the percentile of dynamic thresholding (Saharia et al. 2022, appendix E).
const thresholdShare = 0.995

// ThresholdX0 is dynamic thresholding, gentler than ClipX0 with strong guidance: each picture is
// clipped at the 99.5th percentile of its absolute values and scaled to [-1, 1] (Saharia et al.
// 2022, section 2.3):
//
//	x_0 = clip(x_0, -s, s) / s,   s = max(1, 99.5th percentile of |x_0| in the picture)
//
// x0 is [batch, height, width, 3]. The percentile is found by halving an interval 24 times, since
// some engines cannot sort.
func ThresholdX0(x0 *Node) *Node {
	size := Abs(x0)
	low := ReduceAndKeep(ZerosLike(size), ReduceMax, 1, 2, 3)
	high := ReduceAndKeep(size, ReduceMax, 1, 2, 3) // [batch, 1, 1, 1]
	for range 24 {
		middle := MulScalar(Add(low, high), 0.5)
		share := ReduceAndKeep(ConvertDType(LessOrEqual(size, middle), x0.DType()), ReduceMean, 1, 2, 3)
		enough := GreaterOrEqual(share, Scalar(x0.Graph(), x0.DType(), thresholdShare))
		low, high = Where(enough, low, middle), Where(enough, middle, high)
	}
	s := MaxScalar(high, 1)
	return Div(Max(Min(x0, s), Neg(s)), s)
}

// PSample draws x_{t-1} ~ p_theta(x_{t-1} | x_t, y), given the predicted x_0 (Ho et al. 2020,
// algorithm 2, with the mean of equation 7):
//
//	x_{t-1} = sqrt(alpha_bar_{t-1}) beta_t / (1 - alpha_bar_t) x_0
//	        + sqrt(alpha_t) (1 - alpha_bar_{t-1}) / (1 - alpha_bar_t) x_t
//	        + sqrt(beta_t) z,   with z = 0 at the last step, t = 0
//
// With x_0 from PredictX0, not clipped, the mean is the tutorial's (x_t - beta_t / sqrt(1 -
// alpha_bar_t) eps) / sqrt(alpha_t). Shapes are QSample's; z is standard normal. It is DDPM's step
// when every timestep is visited.
func (s *Schedule) PSample(xt, t, x0, z *Node) *Node {
	ofX0 := s.LookUp(func(t int) float64 { c, _ := s.PosteriorMean(t); return c }, t)
	ofXt := s.LookUp(func(t int) float64 { _, c := s.PosteriorMean(t); return c }, t)
	sigma := s.LookUp(func(t int) float64 {
		if t == 0 {
			return 0
		}
		return sqrt(s.Betas[t])
	}, t)
	return Add(Add(Mul(ofX0, x0), Mul(ofXt, xt)), Mul(sigma, z))
}
