// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package diffusion

import (
	"fmt"
	"math"
	"slices"
)

// Step is one step of a sampler, from x_t to x_s, where s is the next point; after the last point,
// x_s is the result. All samplers have one form, in which x_0 is predicted from x_t, x_0' was
// predicted one step before, and z is standard normal:
//
//	x_s = OfXt x_t + OfX0 x_0 + OfBefore x_0' + Sigma z
//
// A sampler with two evaluations a step takes two of these.
type Step struct {
	Point                               // where the network predicts
	OfXt, OfX0, OfBefore, Sigma float64 // the coefficients
}

// Sampler returns the steps over a falling list of points. The last step ends at x_0, whose
// alpha_bar is 1.
type Sampler func(points []Point, o SamplerOptions) []Step

// SamplerOptions are options of single samplers.
type SamplerOptions struct {
	Eta           float64 // for DDIM, 0 to 1: the share of DDPM's noise that it adds
	SmallVariance bool    // for DDPM: takes the lower bound of the variance, not the upper one
}

// SamplerName is the name of a sampler.
type SamplerName string

// The samplers of this package.
const (
	DDPM    SamplerName = "ddpm"    // ancestral sampling (Ho et al. 2020)
	DDIM    SamplerName = "ddim"    // Song, Meng and Ermon 2020
	DPMpp2M SamplerName = "dpmpp2m" // DPM-Solver++(2M) (Lu et al. 2022)
)

var (
	samplerNames = []SamplerName{DDPM, DDIM, DPMpp2M} // in the order of their registration
	samplers     = map[SamplerName]Sampler{DDPM: ddpm, DDIM: ddim, DPMpp2M: dpmpp2M}
)

// RegisterSampler registers a sampler under a name. Registering a name twice panics.
func RegisterSampler(name SamplerName, s Sampler) {
	if samplers[name] != nil {
		panic(fmt.Errorf("the sampler %s is registered already", name))
	}
	samplerNames, samplers[name] = append(samplerNames, name), s
}

// Steps returns the sampler's steps over a falling list of points. It panics for an unknown name:
// see Validate.
func (name SamplerName) Steps(points []Point, o SamplerOptions) []Step {
	if err := name.Validate(SamplerOptions{}); err != nil {
		panic(err)
	}
	return samplers[name](points, o)
}

// Validate returns an error for an unknown sampler, and for options that it does not use.
func (name SamplerName) Validate(o SamplerOptions) error {
	sampler := samplers[name]
	if sampler == nil {
		return fmt.Errorf("sampler is %q: want %s", name, oneOf(samplerNames))
	}
	differs := func(o SamplerOptions) bool {
		points := []Point{{T: 2, AlphaBar: 0.2}, {T: 1, AlphaBar: 0.5}, {T: 0, AlphaBar: 0.9}}
		return !slices.Equal(sampler(points, o), sampler(points, SamplerOptions{}))
	}
	switch {
	case !(o.Eta >= 0 && o.Eta <= 1): // written so that NaN fails too
		return fmt.Errorf("eta is %g: want a number from 0 to 1", o.Eta)
	case o.Eta > 0 && !differs(SamplerOptions{Eta: 1}):
		return fmt.Errorf("eta is %g with the sampler %s, which has no eta: omit it", o.Eta, name)
	case o.SmallVariance && !differs(SamplerOptions{SmallVariance: true}):
		return fmt.Errorf("small variance with the sampler %s, which has one variance: omit it", name)
	}
	return nil
}

// jumps calls step for every pair of neighbours in the list, with their alpha_bar.
func jumps(points []Point, step func(i int, now, next float64) Step) []Step {
	list := make([]Step, len(points))
	for i, p := range points {
		next := 1.0
		if i+1 < len(points) {
			next = points[i+1].AlphaBar
		}
		list[i] = step(i, p.AlphaBar, next)
		list[i].Point = p
	}
	return list
}

// ddpm is ancestral sampling, x_s ~ q(x_s | x_t, x_0) (Ho et al. 2020, equation 7), over a falling
// list of points (Nichol and Dhariwal 2021, equation 19). With alpha = alpha_bar_t / alpha_bar_s
// and beta = 1 - alpha:
//
//	x_s = sqrt(alpha_bar_s) beta / (1 - alpha_bar_t) x_0
//	    + sqrt(alpha) (1 - alpha_bar_s) / (1 - alpha_bar_t) x_t + sigma z
//
// where sigma^2 is beta, or for SmallVariance the posterior's own beta (1 - alpha_bar_s) / (1 -
// alpha_bar_t): the upper and the lower bound (Ho et al. 2020, section 3.2). The last step adds no
// noise.
func ddpm(points []Point, o SamplerOptions) []Step {
	return jumps(points, func(_ int, now, next float64) Step {
		alpha := now / next
		beta := 1 - alpha
		variance := beta
		if o.SmallVariance || next == 1 {
			variance = beta * (1 - next) / (1 - now)
		}
		return Step{
			OfX0:  sqrt(next) * beta / (1 - now),
			OfXt:  sqrt(alpha) * (1 - next) / (1 - now),
			Sigma: sqrt(variance),
		}
	})
}

// ddim is Song, Meng and Ermon 2020, equation 12, over a falling list of points. Eta is in [0, 1]:
// with 0 no noise is added, so that x_T determines the result, and 1 is DDPM with the small
// variance.
//
//	x_s = sqrt(alpha_bar_s) x_0 + sqrt(1 - alpha_bar_s - sigma^2) eps + sigma z
//	sigma = eta sqrt((1 - alpha_bar_s) / (1 - alpha_bar_t)) sqrt(1 - alpha_bar_t / alpha_bar_s)
//
// where eps = (x_t - sqrt(alpha_bar_t) x_0) / sqrt(1 - alpha_bar_t) follows from the predicted x_0,
// after clipping.
func ddim(points []Point, o SamplerOptions) []Step {
	return jumps(points, func(_ int, now, next float64) Step {
		sigma := o.Eta * sqrt((1-next)/(1-now)) * sqrt(1-now/next)
		ofEps := sqrt(max(0, 1-next-sigma*sigma)) // rounding may take it below 0
		return Step{
			OfXt:  ofEps / sqrt(1-now),
			OfX0:  sqrt(next) - ofEps*sqrt(now)/sqrt(1-now),
			Sigma: sigma,
		}
	})
}

// dpmpp2M is DPM-Solver++(2M), a multistep solver of second order (Lu et al. 2022, algorithm 2),
// over a falling list of points. With a = sqrt(alpha_bar), sigma = sqrt(1 - alpha_bar), lambda =
// log(a / sigma), h = lambda_s - lambda_t and r = (h of the step before) / h:
//
//	x_s = sigma_s / sigma_t x_t + a_s (1 - e^-h) ((1 + 1/(2r)) x_0 - 1/(2r) x_0')
//
// The first step, which has no x_0', and the last one, whose lambda_s is infinite, are of first
// order, which is DDIM's.
func dpmpp2M(points []Point, _ SamplerOptions) []Step {
	before := math.Inf(1) // h of the step before
	lambda := func(alphaBar float64) float64 { return math.Log(alphaBar/(1-alphaBar)) / 2 }
	return jumps(points, func(i int, now, next float64) Step {
		h := lambda(next) - lambda(now)
		correction := h / before / 2 // 1/(2r)
		if i == 0 || next == 1 {
			correction = 0
		}
		before = h
		gain := sqrt(next) * -math.Expm1(-h)
		return Step{
			OfXt:     sqrt((1 - next) / (1 - now)),
			OfX0:     gain * (1 + correction),
			OfBefore: -gain * correction,
		}
	})
}

// Stochastic reports whether any of the steps adds noise.
func Stochastic(steps []Step) bool {
	return slices.ContainsFunc(steps, func(s Step) bool { return s.Sigma != 0 })
}

// Multistep reports whether any of the steps uses the x_0 of the step before.
func Multistep(steps []Step) bool {
	return slices.ContainsFunc(steps, func(s Step) bool { return s.OfBefore != 0 })
}
