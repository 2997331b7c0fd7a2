// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package diffusion

import (
	"math"
	"math/rand/v2"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/srdiff/srlab/srdiff/internal/graphtest"
)

// From x_0 and eps to the target of every kind of prediction, and from that back, at every
// timestep.
//
// Targets are held against the formulas in float64. The ways back divide what float32 has rounded
// by sqrt(alpha_bar_t), for x_0 from eps, or by sqrt(1 - alpha_bar_t), for eps from x_0, both down
// to 0.006 to 0.01: so there the error that is measured is that of sqrt(alpha_bar_t) x_0 and of
// sqrt(1 - alpha_bar_t) eps.
func TestTargetsAndBack(t *testing.T) {
	for name, c := range map[string]Config{"linear": {}, "cosine of zero SNR": {Schedule: Cosine, ZeroSNR: true}} {
		s := scheduleOf(t, c)
		n := s.Timesteps
		at := make([]int32, n)
		x0, eps := make([][][][]float32, n), make([][][][]float32, n)
		for i := range at {
			at[i] = int32(i)
			x0[i] = [][][]float32{{{float32(math.Sin(float64(3 * i)))}}}
			eps[i] = [][][]float32{{{float32(2 * math.Sin(float64(7*i+1)))}}}
		}
		for _, prediction := range allPredictions {
			if prediction == PredictEps && c.ZeroSNR {
				continue // the last timestep's noise says nothing of x_0: Config.Validate refuses it
			}
			out := graphtest.Run(t, func(in []*Node) *Node {
				x0, at, eps := in[0], in[1], in[2]
				xt, target := s.QSample(x0, at, eps), prediction.Target(s.At(at), x0, eps)
				return Concatenate([]*Node{target, prediction.X0(s.At(at), xt, target), prediction.Eps(s.At(at), xt, target)}, 1)
			}, x0, at, eps)
			values := graphtest.Float64s(out)
			var worst [3]float64
			for i := range n {
				a, b := float64(x0[i][0][0][0]), float64(eps[i][0][0][0])
				signal, noise := math.Sqrt(s.AlphaBars[i]), math.Sqrt(1-s.AlphaBars[i])
				want := [3]float64{map[Prediction]float64{PredictEps: b, PredictX0: a, PredictV: signal*b - noise*a}[prediction], a, b}
				scale := [3]float64{1, 1, 1}
				switch prediction {
				case PredictEps:
					scale[1] = signal
				case PredictX0:
					scale[2] = noise
				}
				for k := range want {
					worst[k] = math.Max(worst[k], scale[k]*math.Abs(values[3*i+k]-want[k]))
				}
			}
			t.Logf("%s, %s: target off by %.1e, x_0 by %.1e, eps by %.1e", name, prediction, worst[0], worst[1], worst[2])
			for k, what := range []string{"target", "x_0", "eps"} {
				if !(worst[k] <= 1e-6) {
					t.Errorf("%s, %s: %s is off by %.2g", name, prediction, what, worst[k])
				}
			}
		}
	}
}

// minSNR is MinSNR with a gamma of 5.
func minSNR(t *testing.T, s *Schedule, p Prediction, timestep int) float64 {
	t.Helper()
	return graphtest.Float64s(graphtest.Run(t, func(in []*Node) *Node { return p.MinSNR(s.At(in[0]), 5) }, int32(timestep)))[0]
}

func TestMinSNRAtZeroSNR(t *testing.T) {
	s := scheduleOf(t, Config{ZeroSNR: true})
	last := s.Timesteps - 1
	for _, prediction := range []Prediction{PredictX0, PredictV} {
		if w := minSNR(t, s, prediction, last); w != 0 {
			t.Errorf("%s: weight %v at the last timestep, want 0", prediction, w)
		}
	}
	if w := minSNR(t, s, PredictX0, 0); w != 5 {
		t.Errorf("weight %v at t = 0, want gamma, 5", w)
	}
}

// What a network begins with, before it has learned anything, is the mean of x_0 given x_t and y
// where x_0 is normal around y; and what is left for it to say has the spread that it is scaled by.
func TestPrecondition(t *testing.T) {
	s := scheduleOf(t, Config{Schedule: Cosine})
	rng := rand.New(rand.NewPCG(1, 2))
	const spread = 0.15
	for _, timestep := range []int{0, 100, 500, 900, 999} {
		alphaBar := s.AlphaBars[timestep]
		signal, noise := math.Sqrt(alphaBar), math.Sqrt(1-alphaBar)
		for _, prediction := range []Prediction{PredictX0, PredictV, PredictEps, Regression} {
			c := graphtest.Float64s(graphtest.Run(t, func(in []*Node) *Node {
				ofXt, ofY, ofF := prediction.Precondition(s.At(in[0]), spread)
				return Concatenate([]*Node{ofXt, ofY, ofF}, -1)
			}, int32(timestep)))
			ofXt, ofY, ofF := c[0], c[1], c[2]
			// Of many draws: the error of the guess has the stated spread, and is correlated with
			// neither x_t nor y, or a better guess could be made of them.
			const n = 200_000
			var errors, withXt, withY, xts float64
			for range n {
				y, eps := rng.NormFloat64(), rng.NormFloat64()
				x0 := y + spread*rng.NormFloat64()
				xt := signal*x0 + noise*eps
				want := map[Prediction]float64{PredictX0: x0, PredictV: signal*eps - noise*x0, PredictEps: eps, Regression: x0}[prediction]
				e := (want - ofXt*xt - ofY*y) / ofF
				errors, withXt, withY, xts = errors+e*e/n, withXt+e*xt/n, withY+e*y/n, xts+xt*xt/n
			}
			const tolerance = 0.015 // five standard errors
			if !(math.Abs(errors-1) <= tolerance) || !(math.Abs(withY) <= tolerance) ||
				prediction != Regression && !(math.Abs(withXt)/math.Sqrt(xts) <= tolerance) {
				t.Errorf("%s at timestep %d: what is left has variance %.3f, covariance %.3f with x_t and %.3f with y: want 1, 0 and 0",
					prediction, timestep, errors, withXt, withY)
			}
		}
	}
}
