// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package features

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
)

// numbers are the features of testdata/goldens.py.
func numbers(count, dimensions, seed int) [][]float64 {
	noise := func(i, j int) float64 {
		k := i*dimensions + j + seed
		return float64((k*k*k*7919+k*104729)%8191)/4095 - 1
	}
	rows := make([][]float64, count)
	for i := range rows {
		for j := range dimensions {
			rows[i] = append(rows[i], noise(i, j)*float64(j+1)/float64(dimensions)+float64(seed*j)/1000+
				noise(i, (j+dimensions-1)%dimensions)/2)
		}
	}
	return rows
}

func TestDistanceEqualsScipy(t *testing.T) {
	data, err := os.ReadFile("testdata/goldens.json")
	if err != nil {
		t.Fatal(err)
	}
	var goldens []struct {
		Dimensions    int
		Counts, Seeds [2]int
		Distance      float64
	}
	if err := json.Unmarshal(data, &goldens); err != nil {
		t.Fatal(err)
	}
	if len(goldens) != 4 {
		t.Fatalf("%d goldens, want 4", len(goldens))
	}
	for _, g := range goldens {
		a, b := numbers(g.Counts[0], g.Dimensions, g.Seeds[0]), numbers(g.Counts[1], g.Dimensions, g.Seeds[1])
		for range 2 {
			got, err := Distance(a, b)
			if err != nil || !(math.Abs(got-g.Distance) <= 1e-9*g.Distance) {
				t.Errorf("%v: distance %v, want %v (%v)", g, got, g.Distance, err)
			}
			a, b = b, a // the distance is symmetric
		}
	}
}

// In one dimension the distance is (m_a - m_b)^2 + (s_a - s_b)^2; where dimensions do not vary
// together, the sum over them.
func TestDistanceClosedForms(t *testing.T) {
	a := [][]float64{{-1}, {1}, {-1}, {1}}
	b := [][]float64{{2}, {8}, {2}, {8}} // mean 5, three times the deviation of a, which is sqrt(4/3)
	if d, err := Distance(a, b); err != nil || !(math.Abs(d-(25+4*4./3)) <= 1e-12) {
		t.Errorf("distance %v, want %v (%v)", d, 25+4*4./3, err)
	}
	var p, q [][]float64
	for _, x := range []float64{-1, 1} { // all corners, so that nothing varies together
		for _, y := range []float64{-1, 1} {
			p, q = append(p, []float64{x, y}), append(q, []float64{1 + 2*x, 5 * y})
		}
	}
	if d, err := Distance(p, q); err != nil || !(math.Abs(d-(1+4./3*(1+16))) <= 1e-12) {
		t.Errorf("distance %v, want %v (%v)", d, 1+4./3*(1+16), err)
	}
	same := numbers(64, 32, 1)
	if d, err := Distance(same, same); err != nil || !(d <= 1e-12) {
		t.Errorf("distance of equal sets is %v, want 0 (%v)", d, err)
	}
	for _, row := range same { // a covariance that lacks a rank, as of a feature that is always 0
		row[3] = 0
	}
	if d, err := Distance(same, same); err != nil || !(d <= 1e-12) {
		t.Errorf("distance of equal sets without full rank is %v, want 0 (%v)", d, err)
	}
}

func TestDistanceRefuses(t *testing.T) {
	nan := numbers(64, 32, 1)
	nan[5][7] = math.NaN()
	ragged := numbers(64, 32, 1)
	ragged[63] = ragged[63][:31]
	for _, test := range []struct {
		a, b [][]float64
		want string
	}{
		{numbers(63, 32, 1), numbers(64, 32, 1), "63 pictures are too few for a Fréchet distance between features of 32 dimensions: " +
			"want at least 64"},
		{numbers(64, 32, 1), nil, "0 pictures are too few"},
		{numbers(64, 32, 1), numbers(64, 31, 1), "features of 32 and of 31 dimensions"},
		{ragged, numbers(64, 32, 1), "features of 32 and of 31 dimensions"},
		{nan, numbers(64, 32, 1), "not finite"},
		{numbers(64, 32, 1), nan, "not finite"},
	} {
		if d, err := Distance(test.a, test.b); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("distance %v, error %v, want %q", d, err, test.want)
		}
	}
	if _, _, err := Interval(numbers(64, 32, 1), numbers(65, 32, 1), 1); err == nil || !strings.Contains(err.Error(), "in pairs") {
		t.Errorf("sets of different sizes: %v", err)
	}
}

// The bootstrap's deviation is that of the distance over sets that really are drawn anew.
func TestIntervalIsTheSpread(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	draw := func() (a, b [][]float64) {
		for range 200 {
			a, b = append(a, []float64{rng.NormFloat64()}), append(b, []float64{1 + 2*rng.NormFloat64()})
		}
		return a, b
	}
	var sum, squares, halves float64
	const n = 60
	for range n {
		a, b := draw()
		d, half, err := Interval(a, b, 3)
		if err != nil {
			t.Fatal(err)
		}
		sum, squares, halves = sum+d/n, squares+d*d/n, halves+half/n
	}
	// (m_a - m_b)^2 + (s_a - s_b)^2 = 2, and what the interval says of its spread.
	spread := 1.96 * math.Sqrt(squares-sum*sum)
	if !(math.Abs(sum-2) <= 0.15) || !(halves >= 0.75*spread && halves <= 1.35*spread) {
		t.Errorf("distance %.3f ± %.3f, and it spreads by %.3f; want 2", sum, halves, spread)
	}
	a, b := draw()
	_, first, _ := Interval(a, b, 1)
	_, again, _ := Interval(a, b, 1)
	_, other, _ := Interval(a, b, 2)
	if first != again || first == other {
		t.Errorf("widths %v and %v by one seed, %v by another", first, again, other)
	}
}
