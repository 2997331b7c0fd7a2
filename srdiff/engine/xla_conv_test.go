// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

//go:build cgo

package engine

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/dtypes/bfloat16"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// layer is a convolution of pictures [batch, height, width, in] with weights [taps, taps, in, out].
// If it is padded, the pictures have zeros around them.
type layer struct {
	batch, height, width, in, out int
	taps, stride, dilation        int
	padded                        bool
}

// padding returns the number of zeros before the first and after the last row and column.
func (l layer) padding() (before, after int) {
	if l.padded {
		before = (l.taps - 1) * l.dilation / 2
		after = (l.taps-1)*l.dilation - before
	}
	return
}

// size returns the size of the result.
func (l layer) size() (height, width int) {
	before, after := l.padding()
	size := func(n int) int { return (n+before+after-(l.taps-1)*l.dilation-1)/l.stride + 1 }
	return size(l.height), size(l.width)
}

// convolve computes in plain loops the convolution y of x with w, and the gradients of the sum of y
// times dy.
func (l layer) convolve(x, w, dy []float32) (y, dx, dw []float64) {
	height, width := l.size()
	y, dx, dw = make([]float64, len(dy)), make([]float64, len(x)), make([]float64, len(w))
	before, _ := l.padding()
	for b := range l.batch {
		for i := range height {
			for j := range width {
				to := ((b*height+i)*width + j) * l.out
				for k := range l.taps * l.taps {
					row := i*l.stride + k/l.taps*l.dilation - before
					column := j*l.stride + k%l.taps*l.dilation - before
					if row < 0 || row >= l.height || column < 0 || column >= l.width {
						continue
					}
					for c := range l.in {
						from, weights := ((b*l.height+row)*l.width+column)*l.in+c, (k*l.in+c)*l.out
						for o := range l.out {
							y[to+o] += float64(x[from]) * float64(w[weights+o])
							dx[from] += float64(dy[to+o]) * float64(w[weights+o])
							dw[weights+o] += float64(dy[to+o]) * float64(x[from])
						}
					}
				}
			}
		}
	}
	return y, dx, dw
}

// cpuPlugin opens the plugin for the CPU until the test ends, or skips the test if there is none.
func cpuPlugin(t *testing.T) *Engine {
	t.Helper()
	path := FindPlugin("cpu")
	if path == "" {
		t.Skip("no plugin: 'srdiff engine install cpu'")
	}
	e, err := OpenPlugin("cpu", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Backend.Finalize)
	return e
}

// TestXLAConvolution compares XLA's convolutions and their gradients with plain loops: the plugin
// for the CPU that 'srdiff engine install cpu' builds has some of its own
// (install/xlacpu/convolution.h).
func TestXLAConvolution(t *testing.T) {
	e := cpuPlugin(t)
	random := rand.New(rand.NewPCG(1, 2))
	channels := func() int { return []int{1, 3, 7, 8, 16, 33, 64}[random.IntN(7)] }
	for _, size := range [][2]int{{1, 1}, {5, 7}, {8, 8}} {
		for _, taps := range []int{1, 3, 5} {
			for _, padded := range []bool{true, false} {
				for _, step := range [][2]int{{1, 1}, {2, 1}, {1, 2}} {
					l := layer{1 + 4*random.IntN(2), size[0], size[1], channels(), channels(), taps, step[0], step[1], padded}
					before, after := l.padding()
					if reach := (taps-1)*l.dilation + 1; min(size[0], size[1])+before+after >= reach {
						t.Run(fmt.Sprintf("%+v", l), func(t *testing.T) { testLayer(t, e, l, random) })
						t.Run(fmt.Sprintf("bfloat16 %+v", l), func(t *testing.T) { testLayerBFloat16(t, e, l, random) })
					}
				}
			}
		}
	}
	many := layer{batch: 9, height: 20, width: 30, in: 33, out: 40, taps: 3, stride: 1, dilation: 1, padded: true}
	t.Run("many rows", func(t *testing.T) { testLayer(t, e, many, random) })
	t.Run("bfloat16 many rows", func(t *testing.T) { testLayerBFloat16(t, e, many, random) })
	for _, l := range []layer{ // which Winograd takes, with squares that reach beyond the pictures
		{batch: 3, height: 8, width: 8, in: 16, out: 16}, {batch: 2, height: 9, width: 31, in: 32, out: 80},
		{batch: 1, height: 70, width: 130, in: 64, out: 48}, {batch: 5, height: 11, width: 10, in: 112, out: 128},
	} {
		l.taps, l.stride, l.dilation, l.padded = 3, 1, 1, true
		t.Run(fmt.Sprintf("%+v", l), func(t *testing.T) { testLayerIn(t, e, l, random, dtypes.Float32, 3e-5) })
	}
	wide := layer{batch: 1, height: 70, width: 130, in: 64, out: 64, taps: 3, stride: 1, dilation: 1, padded: true}
	t.Run("bfloat16 wide", func(t *testing.T) { testLayerBFloat16(t, e, wide, random) })
}

// testLayer computes in float32.
func testLayer(t *testing.T, e *Engine, l layer, random *rand.Rand) {
	testLayerIn(t, e, l, random, dtypes.Float32, 1e-5)
}

// testLayerBFloat16 computes in bfloat16 with sums in float32: only the results are rounded, to 8 bits.
func testLayerBFloat16(t *testing.T, e *Engine, l layer, random *rand.Rand) {
	testLayerIn(t, e, l, random, dtypes.BFloat16, 1./256)
}

func testLayerIn(t *testing.T, e *Engine, l layer, random *rand.Rand, dtype dtypes.DType, tolerance float64) {
	values := func(n int) []float32 { // those of bfloat16 are float32's too
		v := make([]float32, n)
		for i := range v {
			v[i] = bfloat16.FromFloat32(float32(random.NormFloat64())).Float32()
		}
		return v
	}
	height, width := l.size()
	x, w, dy := values(l.batch*l.height*l.width*l.in), values(l.taps*l.taps*l.in*l.out), values(l.batch*height*width*l.out)
	exec, err := graph.NewExec(e.Backend, func(x, w, dy *graph.Node) []*graph.Node {
		x, w, dy = graph.ConvertDType(x, dtype), graph.ConvertDType(w, dtype), graph.ConvertDType(dy, dtype)
		convolution := graph.Convolve(x, w).Strides(l.stride).Dilations(l.dilation).NoPadding()
		if l.padded {
			convolution.PadSame()
		}
		y := convolution.Done()
		results := append(graph.Gradient(graph.ReduceAllSum(graph.Mul(y, dy)), x, w), y)
		for i := range results {
			results[i] = graph.ConvertDType(results[i], dtypes.Float32)
		}
		return results
	})
	if err != nil {
		t.Fatal(err)
	}
	call := func() [3][]float32 {
		out, err := exec.Call(
			tensors.FromFlatDataAndDimensions(x, l.batch, l.height, l.width, l.in),
			tensors.FromFlatDataAndDimensions(w, l.taps, l.taps, l.in, l.out),
			tensors.FromFlatDataAndDimensions(dy, l.batch, height, width, l.out))
		if err != nil {
			t.Fatal(err)
		}
		var all [3][]float32
		for i := range all {
			all[i] = tensors.MustCopyFlatData[float32](out[i])
		}
		return all
	}
	got := call()
	y, dx, dw := l.convolve(x, w, dy)
	for i, want := range [][]float64{dx, dw, y} {
		name := []string{"input gradient", "weight gradient", "convolution"}[i]
		if len(got[i]) != len(want) {
			t.Fatalf("%s has %d values, want %d", name, len(got[i]), len(want))
		}
		var largest, off float64
		for j, v := range want {
			largest = max(largest, math.Abs(v))
			off = max(off, math.Abs(v-float64(got[i][j])))
		}
		if !(off <= tolerance*largest) {
			t.Errorf("%s is off by up to %g, where the largest value is %g", name, off, largest)
		}
	}
	for range 3 {
		again := call()
		for i, values := range again {
			if !slices.Equal(values, got[i]) {
				t.Errorf("result %d is not the same again", i)
			}
		}
	}
}
