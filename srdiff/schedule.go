// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import "fmt"

// maxTimesteps bounds T: a schedule is a table, and 100 times the tutorial's is already more than any paper uses.
const maxTimesteps = 100_000

// Schedule is the noise schedule of the forward process and everything that follows from it, in float64, indexed by the
// timestep t = 0..T-1 (Ho, Jain and Abbeel 2020, section 2).
type Schedule struct {
	Kind      string    `json:"kind"`
	Timesteps int       `json:"timesteps"`  // T
	Betas     []float64 `json:"betas"`      // beta_t: the variance of the noise that step t adds
	Alphas    []float64 `json:"alphas"`     // alpha_t = 1 - beta_t
	AlphaBars []float64 `json:"alpha_bars"` // alpha_bar_t = prod_{s<=t} alpha_s: the share of x_0's variance left at t
}

// NewSchedule makes a schedule of the given kind and number of timesteps T.
//
// "linear": beta_t rises evenly from betaStart at t = 0 to betaEnd at t = T-1. (Of one step, beta_0 = betaStart.)
//
// It returns an error that names the value when the kind is unknown, T is not in 1..100000, or the betas are not
// 0 < betaStart <= betaEnd < 1.
func NewSchedule(kind string, timesteps int, betaStart, betaEnd float64) (*Schedule, error) {
	switch {
	case kind != "linear":
		return nil, fmt.Errorf("schedule kind is %q: want linear", kind)
	case timesteps < 1 || timesteps > maxTimesteps:
		return nil, fmt.Errorf("timesteps is %d: want a number from 1 to %d", timesteps, maxTimesteps)
	case !(betaStart > 0 && betaStart < 1): // written so that NaN fails too
		return nil, fmt.Errorf("beta_start is %g: want a number between 0 and 1, such as 1e-4", betaStart)
	case !(betaEnd > 0 && betaEnd < 1):
		return nil, fmt.Errorf("beta_end is %g: want a number between 0 and 1, such as 0.02", betaEnd)
	case betaStart > betaEnd:
		return nil, fmt.Errorf("beta_start %g is greater than beta_end %g: noise must not shrink with t, swap them",
			betaStart, betaEnd)
	}
	s := &Schedule{
		Kind:      kind,
		Timesteps: timesteps,
		Betas:     make([]float64, timesteps),
		Alphas:    make([]float64, timesteps),
		AlphaBars: make([]float64, timesteps),
	}
	alphaBar := 1.0
	for t := range timesteps {
		s.Betas[t] = betaStart
		if timesteps > 1 {
			s.Betas[t] += (betaEnd - betaStart) * float64(t) / float64(timesteps-1)
		}
		s.Alphas[t] = 1 - s.Betas[t]
		alphaBar *= s.Alphas[t]
		s.AlphaBars[t] = alphaBar
	}
	return s, nil
}

// SNR returns the signal-to-noise ratio of x_t:
//
//	SNR_t = alpha_bar_t / (1 - alpha_bar_t)
func (s *Schedule) SNR(t int) float64 { return s.AlphaBars[t] / (1 - s.AlphaBars[t]) }

// alphaBarBefore returns alpha_bar_{t-1}; before the first step there is no noise, so it is 1 for t = 0.
func (s *Schedule) alphaBarBefore(t int) float64 {
	if t == 0 {
		return 1
	}
	return s.AlphaBars[t-1]
}

// PosteriorMean returns the coefficients of the mean of q(x_{t-1} | x_t, x_0), which is ofX0 x_0 + ofXt x_t (Ho et al.
// 2020, equation 7):
//
//	ofX0 = sqrt(alpha_bar_{t-1}) beta_t / (1 - alpha_bar_t)
//	ofXt = sqrt(alpha_t) (1 - alpha_bar_{t-1}) / (1 - alpha_bar_t)
func (s *Schedule) PosteriorMean(t int) (ofX0, ofXt float64) {
	before, now := s.alphaBarBefore(t), s.AlphaBars[t]
	return sqrt(before) * s.Betas[t] / (1 - now), sqrt(s.Alphas[t]) * (1 - before) / (1 - now)
}

// PosteriorVariance returns the variance of q(x_{t-1} | x_t, x_0) (Ho et al. 2020, equation 7); it is 0 for t = 0:
//
//	beta~_t = beta_t (1 - alpha_bar_{t-1}) / (1 - alpha_bar_t)
func (s *Schedule) PosteriorVariance(t int) float64 {
	return s.Betas[t] * (1 - s.alphaBarBefore(t)) / (1 - s.AlphaBars[t])
}

// table evaluates f at every timestep.
func (s *Schedule) table(f func(t int) float64) []float64 {
	values := make([]float64, s.Timesteps)
	for t := range values {
		values[t] = f(t)
	}
	return values
}
