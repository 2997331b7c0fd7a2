// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package diffusion

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/srdiff/srlab/srdiff/internal/graphtest"
)

var (
	allKinds       = []ScheduleKind{Linear, ScaledLinear, Cosine, Sigmoidal}
	allPredictions = []Prediction{PredictEps, PredictX0, PredictV}
	allSpacings    = []Spacing{Trailing, Leading, Linspace}
)

func scheduleOf(t *testing.T, c Config) *Schedule {
	t.Helper()
	s, err := NewSchedule(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func spaced(t *testing.T, spacing Spacing, timesteps, steps int) []int {
	t.Helper()
	list, err := spacing.Timesteps(timesteps, steps)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestSchedulesAreDiffusers(t *testing.T) {
	g := graphtest.Golden(t, "../testdata/schedulers.safetensors")
	for _, kind := range allKinds {
		for _, timesteps := range []int{1000, 50} {
			for _, zero := range []bool{false, true} {
				name := fmt.Sprintf("%s.%d", kind, timesteps)
				if zero {
					name += ".zero"
				}
				s := scheduleOf(t, Config{Schedule: kind, Timesteps: timesteps, ZeroSNR: zero})
				graphtest.Near(t, "alpha_bars."+name, s.AlphaBars, graphtest.Float64s(g["alpha_bars."+name]), 1e-6)
				tolerance := 1e-6
				if zero { // 1 - alpha_bar_t / alpha_bar_{t-1} of small alpha_bars, for which diffusers has float32
					tolerance = 5e-6
				}
				graphtest.Near(t, "betas."+name, s.Betas, graphtest.Float64s(g["betas."+name]), tolerance)
				last := timesteps - 1
				if zero && (s.SNR(last) != 0 || s.AlphaBars[last] != 0 || s.Betas[last] != 1 || s.SNR(last-1) <= 0) {
					t.Errorf("%s ends with SNR %g, %g, alpha_bar %g and beta %g, want 0 at the last step alone", name,
						s.SNR(last-1), s.SNR(last), s.AlphaBars[last], s.Betas[last])
				}
			}
		}
	}
}

func TestSpacingsAreDiffusers(t *testing.T) {
	g := graphtest.Golden(t, "../testdata/schedulers.safetensors")
	for _, spacing := range allSpacings {
		for _, steps := range []int{1, 7, 10, 16, 20, 50} {
			var want []int
			for _, at := range tensors.MustCopyFlatData[int32](g[fmt.Sprintf("timesteps.%s.%d", spacing, steps)]) {
				want = append(want, int(at))
			}
			if spacing == Linspace && steps == 1 { // diffusers visits t = 0 alone, which pure noise is not at
				want = []int{999}
			}
			if got := spaced(t, spacing, 1000, steps); !slices.Equal(got, want) {
				t.Errorf("%s, %d steps: %v, want %v", spacing, steps, got, want)
			}
		}
	}
}

// Whatever the numbers, a list falls, stays within 0..T-1 and begins and ends where its definition
// says.
func TestSpacing(t *testing.T) {
	for _, timesteps := range []int{1, 2, 3, 10, 50, 1000} {
		for steps := 1; steps <= min(timesteps, 60); steps++ {
			for _, spacing := range allSpacings {
				list := spaced(t, spacing, timesteps, steps)
				first, last := list[0], list[steps-1]
				good := len(list) == steps && first < timesteps && last >= 0
				for i := range list[1:] {
					good = good && list[i+1] < list[i]
				}
				switch spacing {
				case Trailing:
					good = good && first == timesteps-1
				case Leading:
					good = good && last == 0
				case Linspace:
					good = good && first == timesteps-1 && (steps == 1 || last == 0)
				}
				if !good {
					t.Errorf("%s, %d of %d: %v", spacing, steps, timesteps, list)
				}
			}
		}
		for _, spacing := range allSpacings { // as many steps as there are timesteps: all
			list := spaced(t, spacing, timesteps, timesteps)
			for i, at := range list {
				if at != timesteps-1-i {
					t.Fatalf("%s, all of %d: %v", spacing, timesteps, list)
				}
			}
		}
	}
	for want, ask := range map[string]struct {
		spacing Spacing
		steps   int
	}{
		"sampling steps is 0": {Trailing, 0}, "sampling steps is -3": {Leading, -3},
		"sampling steps is 11": {Linspace, 11}, `spacing is "even"`: {"even", 5},
	} {
		if _, err := ask.spacing.Timesteps(10, ask.steps); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestAncestralStepsAreDiffusers(t *testing.T) {
	g, s := graphtest.Golden(t, "../testdata/schedulers.safetensors"), scheduleOf(t, Config{})
	all := spaced(t, Trailing, s.Timesteps, s.Timesteps)
	column := func(steps []Step, f func(Step) float64) []float64 { // by timestep
		values := make([]float64, len(steps))
		for _, step := range steps {
			values[int(step.T)] = f(step)
		}
		return values
	}
	large, small := DDPM.Steps(s.Points(all...), SamplerOptions{}), DDPM.Steps(s.Points(all...), SamplerOptions{SmallVariance: true})
	variance := func(r Step) float64 { return r.Sigma * r.Sigma }
	want := graphtest.Float64s(g["ddpm.fixed_large"])
	want[0] = 0 // diffusers adds no noise at t = 0 either, but its table has some
	graphtest.Near(t, "fixed_large", column(large, variance), want, 1e-6)
	graphtest.Near(t, "fixed_small", column(small, variance), graphtest.Float64s(g["ddpm.fixed_small"]), 1e-6)
	// diffusers works in float32, where 1 - alpha_bar_t, by which all is divided, is 1e-4 to 6e-8
	// at t = 0: 6e-4 of it.
	graphtest.Near(t, "of x_0", column(large, func(r Step) float64 { return r.OfX0 })[20:], graphtest.Float64s(g["ddpm.of_x0"])[20:], 1e-5)
	graphtest.Near(t, "of x_t", column(small, func(r Step) float64 { return r.OfXt })[20:], graphtest.Float64s(g["ddpm.of_xt"])[20:], 1e-5)
	graphtest.Near(t, "of x_0", column(large, func(r Step) float64 { return r.OfX0 }), graphtest.Float64s(g["ddpm.of_x0"]), 1e-3)
	graphtest.Near(t, "of x_t", column(small, func(r Step) float64 { return r.OfXt }), graphtest.Float64s(g["ddpm.of_xt"]), 1e-3)
}

// stepper does one step of a sampler on the engine under test.
type stepper struct {
	t    *testing.T
	exec *Exec
}

func newStepper(t *testing.T, s *Schedule, prediction Prediction, clip bool) stepper {
	t.Helper()
	exec, err := NewExec(graphtest.Engine(t), func(in []*Node) []*Node {
		xt, before, z, predicted, at, c := in[0], in[1], in[2], in[3], in[4], in[5]
		x0 := prediction.X0(s.At(at), xt, predicted)
		if clip {
			x0 = ClipX0(x0)
		}
		of := func(i int) *Node { return Reshape(Slice(c, AxisElem(i)), 1, 1, 1, 1) }
		return []*Node{Add(Add(Mul(of(0), xt), Mul(of(1), x0)), Add(Mul(of(2), before), Mul(of(3), z))), x0}
	})
	if err != nil {
		t.Fatal(err)
	}
	return stepper{t, exec}
}

func (s stepper) step(r Step, xt, before, z, predicted *tensors.Tensor) (x, x0 *tensors.Tensor) {
	s.t.Helper()
	c := []float32{float32(r.OfXt), float32(r.OfX0), float32(r.OfBefore), float32(r.Sigma)}
	out, err := s.exec.Call(xt, before, z, predicted, int32(r.T), c)
	if err != nil {
		s.t.Fatal(err)
	}
	return out[0], out[1]
}

// part is picture batch k of a stack [n, batch, height, width, 3].
func part(stack *tensors.Tensor, k int) *tensors.Tensor {
	dims := stack.Shape().Dimensions[1:]
	size := stack.Shape().Size() / stack.Shape().Dimensions[0]
	return tensors.FromFlatDataAndDimensions(tensors.MustCopyFlatData[float32](stack)[k*size:][:size], dims...)
}

// Whole trajectories with the network's outputs and the noise given. The lists whose jumps differ
// are held against DDPMScheduler and DPMSolverMultistepScheduler only, since DDIMScheduler takes
// alpha_bar of t - T // steps for that of the timestep that it visits next; DPM-Solver++ of first
// order is DDIM without noise over any list.
func TestTrajectoriesAreDiffusers(t *testing.T) {
	g := graphtest.Golden(t, "../testdata/schedulers.safetensors")
	steps := func(s *Schedule, sampler string, list []int) []Step {
		switch sampler {
		case "ddpm":
			return DDPM.Steps(s.Points(list...), SamplerOptions{})
		case "ddpm-small":
			return DDPM.Steps(s.Points(list...), SamplerOptions{SmallVariance: true})
		case "ddim", "dpmpp1":
			return DDIM.Steps(s.Points(list...), SamplerOptions{})
		case "ddim-half":
			return DDIM.Steps(s.Points(list...), SamplerOptions{Eta: 0.5})
		}
		return DPMpp2M.Steps(s.Points(list...), SamplerOptions{})
	}
	steppers := map[string]stepper{}
	cases, worst := 0, 0.0
	for name, want := range g {
		about := strings.Split(name, ".") // trajectory, sampler, steps, spacing, prediction, how
		if about[0] != "trajectory" || len(about) < 5 {
			continue
		}
		cases++
		how := strings.Join(about[4:], ".")
		s := scheduleOf(t, Config{ZeroSNR: strings.HasSuffix(how, "zero")})
		if _, made := steppers[how]; !made {
			steppers[how] = newStepper(t, s, Prediction(about[4]), strings.HasSuffix(how, "clip"))
		}
		list := spaced(t, Spacing(about[3]), 1000, want.Shape().Dimensions[0])
		x := g["trajectory.x"]
		x0 := x // of no use in the first step
		for k, r := range steps(s, about[1], list) {
			x, x0 = steppers[how].step(r, x, x0, part(g["trajectory.noises"], k), part(g["trajectory.outputs"], k))
			if e := graphtest.RelativeError(x, part(want, k)); !(e <= worst) {
				if worst = e; !(e <= 1e-4) {
					t.Errorf("%s: step %d, t = %g: off by %.2g of the largest value", name, k, r.T, e)
					break
				}
			}
		}
	}
	t.Logf("%d trajectories, off by %.1e at most", cases, worst)
	if cases != 3*(5*3*2+4*2)+2*4 {
		t.Errorf("%d trajectories in the file", cases)
	}
}

func sameSteps(t *testing.T, name string, got, want []Step, tolerance float64) {
	t.Helper()
	for i, w := range want {
		g := got[i]
		for _, d := range []float64{g.OfXt - w.OfXt, g.OfX0 - w.OfX0, g.OfBefore - w.OfBefore, g.Sigma - w.Sigma} {
			if !(math.Abs(d) <= tolerance) || g.T != w.T {
				t.Fatalf("%s: step %d is %+v, want %+v", name, i, g, w)
			}
		}
	}
}

// The samplers are each other's special cases.
func TestSamplersAgree(t *testing.T) {
	for _, c := range []Config{{}, {Schedule: Cosine, ZeroSNR: true}, {Schedule: Sigmoidal, Timesteps: 60}} {
		s := scheduleOf(t, c)
		for _, spacing := range allSpacings {
			for _, steps := range []int{1, 2, 7, 20, s.Timesteps} {
				name := fmt.Sprintf("%s, %s, %d steps", s.Kind, spacing, steps)
				list := spaced(t, spacing, s.Timesteps, steps)
				// The root of what rounding leaves of 0 is 1e-8.
				sameSteps(t, name+": DDIM of eta 1 and DDPM of small variance", DDIM.Steps(s.Points(list...), SamplerOptions{Eta: 1}), DDPM.Steps(s.Points(list...), SamplerOptions{SmallVariance: true}), 1e-7)
				ddim, solver := DDIM.Steps(s.Points(list...), SamplerOptions{}), DPMpp2M.Steps(s.Points(list...), SamplerOptions{})
				last := len(list) - 1
				sameSteps(t, name+": first step of DPM-Solver++(2M) and DDIM", solver[:1], ddim[:1], 1e-9)
				sameSteps(t, name+": last step of DPM-Solver++(2M) and DDIM", solver[last:], ddim[last:], 1e-9)
				for i, r := range solver { // its two predictions weigh together as much as DDIM's one
					both := Step{Point: r.Point, OfXt: r.OfXt, OfX0: r.OfX0 + r.OfBefore}
					sameSteps(t, name+": DPM-Solver++(2M) of a constant x_0 and DDIM", []Step{both}, ddim[i:i+1], 1e-9)
				}
				for _, sampler := range [][]Step{DDPM.Steps(s.Points(list...), SamplerOptions{}), DDPM.Steps(s.Points(list...), SamplerOptions{SmallVariance: true}), ddim, DDIM.Steps(s.Points(list...), SamplerOptions{Eta: 0.3}), solver} {
					if end := sampler[last]; end.Sigma != 0 || !(math.Abs(end.OfX0-1) <= 1e-9) || !(math.Abs(end.OfXt) <= 1e-9) {
						t.Errorf("%s: the last step is %+v, want it to give x_0 itself", name, end)
					}
				}
			}
		}
	}
}

// Over every timestep, Schedule.DDPM's steps are PSample.
func TestPSampleIsDDPM(t *testing.T) {
	s := scheduleOf(t, Config{})
	all := spaced(t, Trailing, s.Timesteps, s.Timesteps)
	list := make([]int32, len(all))
	x, x0, z := make([][][][]float32, len(all)), make([][][][]float32, len(all)), make([][][][]float32, len(all))
	var want []float64
	for k, r := range DDPM.Steps(s.Points(all...), SamplerOptions{}) {
		list[k] = int32(r.T)
		a, b, c := math.Sin(float64(3*k)), math.Sin(float64(5*k+1)), math.Sin(float64(7*k+2))
		x[k], x0[k], z[k] = [][][]float32{{{float32(a)}}}, [][][]float32{{{float32(b)}}}, [][][]float32{{{float32(c)}}}
		want = append(want, r.OfXt*a+r.OfX0*b+r.Sigma*c)
	}
	got := graphtest.Run(t, func(in []*Node) *Node { return s.PSample(in[0], in[1], in[2], in[3]) }, x, list, x0, z)
	graphtest.Near(t, "PSample", graphtest.Float64s(got), want, 1e-6)
}

// gaussian is data that is N(mean, std^2) in every pixel, for which the best prediction of x_0 is
// known and linear:
//
//	x_0(x_t) = mean + sqrt(alpha_bar_t) std^2 / V (x_t - sqrt(alpha_bar_t) mean)
//	V = alpha_bar_t std^2 + 1 - alpha_bar_t
type gaussian struct{ mean, std float64 }

var testGaussian = gaussian{0.3, 0.5}

// x0 is the prediction, ofXt x_t + constant.
func (g gaussian) x0(alphaBar float64) (ofXt, constant float64) {
	ofXt = math.Sqrt(alphaBar) * g.std * g.std / g.variance(alphaBar)
	return ofXt, g.mean * (1 - ofXt*math.Sqrt(alphaBar))
}

// variance of x_t.
func (g gaussian) variance(alphaBar float64) float64 { return alphaBar*g.std*g.std + 1 - alphaBar }

// sampled is what a sampler makes of x_T ~ N(0, 1): since all is linear, x is mean + gain x_T +
// noise, exactly.
type sampled struct{ mean, gain, noise float64 }

func (x sampled) std() float64 { return math.Sqrt(x.gain*x.gain + x.noise) } // noise is a variance

func (g gaussian) sample(s *Schedule, steps []Step) sampled {
	x, before := sampled{0, 1, 0}, sampled{}
	for _, r := range steps {
		ofXt, constant := g.x0(r.AlphaBar)
		x0 := sampled{mean: ofXt*x.mean + constant, gain: ofXt * x.gain}
		x = sampled{
			mean:  r.OfXt*x.mean + r.OfX0*x0.mean + r.OfBefore*before.mean,
			gain:  r.OfXt*x.gain + r.OfX0*x0.gain + r.OfBefore*before.gain,
			noise: square(r.OfXt+r.OfX0*ofXt)*x.noise + r.Sigma*r.Sigma, // no sampler has both x_0' and noise
		}
		before = x0
	}
	return x
}

// samplersUnderTest are all samplers with the settings worth telling apart.
var samplersUnderTest = []struct {
	name  string
	order int // of convergence, 0 where noise is added
	steps func(s *Schedule, list []int) []Step
}{
	{"DDPM", 0, func(s *Schedule, list []int) []Step { return DDPM.Steps(s.Points(list...), SamplerOptions{}) }},
	{"DDPM, small variance", 0, func(s *Schedule, list []int) []Step {
		return DDPM.Steps(s.Points(list...), SamplerOptions{SmallVariance: true})
	}},
	{"DDIM", 1, func(s *Schedule, list []int) []Step { return DDIM.Steps(s.Points(list...), SamplerOptions{}) }},
	{"DDIM, eta 0.5", 0, func(s *Schedule, list []int) []Step { return DDIM.Steps(s.Points(list...), SamplerOptions{Eta: 0.5}) }},
	{"DPM-Solver++(2M)", 2, func(s *Schedule, list []int) []Step { return DPMpp2M.Steps(s.Points(list...), SamplerOptions{}) }},
}

// What every sampler makes of the exact prediction. The known figures are the spread of samples
// that diffusers' schedulers drew, to about 0.001.
func TestSamplersOnAGaussian(t *testing.T) {
	s := scheduleOf(t, Config{})
	counts := []int{10, 20, 50, 1000}
	known := map[string][]float64{
		"DDPM, small variance": {0.333, 0.391, 0.444, 0.497},
		"DDIM":                 {0.371, 0.431, 0.472, 0.498},
		"DPM-Solver++(2M)":     {0.405, 0.478, 0.500, 0.501},
	}
	for _, spacing := range []Spacing{Leading, Trailing} {
		t.Logf("%-22s mean and std with %v steps", spacing, counts)
		for _, sampler := range samplersUnderTest {
			line := fmt.Sprintf("%-22s", sampler.name)
			var x sampled
			for i, steps := range counts {
				x = testGaussian.sample(s, sampler.steps(s, spaced(t, spacing, s.Timesteps, steps)))
				line += fmt.Sprintf("   %.4f %.4f", x.mean, x.std())
				if list := known[sampler.name]; spacing == Trailing && list != nil && !(math.Abs(x.std()-list[i]) <= 0.0015) {
					t.Errorf("%s: std %.4f with %d steps, known is %.3f", sampler.name, x.std(), steps, list[i])
				}
			}
			t.Log(line)
			// x_T is not quite N(0, 1), as alpha_bar_T is 4e-5, and 1000 steps have an error of
			// their own.
			if !(math.Abs(x.mean-testGaussian.mean) <= 0.002) || !(math.Abs(x.std()-testGaussian.std) <= 0.005) {
				t.Errorf("%s, %s: mean %.4f and std %.4f with 1000 steps, want %v", sampler.name, spacing, x.mean, x.std(), testGaussian)
			}
		}
	}
}

// The solvers' order, measured where the theory holds: without noise, over equal steps of lambda =
// log(sqrt(alpha_bar) / sqrt(1 - alpha_bar)), up to the last jump, whose lambda is infinite. There
// the exact flow is known:
//
//	x_s - sqrt(alpha_bar_s) mean = std_s / std_t (x_t - sqrt(alpha_bar_t) mean)
//
// A schedule of 100,000 timesteps keeps the rounding of a step to a timestep small beside the step.
func TestOrderOfConvergence(t *testing.T) {
	s := scheduleOf(t, Config{Timesteps: 100_000, BetaStart: 1e-6, BetaEnd: 2e-4})
	lambda := func(at int) float64 { return math.Log(s.AlphaBars[at]/(1-s.AlphaBars[at])) / 2 }
	const first, last = 90_000, 500
	even := func(steps int) []int {
		list := []int{first}
		for at := first; at > last; at-- {
			if lambda(at) >= lambda(first)+float64(len(list))/float64(steps)*(lambda(last)-lambda(first)) {
				list = append(list, at)
			}
		}
		return append(list, 0)
	}
	for _, sampler := range samplersUnderTest {
		if sampler.order == 0 {
			continue
		}
		errorOf := func(steps int) float64 {
			list := even(steps)
			all := sampler.steps(s, list)
			got := testGaussian.sample(s, all[:len(all)-2]).gain // x at the timestep before the last jumps
			end := list[len(list)-2]
			variance := func(at int) float64 { return testGaussian.variance(s.AlphaBars[at]) }
			return math.Abs(got/math.Sqrt(variance(end)/variance(first)) - 1)
		}
		for steps := 20; steps <= 80; steps *= 2 {
			before, after := errorOf(steps), errorOf(2*steps)
			order := math.Log2(before / after)
			t.Logf("%s: relative error %.2e with %d steps, %.2e with %d: order %.2f", sampler.name, before, steps, after, 2*steps, order)
			if !(math.Abs(order-float64(sampler.order)) <= 0.25) { // a finite step's higher orders, and rounding to timesteps
				t.Errorf("%s: order %.2f, want %d", sampler.name, order, sampler.order)
			}
		}
	}
}

// The same with real samples on the engine, from the exact eps.
func TestSamplesOfAGaussian(t *testing.T) {
	const size, steps = 48, 20
	s := scheduleOf(t, Config{})
	step := newStepper(t, s, PredictEps, false)
	rng, err := RNGStateFromSeed(5)
	if err != nil {
		t.Fatal(err)
	}
	draw, err := NewExec(graphtest.Engine(t), func(rng, like *Node) (*Node, *Node) { return Normal(rng, like.Shape()) })
	if err != nil {
		t.Fatal(err)
	}
	normal := func() *tensors.Tensor {
		out, err := draw.Call(rng, tensors.FromScalarAndDimensions(float32(0), 1, size, size, 3))
		if err != nil {
			t.Fatal(err)
		}
		rng = out[0]
		return out[1]
	}
	for _, sampler := range samplersUnderTest {
		list := sampler.steps(s, spaced(t, Trailing, s.Timesteps, steps))
		x := normal()
		before := x
		for _, r := range list {
			bar := r.AlphaBar
			ofXt, constant := testGaussian.x0(bar)
			var eps []float32
			for _, v := range graphtest.Float64s(x) {
				eps = append(eps, float32((v-math.Sqrt(bar)*(ofXt*v+constant))/math.Sqrt(1-bar)))
			}
			x, before = step.step(r, x, before, normal(), tensors.FromFlatDataAndDimensions(eps, 1, size, size, 3))
		}
		want := testGaussian.sample(s, list)
		mean, std := graphtest.Spread(graphtest.Float64s(x))
		t.Logf("%s: mean %.4f, std %.4f; want %.4f, %.4f", sampler.name, mean, std, want.mean, want.std())
		n := float64(size * size * 3) // five standard errors
		if !(math.Abs(mean-want.mean) <= 5*want.std()/math.Sqrt(n)) || !(math.Abs(std-want.std()) <= 5*want.std()/math.Sqrt(2*n)) {
			t.Errorf("%s: samples are not as the steps say", sampler.name)
		}
	}
}
