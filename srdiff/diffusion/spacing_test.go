// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package diffusion

import (
	"math"
	"strings"
	"testing"
)

// Karras's points fall from the schedule's noisiest to its clearest, evenly in sigma^(1/7), and
// their timesteps, which lie between the schedule's, have their alpha_bar.
func TestKarras(t *testing.T) {
	s := scheduleOf(t, Config{Schedule: Cosine, Timesteps: 200})
	sigma := func(alphaBar float64) float64 { return math.Sqrt(1/alphaBar - 1) }
	for _, steps := range []int{1, 2, 7, 40} {
		points, err := Karras.Points(s, steps)
		if err != nil {
			t.Fatal(err)
		}
		first, last := math.Pow(sigma(s.AlphaBars[199]), 1./7), math.Pow(sigma(s.AlphaBars[0]), 1./7)
		between := 0
		for i, p := range points {
			want := math.Pow(first+float64(i)/float64(max(1, steps-1))*(last-first), 7)
			if got := sigma(p.AlphaBar); !(math.Abs(got/want-1) <= 1e-9) {
				t.Errorf("%d steps: sigma %d is %v, want %v", steps, i, got, want)
			}
			low, high := int(math.Floor(p.T)), int(math.Ceil(p.T))
			if p.AlphaBar > s.AlphaBars[low]*(1+1e-9) || p.AlphaBar < s.AlphaBars[high]*(1-1e-9) || i > 0 && p.T >= points[i-1].T {
				t.Errorf("%d steps: point %d is %+v, after %+v", steps, i, p, points[max(0, i-1)])
			}
			if low != high {
				between++
			}
		}
		if steps > 2 && between == 0 {
			t.Errorf("%d steps: none lies between timesteps", steps)
		}
	}
	zero := scheduleOf(t, Config{ZeroSNR: true})
	if _, err := Karras.Points(zero, 5); err == nil || !strings.Contains(err.Error(), "pure noise") {
		t.Errorf("a schedule that ends with pure noise: %v", err)
	}
	if _, err := Karras.Points(s, 201); err == nil || !strings.Contains(err.Error(), "sampling steps is 201") {
		t.Errorf("too many steps: %v", err)
	}
}
