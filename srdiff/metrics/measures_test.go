// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/srdiff/srlab/srdiff/imaging"
)

func TestMeasuresEqualScipy(t *testing.T) {
	data, err := os.ReadFile("testdata/measures.json")
	if err != nil {
		t.Fatal(err)
	}
	var goldens []struct {
		Size                  [2]int
		Strengths             []float32
		Sharpness             []float64
		Diversity, Mean, Half float64
	}
	if err := json.Unmarshal(data, &goldens); err != nil {
		t.Fatal(err)
	}
	if len(goldens) != 3 {
		t.Fatalf("%d goldens, want 3", len(goldens))
	}
	near := func(name string, got, want float64, err error) {
		t.Helper()
		if err != nil || !(math.Abs(got-want) < 1e-7) {
			t.Errorf("%s is %v, want %v (%v)", name, got, want, err)
		}
	}
	for _, g := range goldens {
		var pictures []imaging.Picture
		for i, strength := range g.Strengths {
			p := noisy(g.Size[0], g.Size[1], strength)
			s, err := Sharpness(p)
			near("sharpness", s, g.Sharpness[i], err)
			pictures = append(pictures, p)
		}
		d, err := Diversity(pictures...)
		near("diversity", d, g.Diversity, err)
		mean, half := Interval(g.Sharpness)
		near("mean", mean, g.Mean, nil)
		near("half", half, g.Half, nil)
	}
}

// painted is a picture of the values f(x, y) on the scale 0..1, as grey.
func painted(width, height int, f func(x, y int) float64) imaging.Picture {
	p := imaging.New(width, height)
	for i := range p.Pix {
		p.Pix[i] = float32(2*f(i/3%width, i/3/width) - 1)
	}
	return p
}

func TestSharpnessClosedForms(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for name, test := range map[string]struct {
		f               func(x, y int) float64
		want, tolerance float64
	}{
		"flat":         {func(_, _ int) float64 { return 0.3 }, 0, 0},
		"slope":        {func(x, y int) float64 { return 0.1 + 0.003*float64(x) + 0.004*float64(y) }, 0.005 * 0.005, 1e-9},
		"wave":         {func(x, _ int) float64 { return 0.5 + 0.3*math.Sin(math.Pi/4*float64(x)) }, 0.09 * 0.25, 1e-6}, // (a sin k)^2/2
		"checkerboard": {func(x, y int) float64 { return float64((x + y) % 2) }, 0, 0},
		"noise":        {func(_, _ int) float64 { return 0.5 + 0.05*rng.NormFloat64() }, 3. / 8 * 0.05 * 0.05, 2e-5},
	} {
		// The inner pixels are 16 whole periods of the wave.
		if v, err := Sharpness(painted(130, 130, test.f)); err != nil || !(math.Abs(v-test.want) <= test.tolerance) {
			t.Errorf("%s: sharpness %v, want %v (%v)", name, v, test.want, err)
		}
	}
}

func TestDiversityClosedForms(t *testing.T) {
	grey, light := painted(4, 4, func(_, _ int) float64 { return 0.5 }), painted(4, 4, func(_, _ int) float64 { return 0.7 })
	if v, err := Diversity(grey, grey, grey); err != nil || v != 0 {
		t.Errorf("diversity of equal results is %v, want 0 (%v)", v, err)
	}
	if v, err := Diversity(grey, light); err != nil || !(math.Abs(v-0.2/math.Sqrt2) <= 1e-7) {
		t.Errorf("diversity %v, want %v (%v)", v, 0.2/math.Sqrt2, err)
	}
}

func TestMeasuresRefuse(t *testing.T) {
	sharpness := func(p ...imaging.Picture) (float64, error) { return Sharpness(p[0]) }
	for _, test := range []struct {
		measure  func(...imaging.Picture) (float64, error)
		pictures []imaging.Picture
		want     string
	}{
		{sharpness, []imaging.Picture{imaging.New(2, 9)}, "2x9 is too small for sharpness: want at least 3"},
		{sharpness, []imaging.Picture{{Width: 3, Height: 3}}, "must hold 27 values"},
		{Diversity, []imaging.Picture{imaging.New(3, 3)}, "diversity of 1 results: want at least 2"},
		{Diversity, []imaging.Picture{imaging.New(3, 3), imaging.New(3, 4)}, "cannot be compared"},
	} {
		if v, err := test.measure(test.pictures...); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("measured %v, error %v, want %q", v, err, test.want)
		}
	}
}

// An interval of 95 % covers the truth 19 times of 20.
func TestIntervalsCover(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	const runs, n = 2000, 50
	means, ratios := 0, 0
	for range runs {
		values, references := make([]float64, n), make([]float64, n)
		for i := range values {
			references[i] = rng.ExpFloat64()
			values[i] = 0.5*references[i] + 0.2*rng.NormFloat64() + 0.1
		}
		if mean, half := Interval(values); math.Abs(mean-0.6) < half {
			means++
		}
		if ratio, half := Ratio(values, references); math.Abs(ratio-0.6) < half {
			ratios++
		}
	}
	for name, covered := range map[string]int{"mean": means, "ratio": ratios} {
		if share := float64(covered) / runs; share < 0.92 || share > 0.97 {
			t.Errorf("intervals of the %s cover %.3f of the time, want 0.95", name, share)
		}
	}
	if mean, half := Interval([]float64{3}); mean != 3 || !math.IsNaN(half) {
		t.Errorf("one value: %v ± %v, want 3 ± NaN", mean, half)
	}
	if mean, half := Interval(nil); !math.IsNaN(mean) || !math.IsNaN(half) {
		t.Errorf("no value: %v ± %v, want NaN", mean, half)
	}
	if ratio, half := Ratio([]float64{1, 2, 3}, []float64{2, 4, 6}); ratio != 0.5 || half != 0 {
		t.Errorf("ratio %v ± %v, want 0.5 ± 0", ratio, half)
	}
}
