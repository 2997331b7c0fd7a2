// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/srdiff/srlab/srdiff/diffusion"
	"github.com/srdiff/srlab/srdiff/imaging"
	"github.com/srdiff/srlab/srdiff/internal/graphtest"
	"github.com/srdiff/srlab/srdiff/networks"
)

// pairs is a sampler that is registered from outside: two evaluations for every point, the second
// of which uses the first.
const pairs diffusion.SamplerName = "pairs"

func init() {
	diffusion.RegisterSampler(pairs, func(points []diffusion.Point, o diffusion.SamplerOptions) []diffusion.Step {
		var steps []diffusion.Step
		for _, s := range diffusion.DDIM.Steps(points, o) {
			steps = append(steps, s, diffusion.Step{Point: s.Point, OfXt: 0.9, OfX0: 0.3, OfBefore: -0.2})
		}
		return steps
	})
}

// Sample takes the steps of the sampler that it is told: every x follows from the one before and
// the predicted x_0 as the coefficients say, but for noise, which must be standard normal.
func TestSampleTakesTheSteps(t *testing.T) {
	m := newSmall(t, Config{Diffusion: diffusion.Config{Timesteps: 40, BetaEnd: 0.2}, Network: networks.Config{BaseChannels: 4}})
	for name, o := range map[string]SampleOptions{
		"defaults": {}, "DDPM, small": {SmallVariance: true, Steps: 12, Clip: diffusion.ClipNone},
		"DDIM": {Sampler: diffusion.DDIM, Steps: 8, Spacing: diffusion.Linspace, Clip: diffusion.ClipDynamic}, "DDIM, eta": {Sampler: diffusion.DDIM, Eta: 0.7, Steps: 10, Clip: diffusion.ClipNone},
		"registered, between timesteps": {Sampler: pairs, Steps: 6, Spacing: diffusion.Karras, Clip: diffusion.ClipNone},
		"DPM-Solver++(2M)":              {Sampler: diffusion.DPMpp2M, Steps: 9, Spacing: diffusion.Leading, Clip: diffusion.ClipDynamic},
	} {
		full := o.WithDefaults(m.Config)
		list, err := full.steps(m.Config)
		if err != nil {
			t.Fatal(err)
		}
		points, err := full.Spacing.Points(m.schedule, full.Steps)
		if err != nil {
			t.Fatal(err)
		}
		want := full.Sampler.Steps(points, diffusion.SamplerOptions{Eta: o.Eta, SmallVariance: o.SmallVariance})
		if !slices.Equal(list, want) {
			t.Errorf("%s: steps %v, want %v", name, list, want)
		}
		var x, before, noise []float64
		seen := 0
		o.Each = func(s SampleStep) {
			r := want[seen]
			seen++
			next, x0 := graphtest.Float64s(s.X), graphtest.Float64s(s.X0)
			if s.T != int(math.Round(r.T)) || s.Done != seen || s.Steps != len(want) {
				t.Errorf("%s: step %d of %d at t = %d, want step %d of %d at %g", name, s.Done, s.Steps, s.T, seen, len(want), r.T)
			}
			if x != nil {
				for i := range next {
					rest := next[i] - r.OfXt*x[i] - r.OfX0*x0[i] - r.OfBefore*before[i]
					if r.Sigma > 0 {
						noise = append(noise, rest/r.Sigma)
					} else if !(math.Abs(rest) <= 1e-4*(1+math.Abs(next[i]))) {
						t.Fatalf("%s: step %d is off by %.2g", name, seen, rest)
					}
				}
			}
			x, before = next, x0
		}
		if _, err := m.Sample(context.Background(), o, low(6, 6)); err != nil {
			t.Fatal(err)
		}
		if seen != len(want) {
			t.Errorf("%s: %d steps, want %d", name, seen, len(want))
		}
		if len(noise) == 0 {
			if diffusion.Stochastic(want) {
				t.Errorf("%s: no noise was added", name)
			}
			continue
		}
		average, std := graphtest.Spread(noise)
		t.Logf("%s: noise of mean %.3f and std %.3f", name, average, std)
		if !(math.Abs(average) <= 0.05) || !(math.Abs(std-1) <= 0.05) {
			t.Errorf("%s: the noise has mean %.3f and std %.3f, want 0 and 1", name, average, std)
		}
	}
}

// The callback is given pictures of the result's size, also where the program's are padded.
func TestSampleStepSize(t *testing.T) {
	m := newSmall(t, small)
	_, err := m.Sample(t.Context(), SampleOptions{Sampler: diffusion.DDIM, Steps: 2, Each: func(s SampleStep) {
		for _, x := range []*tensors.Tensor{s.X, s.X0} {
			if d := x.Shape().Dimensions; d[0] != 1 || d[1] != 12 || d[2] != 20 {
				t.Errorf("the step's pictures are %s, want [1, 12, 20, 3]", x.Shape())
			}
		}
	}}, imaging.New(5, 3))
	if err != nil {
		t.Fatal(err)
	}
}
