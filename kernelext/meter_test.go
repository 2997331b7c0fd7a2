// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package kernelext

import (
	"math"
	"testing"
	"time"
)

func TestMeter(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	type count struct {
		done, total int
		after       time.Duration
	}
	for _, test := range []struct {
		name     string
		counts   []count
		want     string
		fraction float64
	}{
		{"nothing yet", nil, "0", 0},
		{"first count has no rate", []count{{1, 100, 9 * time.Second}}, "1/100", 0.01},
		{"rate starts at the first count", []count{{1, 100, 9 * time.Second}, {51, 100, 14 * time.Second}},
			"51/100, 10 steps/s, 4.9s left", 0.51},
		{"a resumed run", []count{{5000, 6000, 0}, {5100, 6000, 200 * time.Second}},
			"5100/6000, 0.5 steps/s, 30m0s left", 0.85},
		{"finished", []count{{0, 10, 0}, {10, 10, time.Second}}, "10/10, 10 steps/s", 1},
		{"no total", []count{{0, 0, 0}, {4096, 0, time.Second}}, "4096, 4096 steps/s", 0},
		{"more than all", []count{{0, 10, 0}, {20, 10, time.Second}}, "20/10, 20 steps/s", 1},
		{"nearly for ever", []count{{0, math.MaxInt, 0}, {1, math.MaxInt, time.Hour}},
			"1/9223372036854775807, 0.000278 steps/s, long left", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := meter{unit: "steps"}
			for _, c := range test.counts {
				m.set(c.done, c.total, start.Add(c.after))
			}
			if got := m.String(); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
			if got := m.fraction(); math.Abs(got-test.fraction) > 1e-9 {
				t.Errorf("fraction %v, want %v", got, test.fraction)
			}
		})
	}
}
