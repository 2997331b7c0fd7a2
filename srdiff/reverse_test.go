// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"context"
	"math"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/srdiff/srlab/srdiff/metrics"
)

// Every back-projection leaves at most 0.44 of what a picture's shrunken version misses, and what misses nothing stays as it is.
func TestBackProject(t *testing.T) {
	exec, err := NewExec(openEngine(t), func(in []*Node) (misses []*Node) {
		x0, low := in[0], in[1]
		for range 4 {
			miss := Sub(low, Downscale(x0))
			misses = append(misses, Sqrt(ReduceAllSum(Square(miss))))
			x0 = BackProject(Config{}, x0, low)
		}
		again := BackProject(Config{}, x0, Downscale(x0))
		return append(misses, ReduceAllMax(Abs(Sub(again, x0))))
	})
	if err != nil {
		t.Fatal(err)
	}
	for n := range 5 {
		seed := float64(n)
		out, err := exec.Call(pattern(seed, 1, 2, 16, 24, 3), pattern(seed+50, 1, 2, 4, 6, 3))
		if err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			before, after := float64s(out[i])[0], float64s(out[i+1])[0]
			if ratio := after / before; !(ratio <= 0.44) {
				t.Errorf("back-projection %d leaves %.3f of %.3f, want at most 0.44 of it", i+1, after, before)
			}
		}
		if moved := float64s(out[4])[0]; moved != 0 {
			t.Errorf("a picture that misses nothing moved by %g", moved)
		}
	}
}

// Samples that are back-projected shrink to their input, whatever the network says.
func TestBackProjectedSamples(t *testing.T) {
	m := newSmall(t, small)
	in := low(2, 2)
	for i := range in.Pix { // away from the limits of what is measured
		in.Pix[i] *= 0.3
	}
	consistency := func(o SampleOptions) float64 {
		t.Helper()
		o.Sampler, o.Steps, o.Clip = DDIM, 5, ClipNone // clipping has the last word
		p, err := m.Sample(context.Background(), o, in)
		if err != nil {
			t.Fatal(err)
		}
		c, err := metrics.Consistency(p[0], in, nil)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	without, with := consistency(SampleOptions{}), consistency(SampleOptions{BackProject: 8})
	if !(with < without/100) || math.IsNaN(without) {
		t.Errorf("consistency %.2g with back-projections and %.2g without: want a hundredth", with, without)
	}
}
