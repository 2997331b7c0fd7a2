// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/srdiff/srlab/srdiff/diffusion"
	"github.com/srdiff/srlab/srdiff/internal/graphtest"
)

// Training drops the condition of as many pictures as asked for, and of no others.
func TestDropCondition(t *testing.T) {
	m := newSmall(t, small)
	exec, err := NewExec(m.backend, func(x0, rng *Node) (*Node, *Node) {
		in, _, _, newRNG := m.draw([]*Node{x0}, rng, 0.25)
		return ReduceMax(Abs(in.Low), 1, 2, 3), newRNG
	})
	if err != nil {
		t.Fatal(err)
	}
	rng, err := RNGStateFromSeed(1)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Call(graphtest.Pattern(1, 1, 2000, 4, 4, 3), rng)
	if err != nil {
		t.Fatal(err)
	}
	dropped := 0
	for _, v := range graphtest.Float64s(out[0]) {
		if v == 0 {
			dropped++
		}
	}
	if !(math.Abs(float64(dropped)/2000-0.25) <= 0.04) { // four standard deviations
		t.Errorf("%d of 2000 conditions dropped, want a quarter", dropped)
	}
}

// Guidance on a network that was trained for it.
func TestGuidedSampling(t *testing.T) {
	c := small
	c.Training.DropCondition = 0.3
	m := newSmall(t, c)
	trainSmall(t, m, 40, "")
	type trajectory struct {
		at     []int
		x, x0  [][]float64
		result []float32
	}
	sample := func(o SampleOptions) (r trajectory) {
		t.Helper()
		o.Seed, o.Sampler, o.Steps, o.Clip = 3, diffusion.DDIM, 10, diffusion.ClipNone // visits 99, 89, ... 9
		o.Each = func(s SampleStep) {
			r.at, r.x, r.x0 = append(r.at, s.T), append(r.x, graphtest.Float64s(s.X)), append(r.x0, graphtest.Float64s(s.X0))
		}
		out, err := m.Sample(context.Background(), o, low(8, 8))
		if err != nil {
			t.Fatal(err)
		}
		r.result = out[0].Pix
		return r
	}
	plain := sample(SampleOptions{})
	if never := sample(SampleOptions{Guidance: 3, GuidanceTo: 5}); !slices.Equal(never.result, plain.result) {
		t.Error("guidance at timesteps that are never visited changed the picture")
	}
	within := sample(SampleOptions{Guidance: 3, GuidanceFrom: 30, GuidanceTo: 60})
	for k, at := range within.at {
		unchanged := slices.Equal(within.x[k], plain.x[k])
		if at >= 60 && !unchanged || at < 60 && unchanged {
			t.Errorf("guidance from 30 to 60: at t = %d unchanged is %v", at, unchanged)
		}
		// Outside the interval, x_0 and x_s are what the plain program makes of x_t: DDIM's step
		// holds for both.
		if k > 0 {
			r := diffusion.DDIM.Steps(m.schedule.Points(within.at...), diffusion.SamplerOptions{})[k]
			for i, x := range within.x[k] {
				if w := r.OfXt*within.x[k-1][i] + r.OfX0*within.x0[k][i]; !(math.Abs(x-w) <= 1e-4*(1+math.Abs(w))) {
					t.Fatalf("t = %d: value %d is %v, want %v", at, i, x, w)
				}
			}
		}
	}

	// The guided program against two predictions put together by hand, and the plain one outside
	// the interval.
	const weight, rescale = 3, 0.4
	guided := sample(SampleOptions{Guidance: weight, Rescale: rescale, GuidanceFrom: 30})
	predict, err := model.NewExec(m.backend, m.store, func(scope *model.Scope, in []*Node) []*Node {
		xt, y, at := in[0], in[1], in[2]
		predict := func(y *Node) *Node { return Predict(weightsAt(scope, averagesScope), m.Config, xt, y, at) }
		return []*Node{predict(y), predict(ZerosLike(y))}
	})
	if err != nil {
		t.Fatal(err)
	}
	lowTensor, err := Tensor(low(8, 8))
	if err != nil {
		t.Fatal(err)
	}
	for k := 1; k < len(guided.at); k++ {
		at := guided.at[k]
		var xt []float32
		for _, v := range guided.x[k-1] {
			xt = append(xt, float32(v))
		}
		out, err := predict.Call(tensors.FromFlatDataAndDimensions(xt, 1, 32, 32, 3), lowTensor, int32(at))
		if err != nil {
			t.Fatal(err)
		}
		eps, without := graphtest.Float64s(out[0]), graphtest.Float64s(out[1])
		if at >= 30 {
			_, should := graphtest.Spread(eps)
			for i := range eps {
				eps[i] += weight * (eps[i] - without[i])
			}
			_, is := graphtest.Spread(eps)
			for i := range eps {
				eps[i] *= rescale*should/is + 1 - rescale
			}
		}
		bar := m.schedule.AlphaBars[at]
		for i, got := range guided.x0[k] {
			want := (guided.x[k-1][i] - math.Sqrt(1-bar)*eps[i]) / math.Sqrt(bar)
			if !(math.Abs(got-want) <= 1e-4*(1+math.Abs(want))/math.Sqrt(bar)) {
				t.Fatalf("t = %d: x_0[%d] is %v, want %v", at, i, got, want)
			}
		}
	}
}

// Sample says in one line what it cannot do.
func TestSampleRefuses(t *testing.T) {
	guided := small
	guided.Training.DropCondition = 0.1
	velocity := small
	velocity.Diffusion.Prediction = diffusion.PredictV
	noisy := small
	noisy.Degradation.Noise = 0.2
	for _, test := range []struct {
		want string
		c    Config
		o    SampleOptions
	}{
		{"sampling steps is -1", small, SampleOptions{Steps: -1}},
		{"sampling steps is 101: want a number from 1 to the model's 100", small, SampleOptions{Steps: 101}},
		{`spacing is "even"`, small, SampleOptions{Spacing: "even"}},
		{`sampler is "euler"`, small, SampleOptions{Sampler: "euler"}},
		{"eta is -0.1", small, SampleOptions{Sampler: diffusion.DDIM, Eta: -0.1}},
		{"eta is 1.5", small, SampleOptions{Sampler: diffusion.DDIM, Eta: 1.5}},
		{"eta is NaN", small, SampleOptions{Sampler: diffusion.DDIM, Eta: math.NaN()}},
		{"has no eta", small, SampleOptions{Eta: 0.5}},
		{"has no eta", small, SampleOptions{Sampler: diffusion.DPMpp2M, Eta: 0.5}},
		{"has one variance", small, SampleOptions{Sampler: diffusion.DDIM, SmallVariance: true}},
		{`clip is "hard"`, small, SampleOptions{Clip: "hard"}},
		{"back-projections is -1", small, SampleOptions{BackProject: -1}},
		{"back-projections is 17", small, SampleOptions{BackProject: 17}},
		{"bring the noise into the result", noisy, SampleOptions{BackProject: 1, Noise: 0.1}},
		{"guidance is -1", guided, SampleOptions{Guidance: -1}},
		{"guidance is 101", guided, SampleOptions{Guidance: 101}},
		{"guidance is NaN", guided, SampleOptions{Guidance: math.NaN()}},
		{"guidance needs a model that was trained with", small, SampleOptions{Guidance: 2}},
		{"guidance rescale is 2", guided, SampleOptions{Guidance: 2, Rescale: 2}},
		{"guidance from timestep -1 to 100", guided, SampleOptions{Guidance: 2, GuidanceFrom: -1}},
		{"guidance from timestep 50 to 50", guided, SampleOptions{Guidance: 2, GuidanceFrom: 50, GuidanceTo: 50}},
		{"guidance from timestep 0 to 101", guided, SampleOptions{Guidance: 2, GuidanceTo: 101}},
		{"the pictures' noise is 0.3: want a number from 0 to 0.2", noisy, SampleOptions{Noise: 0.3}},
		{"the pictures' noise is -0.1", noisy, SampleOptions{Noise: -0.1}},
		{"the pictures' noise is 0.1, and the model was trained with none", small, SampleOptions{Noise: 0.1}},
		{"the model predicts v, not eps", velocity, SampleOptions{Prediction: diffusion.PredictEps}},
		{"the model predicts eps, not noise", small, SampleOptions{Prediction: "noise"}},
	} {
		_, sampling := newSmall(t, test.c).Sample(context.Background(), test.o, low(2, 2))
		for _, err := range []error{test.o.Validate(test.c), sampling} {
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%+v: got %v, want one line with %q", test.o, err, test.want)
			}
		}
	}
	for _, test := range []struct {
		c Config
		o SampleOptions
	}{
		{small, SampleOptions{}}, {small, SampleOptions{Steps: 1, Prediction: diffusion.PredictEps}}, {small, SampleOptions{Sampler: diffusion.DDIM, Eta: 1}},
		{guided, SampleOptions{Guidance: 100, Rescale: 1, GuidanceFrom: 99}}, {noisy, SampleOptions{Noise: 0.2}},
	} {
		if err := test.o.Validate(test.c); err != nil {
			t.Errorf("%+v: %v", test.o, err)
		}
	}
}
