// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package diffusion_test

import (
	"fmt"
	"math"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/srdiff/srlab/srdiff/diffusion"
	"github.com/srdiff/srlab/srdiff/engine"
)

// A schedule, and what is left of a picture at some timesteps.
func ExampleNewSchedule() {
	s, err := diffusion.NewSchedule(diffusion.Config{Schedule: diffusion.Linear, Timesteps: 1000, BetaStart: 1e-4, BetaEnd: 0.02})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, t := range []int{0, 499, 999} {
		fmt.Printf("t = %3d: beta %.4f, alpha_bar %.6f, SNR %.5f\n", t, s.Betas[t], s.AlphaBars[t], s.SNR(t))
	}
	// Output:
	// t =   0: beta 0.0001, alpha_bar 0.999900, SNR 9999.00000
	// t = 499: beta 0.0100, alpha_bar 0.078587, SNR 0.08529
	// t = 999: beta 0.0200, alpha_bar 0.000040, SNR 0.00004
}

// The forward process: x_t of a picture with a given noise, at three timesteps.
func ExampleSchedule_QSample() {
	eng, err := engine.Open("go")
	if err != nil {
		fmt.Println(err)
		return
	}
	schedule, err := diffusion.NewSchedule(diffusion.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	xt, err := CallOnce(eng.Backend, func(x0, t, eps *Node) *Node { return schedule.QSample(x0, t, eps) },
		[][][][]float32{{{{1}}}, {{{1}}}, {{{1}}}}, []int32{0, 499, 999}, [][][][]float32{{{{-1}}}, {{{-1}}}, {{{-1}}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, x := range xt.Value().([][][][]float32) {
		fmt.Printf("%.2f\n", x[0][0][0])
	}
	// Output:
	// 0.99
	// -0.68
	// -0.99
}

// The steps of a sampler are numbers, which say how x_t, the predicted x_0 and noise make x_s.
func ExampleSamplerName_Steps() {
	s, err := diffusion.NewSchedule(diffusion.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	points, err := diffusion.Trailing.Points(s, 3)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, step := range diffusion.DDIM.Steps(points, diffusion.SamplerOptions{}) {
		fmt.Printf("from t = %3.0f: x_s = %.3f x_t + %.3f x_0\n", step.T, step.OfXt, step.OfX0)
	}
	// Output:
	// from t = 999: x_s = 0.995 x_t + 0.098 x_0
	// from t = 666: x_s = 0.829 x_t + 0.480 x_0
	// from t = 332: x_s = 0.000 x_t + 1.000 x_0
}

// heun is the solver of Karras et al. 2022, algorithm 1, without its noise. With sigma = sqrt(1 -
// alpha_bar) / sqrt(alpha_bar) and q = sigma_s / sigma_t, a step from t to s takes two evaluations:
// at t it goes to s as DDIM does, and at s it corrects that with the x_0 predicted there:
//
//	x_s = x_s + sqrt(alpha_bar_s) (q - 1) / (2 q) (x_0' - x_0)
//
// The last step, to sigma = 0, is DDIM's.
func heun(points []diffusion.Point, _ diffusion.SamplerOptions) []diffusion.Step {
	sigma := func(p diffusion.Point) float64 { return math.Sqrt(1/p.AlphaBar - 1) }
	var steps []diffusion.Step
	for i, euler := range diffusion.DDIM.Steps(points, diffusion.SamplerOptions{}) {
		steps = append(steps, euler)
		if i+1 < len(points) && points[i].AlphaBar > 0 { // the slope at pure noise is not known
			s := points[i+1]
			q := sigma(s) / sigma(points[i])
			c := math.Sqrt(s.AlphaBar) * (q - 1) / (2 * q)
			steps = append(steps, diffusion.Step{Point: s, OfXt: 1, OfX0: -c, OfBefore: c})
		}
	}
	return steps
}

func init() { diffusion.RegisterSampler("heun", heun) }

// A sampler of one's own, with two evaluations a step: it is registered by
//
//	func init() { diffusion.RegisterSampler("heun", heun) }
//
// and srdiff.SampleOptions{Sampler: "heun"} asks for it.
func ExampleRegisterSampler() {
	s, err := diffusion.NewSchedule(diffusion.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, step := range diffusion.SamplerName("heun").Steps(s.Points(999, 499), diffusion.SamplerOptions{}) {
		fmt.Printf("at t = %3.0f: %.3f x_t + %.3f x_0 + %.3f x_0'\n", step.T, step.OfXt, step.OfX0, step.OfBefore)
	}
	// Output:
	// at t = 999: 0.960 x_t + 0.274 x_0 + 0.000 x_0'
	// at t = 499: 1.000 x_t + 6.303 x_0 + -6.303 x_0'
	// at t = 499: 0.000 x_t + 1.000 x_0 + 0.000 x_0'
}

// Heun's method is of second order, on data that is N(0, std^2), whose flow is known:
//
//	x_s / sqrt(alpha_bar_s std^2 + 1 - alpha_bar_s) is constant
func TestHeunIsOfSecondOrder(t *testing.T) {
	const std = 0.5
	spread := func(alphaBar float64) float64 { return math.Sqrt(alphaBar*std*std + 1 - alphaBar) }
	errorOf := func(steps int) float64 {
		var points []diffusion.Point // evenly in log sigma, from 10 to 0.1
		for i := range steps + 1 {
			sigma := math.Pow(10, 1-2*float64(i)/float64(steps))
			points = append(points, diffusion.Point{AlphaBar: 1 / (1 + sigma*sigma)})
		}
		x, before := 1.0, 0.0
		all := heun(points, diffusion.SamplerOptions{})
		for _, s := range all[:len(all)-1] { // not the last jump, whose log sigma is infinite
			x0 := math.Sqrt(s.AlphaBar) * std * std / (spread(s.AlphaBar) * spread(s.AlphaBar)) * x
			x, before = s.OfXt*x+s.OfX0*x0+s.OfBefore*before, x0
		}
		return math.Abs(x/(spread(points[steps].AlphaBar)/spread(points[0].AlphaBar)) - 1)
	}
	for steps := 20; steps <= 80; steps *= 2 {
		if order := math.Log2(errorOf(steps) / errorOf(2*steps)); !(math.Abs(order-2) <= 0.25) {
			t.Errorf("%d steps: order %.2f, want 2", steps, order)
		}
	}
}
