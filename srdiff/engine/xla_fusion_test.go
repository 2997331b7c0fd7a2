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
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// TestXLAFusions compares what follows a convolution in a graph with the same in Go, computed from the
// convolution's own result: the plugin that 'srdiff engine install cpu' builds makes some of it part of
// the convolution (install/xlacpu/convolution.cc). It must leave alone what only looks similar.
func TestXLAFusions(t *testing.T) {
	e := cpuPlugin(t)

	for _, in := range []int{5, 16} { // for oneDNN's convolution, and for Winograd
		testFusions(t, e, in)
	}
}

func testFusions(t *testing.T, e *Engine, in int) {
	const height, width, out = 12, 16, 16 // as wide as there are channels, so that the axes could be confused
	random := rand.New(rand.NewPCG(3, 4))
	values := func(dims ...int) *tensors.Tensor {
		size := 1
		for _, d := range dims {
			size *= d
		}
		v := make([]float32, size)
		for i := range v {
			v[i] = float32(random.NormFloat64())
		}
		return tensors.FromFlatDataAndDimensions(v, dims...)
	}
	x, w, bias, other := values(2, height, width, in), values(3, 3, in, out), values(out), values(2, height, width, out)
	biases, others := tensors.MustCopyFlatData[float32](bias), tensors.MustCopyFlatData[float32](other)
	channels := func(bias *Node) *Node { return Reshape(bias, 1, 1, 1, out) }
	columns := func(bias *Node) *Node { return Reshape(bias, 1, 1, out, 1) }
	relu := func(x *Node) *Node { return Max(x, ZerosLike(x)) }
	silu := func(x float64) float64 { return x / (1 + math.Exp(-x)) }

	for name, c := range map[string]struct {
		graph func(y, bias, other *Node) *Node
		want  func(y, bias, other float64) float64 // of a value, the bias of its channel, and other
	}{
		"bias": {func(y, bias, _ *Node) *Node { return Add(y, channels(bias)) },
			func(y, bias, _ float64) float64 { return y + bias }},
		"bias first": {func(y, bias, _ *Node) *Node { return Add(channels(bias), y) },
			func(y, bias, _ float64) float64 { return y + bias }},
		"two biases": {func(y, bias, _ *Node) *Node { return Add(Add(y, channels(bias)), channels(MulScalar(bias, 2))) },
			func(y, bias, _ float64) float64 { return y + 3*bias }},
		"bias, sum and relu": {func(y, bias, other *Node) *Node { return relu(Add(Add(y, channels(bias)), other)) },
			func(y, bias, other float64) float64 { return max(y+bias+other, 0) }},
		"bias, sum and bias": {func(y, bias, other *Node) *Node { return Add(Add(Add(y, channels(bias)), other), channels(bias)) },
			func(y, bias, other float64) float64 { return y + 2*bias + other }},
		"relu": {func(y, bias, _ *Node) *Node { return relu(Add(y, channels(bias))) },
			func(y, bias, _ float64) float64 { return max(y+bias, 0) }},
		"maximum of one": {func(y, bias, _ *Node) *Node { y = Add(y, channels(bias)); return Max(y, OnesLike(y)) },
			func(y, bias, _ float64) float64 { return max(y+bias, 1) }},
		"silu": {func(y, bias, _ *Node) *Node { y = Add(y, channels(bias)); return Mul(y, Sigmoid(y)) },
			func(y, bias, _ float64) float64 { return silu(y + bias) }},
		"sigmoid of another": {func(y, bias, other *Node) *Node { return Mul(Add(y, channels(bias)), Sigmoid(other)) },
			func(y, bias, other float64) float64 { return (y + bias) / (1 + math.Exp(-other)) }},
		"silu and more": {func(y, bias, _ *Node) *Node { y = Add(y, channels(bias)); return Add(y, Mul(y, Sigmoid(y))) },
			func(y, bias, _ float64) float64 { return y + bias + silu(y+bias) }},
		"sum": {func(y, bias, other *Node) *Node { return Add(other, Add(y, channels(bias))) },
			func(y, bias, other float64) float64 { return y + bias + other }},
		"sum with itself": {func(y, bias, _ *Node) *Node { y = Add(y, channels(bias)); return Add(y, y) },
			func(y, bias, _ float64) float64 { return 2 * (y + bias) }},
		"sum with a constant": {func(y, bias, _ *Node) *Node { return AddScalar(Add(y, channels(bias)), 3) },
			func(y, bias, _ float64) float64 { return y + bias + 3 }},
		"relu and more": {func(y, bias, _ *Node) *Node { y = Add(y, channels(bias)); return Mul(y, relu(y)) },
			func(y, bias, _ float64) float64 { return (y + bias) * max(y+bias, 0) }},
		"without a bias": {func(y, _, other *Node) *Node { return relu(Add(y, other)) },
			func(y, _, other float64) float64 { return max(y+other, 0) }},
		"both ways": {func(y, bias, other *Node) *Node { y = Add(y, channels(bias)); return Add(relu(y), Mul(y, other)) },
			func(y, bias, other float64) float64 { return max(y+bias, 0) + (y+bias)*other }},
	} {
		for _, dtype := range []dtypes.DType{dtypes.Float32, dtypes.BFloat16} {
			t.Run(fmt.Sprintf("%s %s of %d channels", name, dtype, in), func(t *testing.T) {
				y, got := run2(t, e, dtype, c.graph, x, w, bias, other)
				compare(t, dtype, y, got, func(i int) float64 {
					return c.want(float64(y[i]), float64(biases[i%out]), float64(others[i]))
				})
			})
		}
	}
	t.Run(fmt.Sprintf("bias of the columns of %d channels", in), func(t *testing.T) {
		y, got := run2(t, e, dtypes.Float32, func(y, bias, _ *Node) *Node { return Add(y, columns(bias)) }, x, w, bias, other)
		compare(t, dtypes.Float32, y, got, func(i int) float64 { return float64(y[i]) + float64(biases[i/out%width]) })
	})
}

// run2 returns the convolution of x with w, and the result of a graph that begins with it.
func run2(t *testing.T, e *Engine, dtype dtypes.DType, graph func(y, bias, other *Node) *Node, inputs ...any) (y, result []float32) {
	t.Helper()
	convolution := func(in []*Node) *Node { return Convolve(in[0], in[1]).Strides(1).PadSame().Done() }
	for i, f := range []func(in []*Node) *Node{
		convolution,
		func(in []*Node) *Node { return graph(convolution(in), in[2], in[3]) },
	} {
		exec, err := NewExec(e.Backend, func(in []*Node) *Node {
			converted := make([]*Node, len(in))
			for k := range in {
				converted[k] = ConvertDType(in[k], dtype)
			}
			return ConvertDType(f(converted), dtypes.Float32)
		})
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.Call(inputs...)
		if err != nil {
			t.Fatal(err)
		}
		if values := tensors.MustCopyFlatData[float32](out[0]); i == 0 {
			y = values
		} else {
			result = values
		}
	}
	return y, result
}

func compare(t *testing.T, dtype dtypes.DType, y, got []float32, want func(i int) float64) {
	t.Helper()
	tolerance := 1e-5
	if dtype == dtypes.BFloat16 { // each operation rounds to 8 bits, in the graph and in y
		tolerance = 3. / 256
	}
	if len(got) != len(y) {
		t.Fatalf("the result has %d values, want %d", len(got), len(y))
	}
	var off, largest float64
	for i, v := range got {
		largest = max(largest, math.Abs(want(i)))
		off = max(off, math.Abs(float64(v)-want(i)))
	}
	if !(off <= tolerance*largest) {
		t.Errorf("the result is off by up to %g, where the largest value is %g", off, largest)
	}
}

// What is not finite reaches the result, so that a damaged network does not pass unnoticed. oneDNN's ReLU
// makes 0 of a NaN, so the infinities that come before it must pass.
func TestXLAFusionsKeepWhatIsNotFinite(t *testing.T) {
	e := cpuPlugin(t)
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	x := tensors.FromFlatDataAndDimensions([]float32{1, nan, inf, 3}, 1, 2, 2, 1)
	w := tensors.FromFlatDataAndDimensions([]float32{1, -1}, 1, 1, 1, 2)
	bias := tensors.FromFlatDataAndDimensions([]float32{0, 0}, 2)
	other := tensors.FromFlatDataAndDimensions(make([]float32, 8), 1, 2, 2, 2)

	// Winograd's: a NaN in one picture, an infinity in the other.
	const side, channels = 8, 16
	many := make([]float32, 2*side*side*channels)
	many[(3*side+4)*channels], many[(side*side+3*side+4)*channels] = nan, inf
	ones := slices.Repeat([]float32{1}, 9*channels*channels)
	wide := []any{tensors.FromFlatDataAndDimensions(many, 2, side, side, channels), tensors.FromFlatDataAndDimensions(ones, 3, 3, channels, channels),
		tensors.FromFlatDataAndDimensions(make([]float32, channels), channels),
		tensors.FromFlatDataAndDimensions(make([]float32, len(many)), 2, side, side, channels)}

	finite := func(v float32) bool { return v-v == 0 }
	for name, f := range map[string]func(y, other *Node) *Node{
		"bias": func(y, _ *Node) *Node { return y },
		"sum":  func(y, other *Node) *Node { return Add(y, other) },
		"relu": func(y, _ *Node) *Node { return Max(y, ZerosLike(y)) },
		"silu": func(y, _ *Node) *Node { return Mul(y, Sigmoid(y)) },
	} {
		graph := func(y, bias, other *Node) *Node { return f(Add(y, Reshape(bias, 1, 1, 1, bias.Shape().Size())), other) }
		_, got := run2(t, e, dtypes.Float32, graph, x, w, bias, other)
		if finite(got[4]) || (name != "relu" && (finite(got[2]) || finite(got[3]))) {
			t.Errorf("%s of NaN is %g, of infinity %g", name, got[2], got[4])
		}
		_, got = run2(t, e, dtypes.Float32, graph, wide...)
		if a, b := got[(3*side+4)*channels], got[(side*side+3*side+4)*channels]; finite(a) || finite(b) {
			t.Errorf("Winograd: %s of NaN is %g, of infinity %g", name, a, b)
		}
	}
}
