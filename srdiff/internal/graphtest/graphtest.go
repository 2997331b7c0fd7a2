// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// Package graphtest has what the tests of graph functions share: the engine under test, golden
// values, and comparisons.
package graphtest

import (
	"cmp"
	"math"
	"os"
	"sync"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/srdiff/srlab/srdiff/engine"
	"github.com/srdiff/srlab/srdiff/internal/checkpoint"
)

// Engine opens the engine under test, once: SRDIFF_ENGINE, or the one that is always there.
func Engine(tb testing.TB) compute.Backend {
	tb.Helper()
	e, err := opened()
	if err != nil {
		tb.Fatal(err)
	}
	return e.Backend
}

var opened = sync.OnceValues(func() (*engine.Engine, error) {
	return engine.Open(cmp.Or(os.Getenv("SRDIFF_ENGINE"), "go"))
})

// Golden reads the tensors of a safetensors file.
func Golden(tb testing.TB, path string) map[string]*tensors.Tensor {
	tb.Helper()
	file, err := checkpoint.Read(path)
	if err != nil {
		tb.Fatal(err)
	}
	return file.Tensors
}

// Run evaluates a graph function without weights.
func Run(tb testing.TB, f func(inputs []*Node) *Node, inputs ...any) *tensors.Tensor {
	tb.Helper()
	exec, err := NewExec(Engine(tb), f)
	if err != nil {
		tb.Fatal(err)
	}
	out, err := exec.Call(inputs...)
	if err != nil {
		tb.Fatal(err)
	}
	return out[0]
}

// Same checks that two tensors differ by at most tolerance times the largest value of want.
func Same(tb testing.TB, name string, got, want *tensors.Tensor, tolerance float64) {
	tb.Helper()
	if !got.Shape().Equal(want.Shape()) {
		tb.Errorf("%s is %s, want %s", name, got.Shape(), want.Shape())
		return
	}
	if worst := RelativeError(got, want); !(worst <= tolerance) {
		tb.Errorf("%s: off by %.3g of the largest value, want at most %g of it", name, worst, tolerance)
	} else {
		tb.Logf("%s: relative error %.1e", name, worst)
	}
}

// RelativeError is the greatest difference over the largest value of want. It is NaN where either
// has one.
func RelativeError(got, want *tensors.Tensor) float64 {
	g, w := Float64s(got), Float64s(want)
	largest, worst := 0.0, 0.0
	for i := range w {
		largest = math.Max(largest, math.Abs(w[i]))
		worst = math.Max(worst, math.Abs(g[i]-w[i])) // NaN stays NaN
	}
	if worst == 0 {
		return 0 // also of zeros
	}
	return worst / largest
}

// Near checks numbers to an absolute tolerance.
func Near(tb testing.TB, name string, got, want []float64, tolerance float64) {
	tb.Helper()
	if len(got) != len(want) {
		tb.Errorf("%s: %d numbers, want %d", name, len(got), len(want))
		return
	}
	worst := 0.0
	for i, w := range want {
		d := math.Abs(got[i] - w)
		if !(d <= tolerance) {
			tb.Errorf("%s[%d] is %v, want %v", name, i, got[i], w)
			return
		}
		worst = math.Max(worst, d)
	}
	tb.Logf("%s: off by %.1e", name, worst)
}

// Float64s returns the values of a float32 tensor.
func Float64s(values *tensors.Tensor) []float64 {
	var list []float64
	for _, v := range tensors.MustCopyFlatData[float32](values) {
		list = append(list, float64(v))
	}
	return list
}

// Pattern makes pictures without a pattern that a test could meet by chance.
func Pattern(seed float64, scale float32, dims ...int) *tensors.Tensor {
	p := tensors.FromScalarAndDimensions(float32(0), dims...)
	tensors.MustMutableFlatData(p, func(flat []float32) {
		for i := range flat {
			flat[i] = scale * float32(math.Sin(seed+1.7*float64(i)+0.01*float64(i*i)))
		}
	})
	return p
}

// Spread returns the mean and the standard deviation of values.
func Spread(values []float64) (mean, std float64) {
	for _, v := range values {
		mean += v / float64(len(values))
	}
	for _, v := range values {
		std += (v - mean) * (v - mean)
	}
	return mean, math.Sqrt(std / float64(len(values)))
}
