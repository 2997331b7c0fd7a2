// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package diffusion

import (
	"math"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/srdiff/srlab/srdiff/internal/graphtest"
)

// For data that is N(mean, std^2) in every pixel, the best noise predictor is known in closed form,
// and the chain of reverse steps must end in that Gaussian:
//
//	eps(x_t, t) = sqrt(1 - alpha_bar_t) (x_t - sqrt(alpha_bar_t) mean) / V
//	V = alpha_bar_t std^2 + 1 - alpha_bar_t
func TestReverseChainOfAGaussian(t *testing.T) {
	const mean, std = 0.3, 0.5
	s, err := NewSchedule(Config{})
	if err != nil {
		t.Fatal(err)
	}
	exact := func(xt, at *Node) *Node {
		scale := s.LookUp(func(t int) float64 {
			a := s.AlphaBars[t]
			return math.Sqrt(1-a) / (a*std*std + 1 - a)
		}, at)
		shift := s.LookUp(func(t int) float64 { return math.Sqrt(s.AlphaBars[t]) * mean }, at)
		return Mul(scale, Sub(xt, shift))
	}
	step, err := NewExec(graphtest.Engine(t), func(xt, at, rng *Node) (*Node, *Node) {
		rng, z := Normal(rng, xt.Shape())
		return s.PSample(xt, at, s.PredictX0(xt, at, exact(xt, at)), z), rng
	})
	if err != nil {
		t.Fatal(err)
	}
	rng, err := RNGStateFromSeed(5)
	if err != nil {
		t.Fatal(err)
	}
	x := graphtest.Run(t, func(in []*Node) *Node {
		_, z := Normal(in[0], shapes.Make(dtypes.Float32, 1, 64, 64, 3))
		return z
	}, rng)
	for at := s.Timesteps - 1; at >= 0; at-- {
		out, err := step.Call(x, tensors.FromScalar(int32(at)), rng)
		if err != nil {
			t.Fatal(err)
		}
		x, rng = out[0], out[1]
	}
	sum, squares := 0.0, 0.0
	values := tensors.MustCopyFlatData[float32](x)
	for _, v := range values {
		sum += float64(v)
		squares += float64(v) * float64(v)
	}
	n := float64(len(values))
	gotMean, gotStd := sum/n, math.Sqrt(squares/n-sum*sum/n/n)
	t.Logf("mean %.4f, std %.4f", gotMean, gotStd)
	if !(math.Abs(gotMean-mean) <= 0.02) || !(math.Abs(gotStd-std) <= 0.02) {
		t.Errorf("samples are N(%.3f, %.3f^2), want N(%v, %v^2)", gotMean, gotStd, mean, std)
	}
}
