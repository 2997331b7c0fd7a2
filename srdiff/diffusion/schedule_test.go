// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package diffusion

import (
	"math"
	"strings"
	"testing"
)

// The published values of the linear schedule 1e-4..0.02 over 1000 timesteps, in float64.
func TestLinearSchedule(t *testing.T) {
	s, err := NewSchedule(Config{Timesteps: 1000, BetaStart: 1e-4, BetaEnd: 0.02})
	if err != nil {
		t.Fatal(err)
	}
	for at, want := range map[int]float64{0: 0.9999, 1: 0.9997800920720721, 499: 0.07858724288177824, 999: 4.035829765375676e-05} {
		if got := s.AlphaBars[at]; !(math.Abs(got-want) <= 1e-12*want) {
			t.Errorf("alpha_bar[%d] is %v, want %v", at, got, want)
		}
	}
	if s.Betas[0] != 1e-4 || !(math.Abs(s.Betas[999]-0.02) <= 1e-15) {
		t.Errorf("betas run from %v to %v, want 1e-4 to 0.02", s.Betas[0], s.Betas[999])
	}
	if snr := s.SNR(499); !(math.Abs(snr-0.07858724288177824/(1-0.07858724288177824)) <= 1e-12) {
		t.Errorf("SNR(499) is %v", snr)
	}
}

// The posterior q(x_{t-1} | x_t, x_0) follows from Bayes' rule on two Gaussians: the product of
// q(x_t | x_{t-1}) and q(x_{t-1} | x_0), worked out here by precisions instead of by the paper's
// coefficients.
func TestPosteriorIsBayes(t *testing.T) {
	s, err := NewSchedule(Config{Timesteps: 100, BetaStart: 1e-3, BetaEnd: 0.1})
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []int{1, 7, 50, 99} {
		likelihood := s.Alphas[step] / s.Betas[step] // precision of x_{t-1} as x_t tells it
		prior := 1 / (1 - s.AlphaBars[step-1])       // and as x_0 tells it
		variance := 1 / (likelihood + prior)         //
		wantX0 := variance * prior * math.Sqrt(s.AlphaBars[step-1])
		wantXt := variance * likelihood / math.Sqrt(s.Alphas[step])
		ofX0, ofXt := s.PosteriorMean(step)
		for name, v := range map[string][2]float64{
			"variance": {s.PosteriorVariance(step), variance}, "x_0": {ofX0, wantX0}, "x_t": {ofXt, wantXt},
		} {
			if !(math.Abs(v[0]-v[1]) <= 1e-12) {
				t.Errorf("t = %d: posterior %s is %v, want %v", step, name, v[0], v[1])
			}
		}
	}
	if ofX0, ofXt := s.PosteriorMean(0); !(math.Abs(ofX0-1) <= 1e-12) || ofXt != 0 || s.PosteriorVariance(0) != 0 {
		t.Errorf("the last step must give x_0 itself, got %v x_0 + %v x_t, variance %v", ofX0, ofXt, s.PosteriorVariance(0))
	}
}

func TestOneTimestep(t *testing.T) {
	s, err := NewSchedule(Config{Timesteps: 1, BetaStart: 0.1, BetaEnd: 0.2})
	if err != nil {
		t.Fatal(err)
	}
	if s.Betas[0] != 0.1 || s.AlphaBars[0] != 0.9 {
		t.Errorf("got beta %v, alpha_bar %v", s.Betas[0], s.AlphaBars[0])
	}
}

// Schedules that leave no signal, or no noise, in float64 or in float32 are refused by name. All
// others have finite tables.
func TestScheduleLimits(t *testing.T) {
	for _, test := range []struct {
		c    Config
		want string // of the error; "" for none
	}{
		{Config{BetaStart: 1e-17}, "beta_start is 1e-17"},
		{Config{BetaStart: 1e-13, Schedule: Sigmoidal}, "beta_start is 1e-13"},
		{Config{Timesteps: 20_000}, "want alpha_bar from 1e-60"},
		{Config{Timesteps: 20_000, ZeroSNR: true}, "want alpha_bar from 1e-60"},
		{Config{BetaEnd: 1 - 1e-16}, "want alpha_bar from 1e-60"},
		{Config{BetaStart: 1e-12, Prediction: PredictV}, ""},
		{Config{BetaStart: 1e-12, Schedule: ScaledLinear}, ""},
		{Config{Timesteps: 1}, ""},
		{Config{Timesteps: 2, ZeroSNR: true}, ""},
		{Config{Timesteps: 2, ZeroSNR: true, Schedule: Cosine}, ""},
		{Config{Timesteps: 100_000, Schedule: Cosine}, ""},
	} {
		s, err := NewSchedule(test.c)
		if test.want != "" {
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%+v: got %v, want one line with %q", test.c, err, test.want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%+v: %v", test.c, err)
			continue
		}
		for i := range s.Timesteps {
			ofX0, ofXt := s.PosteriorMean(i)
			for _, v := range []float64{s.SNR(i), ofX0, ofXt, s.PosteriorVariance(i)} {
				if v-v != 0 {
					t.Fatalf("%+v: the schedule has a number that is not finite at timestep %d", test.c, i)
				}
			}
		}
		if ofX0, _ := s.PosteriorMean(0); !(math.Abs(ofX0-1) <= 1e-3) {
			t.Errorf("%+v: the last step gives %v x_0", test.c, ofX0)
		}
	}
}
