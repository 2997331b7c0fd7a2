// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package diffusion

import (
	"fmt"
	"math"
	"slices"
)

// SamplerName is the name of a sampler.
type SamplerName string

// The samplers. They differ only in the coefficients of their steps.
const (
	DDPM    SamplerName = "ddpm"    // ancestral sampling: see Schedule.DDPM
	DDIM    SamplerName = "ddim"    // see Schedule.DDIM
	DPMpp2M SamplerName = "dpmpp2m" // DPM-Solver++(2M): see Schedule.DPMpp2M
)

// Spacing is a way to choose fewer timesteps than the network was trained with.
type Spacing string

// The spacings: see Spacing.Timesteps.
const (
	Trailing Spacing = "trailing"
	Leading  Spacing = "leading"
	Linspace Spacing = "linspace"
)

// ReverseStep is one step of a sampler, from x_t to x_s, where s is the timestep that its list visits next (and x_s is the
// result after the last one). All samplers here are of one form, with x_0 as predicted from x_t, x_0' as it was predicted one
// step before, and z standard normal:
//
//	x_s = OfXt x_t + OfX0 x_0 + OfBefore x_0' + Sigma z
type ReverseStep struct {
	T                           int // t, at which the network is asked
	OfXt, OfX0, OfBefore, Sigma float64
}

// Timesteps returns the timesteps that a sampler visits, greatest first: steps of the T timesteps (Lin
// et al. 2023, table 2):
//
//	Trailing  T-1 and every T/steps below it: begins where noise is purest
//	Leading   0 and every T/steps (rounded down) above it: never visits the noisiest ones
//	Linspace  evenly from T-1 to 0
//
// It returns an error for an unknown spacing, and unless 1 <= steps <= timesteps.
func (spacing Spacing) Timesteps(timesteps, steps int) ([]int, error) {
	if steps < 1 || steps > timesteps {
		return nil, fmt.Errorf("sampling steps is %d: want a number from 1 to the model's %d timesteps", steps, timesteps)
	}
	list := make([]int, steps)
	T, n := float64(timesteps), float64(steps)
	for i := range list {
		switch spacing {
		case Trailing:
			list[i] = int(math.RoundToEven(T-float64(i)*T/n)) - 1
		case Leading:
			list[i] = (steps - 1 - i) * (timesteps / steps)
		case Linspace:
			list[i] = int(math.RoundToEven((T - 1) * (1 - float64(i)/max(1, n-1))))
		default:
			return nil, fmt.Errorf("spacing is %q: want %s, %s or %s", spacing, Trailing, Leading, Linspace)
		}
	}
	return list, nil
}

// jumps calls step for every pair of neighbours t, s of the list with their alpha_bar; after the last there is x_0 itself,
// whose alpha_bar is 1.
func (s *Schedule) jumps(timesteps []int, step func(t int, now, next float64) ReverseStep) []ReverseStep {
	list := make([]ReverseStep, len(timesteps))
	for i, t := range timesteps {
		next := 1.0
		if i+1 < len(timesteps) {
			next = s.AlphaBars[timesteps[i+1]]
		}
		list[i] = step(t, s.AlphaBars[t], next)
		list[i].T = t
	}
	return list
}

// DDPM returns the steps of ancestral sampling, x_s ~ q(x_s | x_t, x_0) (Ho et al. 2020, equation 7), over a falling list of
// timesteps (Nichol and Dhariwal 2021, equation 19). With alpha = alpha_bar_t / alpha_bar_s and beta = 1 - alpha:
//
//	x_s = sqrt(alpha_bar_s) beta / (1 - alpha_bar_t) x_0 + sqrt(alpha) (1 - alpha_bar_s) / (1 - alpha_bar_t) x_t + sigma z
//
// where sigma^2 is beta, or for smallVariance the posterior's own beta (1 - alpha_bar_s) / (1 - alpha_bar_t): the upper and
// the lower bound (Ho et al. 2020, section 3.2). The last step adds no noise.
func (s *Schedule) DDPM(timesteps []int, smallVariance bool) []ReverseStep {
	return s.jumps(timesteps, func(_ int, now, next float64) ReverseStep {
		alpha := now / next
		beta := 1 - alpha
		variance := beta
		if smallVariance || next == 1 {
			variance = beta * (1 - next) / (1 - now)
		}
		return ReverseStep{
			OfX0:  sqrt(next) * beta / (1 - now),
			OfXt:  sqrt(alpha) * (1 - next) / (1 - now),
			Sigma: sqrt(variance),
		}
	})
}

// DDIM returns the steps of Song, Meng and Ermon 2020, equation 12, over a falling list of timesteps, eta in [0, 1]: 0 adds no
// noise, so that x_T decides everything, and 1 is DDPM with the small variance.
//
//	x_s = sqrt(alpha_bar_s) x_0 + sqrt(1 - alpha_bar_s - sigma^2) eps + sigma z
//	sigma = eta sqrt((1 - alpha_bar_s) / (1 - alpha_bar_t)) sqrt(1 - alpha_bar_t / alpha_bar_s)
//
// where eps = (x_t - sqrt(alpha_bar_t) x_0) / sqrt(1 - alpha_bar_t) is the noise that the predicted x_0 leaves over, so that
// it follows when x_0 is clipped.
func (s *Schedule) DDIM(timesteps []int, eta float64) []ReverseStep {
	return s.jumps(timesteps, func(_ int, now, next float64) ReverseStep {
		sigma := eta * sqrt((1-next)/(1-now)) * sqrt(1-now/next)
		ofEps := sqrt(max(0, 1-next-sigma*sigma)) // rounding may take it below 0
		return ReverseStep{
			OfXt:  ofEps / sqrt(1-now),
			OfX0:  sqrt(next) - ofEps*sqrt(now)/sqrt(1-now),
			Sigma: sigma,
		}
	})
}

// DPMpp2M returns the steps of DPM-Solver++(2M), a multistep solver of second order (Lu et al. 2022, algorithm 2), over a
// falling list of timesteps. With a = sqrt(alpha_bar), sigma = sqrt(1 - alpha_bar), lambda = log(a / sigma), h = lambda_s -
// lambda_t and r = (h of the step before) / h:
//
//	x_s = sigma_s / sigma_t x_t + a_s (1 - e^-h) ((1 + 1/(2r)) x_0 - 1/(2r) x_0')
//
// The first step, which has no x_0', and the last one, whose lambda_s is infinite, are of first order, which is DDIM's.
func (s *Schedule) DPMpp2M(timesteps []int) []ReverseStep {
	before := math.Inf(1) // h of the step before
	lambda := func(alphaBar float64) float64 { return math.Log(alphaBar/(1-alphaBar)) / 2 }
	return s.jumps(timesteps, func(t int, now, next float64) ReverseStep {
		h := lambda(next) - lambda(now)
		correction := h / before / 2 // 1/(2r)
		if t == timesteps[0] || next == 1 {
			correction = 0
		}
		before = h
		gain := sqrt(next) * -math.Expm1(-h)
		return ReverseStep{
			OfXt:     sqrt((1 - next) / (1 - now)),
			OfX0:     gain * (1 + correction),
			OfBefore: -gain * correction,
		}
	})
}

// Stochastic reports whether any of the steps adds noise.
func Stochastic(steps []ReverseStep) bool {
	return slices.ContainsFunc(steps, func(s ReverseStep) bool { return s.Sigma != 0 })
}

// Multistep reports whether any of the steps uses the x_0 of the step before.
func Multistep(steps []ReverseStep) bool {
	return slices.ContainsFunc(steps, func(s ReverseStep) bool { return s.OfBefore != 0 })
}
