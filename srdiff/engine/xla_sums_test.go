// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

//go:build cgo

package engine

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// TestXLAChannelSums compares sums over the pixels of all pictures and of each, and of some of their channels, with plain
// loops. The plugin for the CPU has such sums of its own in programs with convolutions (install/xlacpu/channel_sums.h). Other
// reductions beside them must stay what they are.
func TestXLAChannelSums(t *testing.T) {
	e := cpuPlugin(t)
	random := rand.New(rand.NewPCG(3, 4))
	for _, channels := range []int{1, 7, 16, 24, 48, 64, 80, 144} {
		for _, size := range [][3]int{{1, 1, 1}, {3, 5, 7}, {2, 33, 40}} {
			t.Run(fmt.Sprint(size, channels), func(t *testing.T) { testChannelSums(t, e, size, channels, random) })
		}
	}
}

func testChannelSums(t *testing.T, e *Engine, size [3]int, channels int, random *rand.Rand) {
	const before, after = 5, 3 // other channels around those that are summed
	pixels, all := size[0]*size[1]*size[2], before+channels+after
	x := make([]float32, pixels*all)
	for i := range x {
		x[i] = float32(random.NormFloat64())
	}
	exec := graph.MustNewExec(e.Backend, func(x, w *graph.Node) []*graph.Node {
		some := graph.Slice(x, graph.AxisRange(), graph.AxisRange(), graph.AxisRange(), graph.AxisRange(before, before+channels))
		every := graph.Slice(x, graph.AxisRange(), graph.AxisRange(), graph.AxisRange(), graph.AxisRange().Stride(2))
		half := graph.Slice(x, graph.AxisRange(0, 1), graph.AxisRange(), graph.AxisRange(), graph.AxisRange(0, channels))
		y := graph.Convolve(x, w).PadSame().Done()
		return []*graph.Node{
			graph.ReduceSum(some, 0, 1, 2),
			graph.ReduceSum(graph.MulScalar(some, 2), 0, 1, 2),
			graph.ReduceMax(some, 0, 1, 2),
			graph.ReduceSum(every, 0, 1, 2),
			graph.ReduceSum(half, 0, 1, 2),
			graph.ReduceSum(some, 0, 1, 3),
			graph.ReduceSum(some, 1, 2),
			graph.ReduceSum(graph.Square(some), 1, 2),
			y,
		}
	})
	defer exec.Finalize()
	picture := tensors.FromFlatDataAndDimensions(x, size[0], size[1], size[2], all)
	weights := tensors.FromFlatDataAndDimensions(make([]float32, all*16), 1, 1, all, 16)
	call := func() (results [][]float32) {
		for _, result := range exec.MustCall(picture, weights) {
			results = append(results, tensors.MustCopyFlatData[float32](result))
		}
		return results
	}
	got := call()

	sum, double, largest := make([]float64, channels), make([]float64, channels), make([]float64, channels)
	every, half, columns := make([]float64, (all+1)/2), make([]float64, channels), make([]float64, size[2])
	ofEach, squares := make([]float64, size[0]*channels), make([]float64, size[0]*channels)
	for c := range largest {
		largest[c] = math.Inf(-1)
	}
	for i, value := range x {
		v, pixel, c := float64(value), i/all, i%all
		if c%2 == 0 {
			every[c/2] += v
		}
		if c < channels && pixel < pixels/size[0] {
			half[c] += v
		}
		if c < before || c >= before+channels {
			continue
		}
		sum[c-before] += v
		double[c-before] += 2 * v
		largest[c-before] = max(largest[c-before], v)
		columns[pixel%size[2]] += v
		at := pixel/(size[1]*size[2])*channels + c - before
		ofEach[at] += v
		squares[at] += v * v
	}
	for i, want := range [][]float64{sum, double, largest, every, half, columns, ofEach, squares} {
		if len(got[i]) != len(want) {
			t.Fatalf("result %d has %d values, want %d", i, len(got[i]), len(want))
		}
		for c := range want {
			if !(math.Abs(float64(got[i][c])-want[c]) <= 1e-5*math.Sqrt(float64(pixels*channels))) {
				t.Errorf("result %d is %g at %d, want %g", i, got[i][c], c, want[c])
			}
		}
	}
	for range 3 {
		for i, values := range call() {
			if !slices.Equal(values, got[i]) {
				t.Errorf("result %d is not the same again", i)
			}
		}
	}
}
