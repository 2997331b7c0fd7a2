// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package diffusion

import (
	"math"
	"slices"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/srdiff/srlab/srdiff/internal/graphtest"
)

// Box and Muller's formula, with the least and the greatest draws among others. A draw of 0 would
// give an infinite number.
func TestBoxMuller(t *testing.T) {
	u1 := []float32{0, 0, 1e-30, 0x1p-32, 0.1, 0.3, 0.5, 0.9, 1 - 0x1p-24, 0.2, 0.7}
	u2 := []float32{0, 0.75, 0.5, 0.25, 0, 0.1, 0.37, 0.5, 0.6, 1 - 0x1p-24, 0.99}
	got := tensors.MustCopyFlatData[float32](graphtest.Run(t, func(in []*Node) *Node { return boxMuller(in[0], in[1]) }, u1, u2))
	for i := range u1 {
		radius := math.Sqrt(-2 * math.Log(max(float64(u1[i]), 0x1p-33)))
		sin, cos := math.Sincos(2 * math.Pi * (float64(u2[i]) - 0.5))
		for k, want := range []float64{radius * cos, radius * sin} {
			if z := float64(got[k*len(u1)+i]); !(math.Abs(z-want) <= 1e-5) { // NaN fails too
				t.Errorf("number %d of draws %v and %v is %v, want %v", k, u1[i], u2[i], z, want)
			}
		}
	}
}

// The distribution of n numbers strays from the normal one nowhere by more than 2.5/sqrt(n), but
// once in 130,000 seeds (Kolmogorov and Smirnov). The numbers of a pair, which lie half the list
// apart, and neighbours have nothing to do with each other, nor have their squares: the mean of n
// products of deviation s is within 5 s/sqrt(n), but once in two million.
func TestNormalIsNormal(t *testing.T) {
	rng, err := RNGStateFromSeed(1)
	if err != nil {
		t.Fatal(err)
	}
	const n = 1<<18 - 1 // an odd number leaves one of a pair over
	z := tensors.MustCopyFlatData[float32](graphtest.Run(t, func(in []*Node) *Node {
		_, z := Normal(in[0], shapes.Make(dtypes.Float32, n))
		return z
	}, rng))
	for _, apart := range []int{1, (n + 1) / 2} {
		product, ofSquares := 0.0, 0.0
		for i := range z {
			a, b := float64(z[i]), float64(z[(i+apart)%n])
			product += a * b / n
			ofSquares += (a*a - 1) * (b*b - 1) / n
		}
		if limit := 5 / math.Sqrt(n); !(math.Abs(product) <= limit) || !(math.Abs(ofSquares) <= 2*limit) {
			t.Errorf("numbers %d apart: their products are %v in the mean, their squares' %v: want 0", apart, product, ofSquares)
		}
	}
	slices.Sort(z)
	worst := 0.0
	for i, v := range z {
		below := math.Erfc(-float64(v)/math.Sqrt2) / 2
		worst = max(worst, math.Abs(below-float64(i)/n), math.Abs(below-float64(i+1)/n))
	}
	if limit := 2.5 / math.Sqrt(n); !(worst <= limit) {
		t.Errorf("the distribution strays from the normal one by %v: want at most %v", worst, limit)
	}
	// Some 16 of so many lie beyond 4 standard deviations.
	tails := 0
	for _, v := range z {
		if v < -4 || v > 4 {
			tails++
		}
	}
	if tails < 4 || tails > 36 {
		t.Errorf("%d of %d numbers lie beyond 4 standard deviations: want about 16.6", tails, n)
	}
}
