// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"fmt"
	"math"
	"path/filepath"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// From x_0 and eps to the target of every kind of prediction, and from that back, at every timestep.
//
// Targets are held against the formulas in float64. The ways back divide what float32 has rounded by sqrt(alpha_bar_t), for
// x_0 from eps, or by sqrt(1 - alpha_bar_t), for eps from x_0, both down to 0.006 to 0.01: so there the error that is
// measured is that of sqrt(alpha_bar_t) x_0 and of sqrt(1 - alpha_bar_t) eps.
func TestTargetsAndBack(t *testing.T) {
	for name, c := range map[string]Config{"linear": {}, "cosine of zero SNR": {Kind: KindCosine, ZeroSNR: true}} {
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
			if prediction == PredictsEps && c.ZeroSNR {
				continue // the last timestep's noise says nothing of x_0: Config.Validate refuses it
			}
			out := run(t, func(in []*Node) *Node {
				x0, at, eps := in[0], in[1], in[2]
				xt, target := s.QSample(x0, at, eps), s.Target(prediction, x0, at, eps)
				return Concatenate([]*Node{target, s.X0(prediction, xt, at, target), s.Eps(prediction, xt, at, target)}, 1)
			}, x0, at, eps)
			values := float64s(out)
			var worst [3]float64
			for i := range n {
				a, b := float64(x0[i][0][0][0]), float64(eps[i][0][0][0])
				signal, noise := math.Sqrt(s.AlphaBars[i]), math.Sqrt(1-s.AlphaBars[i])
				want := [3]float64{map[string]float64{PredictsEps: b, PredictsX0: a, PredictsV: signal*b - noise*a}[prediction], a, b}
				scale := [3]float64{1, 1, 1}
				switch prediction {
				case PredictsEps:
					scale[1] = signal
				case PredictsX0:
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

// Losses of the network in testdata, of every kind, with and without min-SNR weights.
func TestLossesAreTorchs(t *testing.T) {
	g, m := diffusers(t), tutorialModel(t)
	var configs []Config
	var names []string
	for _, name := range []string{MSE, L1, Huber} {
		for _, prediction := range allPredictions {
			c := m.Config
			c.Loss, c.Prediction = name, prediction
			configs, names = append(configs, c), append(names, fmt.Sprintf("loss.%s.%s", name, prediction))
			c.MinSNRGamma = 5
			configs, names = append(configs, c), append(names, fmt.Sprintf("loss.%s.%s.min_snr", name, prediction))
		}
	}
	exec, err := model.NewExec(m.backend, m.store, func(scope *model.Scope, in []*Node) []*Node {
		var losses []*Node
		for _, c := range configs {
			losses = append(losses, Reshape(Loss(scope.At("%s", weights), m.schedule, c, in[0], in[1], in[2], in[3]), 1))
		}
		return losses
	})
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Call(g["loss.x0"], g["loss.y"], g["loss.t"], g["loss.eps"])
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range names {
		same(t, name, out[i], g[name], 1e-4) // float32 alpha_bars under the SNR
	}
}

func TestMinSNRAtZeroSNR(t *testing.T) {
	s := scheduleOf(t, Config{ZeroSNR: true})
	last := s.Timesteps - 1
	for _, prediction := range []string{PredictsX0, PredictsV} {
		if w := s.MinSNR(prediction, 5, last); w != 0 {
			t.Errorf("%s: weight %v at the last timestep, want 0", prediction, w)
		}
	}
	if w := s.MinSNR(PredictsX0, 5, 0); w != 5 {
		t.Errorf("weight %v at t = 0, want gamma, 5", w)
	}
}

// Model files from before there was anything to predict but eps.
func TestOldModelFiles(t *testing.T) {
	m, err := Load(openEngine(t), filepath.Join("..", "notebooks", "models", "tutorial.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	want := Config{}.WithDefaults()
	if m.Config.Prediction != PredictsEps || m.Config.Kind != want.Kind || m.Config.Precision != want.Precision ||
		m.Config.Degradation != want.Degradation || m.Config.Accumulate != 1 || m.Config.EMA != want.EMA || m.Step == 0 {
		t.Errorf("loaded %+v at step %d", m.Config, m.Step)
	}
}
