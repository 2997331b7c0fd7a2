// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"math"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// A uniform draw of 0 makes GoMLX's normal infinite. The normals that Box and Muller's formula gives for the smallest
// draws, 0 among them, come out finite.
func TestNormalSurvivesAZeroDraw(t *testing.T) {
	got := tensors.MustCopyFlatData[float32](run(t, func(in []*Node) *Node {
		u1, u2 := in[0], in[1]
		return clipNormal(Mul(Sqrt(MulScalar(Log(u1), -2)), Cos(MulScalar(u2, 2*math.Pi))))
	}, []float32{0, 0, 1e-30, 0.5}, []float32{0, 0.5, 0, 0}))
	for i, want := range []float32{6, -6, 6, 1.1774} {
		if math.Abs(float64(got[i]-want)) > 1e-3 {
			t.Errorf("draw %d is %v, want %v", i, got[i], want)
		}
	}
}

// The mean of n standard normals is within 5/sqrt(n) of 0 but once in two million, and so on for the variance.
func TestNormalIsNormal(t *testing.T) {
	rng, err := RNGStateFromSeed(1)
	if err != nil {
		t.Fatal(err)
	}
	const n = 1 << 16
	z := tensors.MustCopyFlatData[float32](run(t, func(in []*Node) *Node {
		_, z := Normal(in[0], shapes.Make(dtypes.Float32, n))
		return z
	}, rng))
	sum, squares := 0.0, 0.0
	for _, v := range z {
		sum += float64(v)
		squares += float64(v) * float64(v)
	}
	mean, variance := sum/n, squares/n
	if math.Abs(mean) > 5/math.Sqrt(n) || math.Abs(variance-1) > 5*math.Sqrt(2./n) {
		t.Errorf("mean %v, variance %v: want 0 and 1", mean, variance)
	}
}
