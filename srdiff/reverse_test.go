// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"context"
	"math"
	"testing"

	"github.com/srdiff/srlab/srdiff/diffusion"
	"github.com/srdiff/srlab/srdiff/metrics"
)

// Samples that are back-projected shrink to their input, whatever the network says.
func TestBackProjectedSamples(t *testing.T) {
	m := newSmall(t, small)
	in := low(2, 2)
	for i := range in.Pix { // away from the limits of what is measured
		in.Pix[i] *= 0.3
	}
	consistency := func(o SampleOptions) float64 {
		t.Helper()
		o.Sampler, o.Steps, o.Clip = diffusion.DDIM, 5, diffusion.ClipNone // clipping has the last word
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
