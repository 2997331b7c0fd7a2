// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package diffusion

import (
	"math"
	"slices"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/srdiff/srlab/srdiff/internal/graphtest"
)

func TestGuide(t *testing.T) {
	conditional, unconditional := graphtest.Pattern(1, 1, 2, 4, 4, 3), graphtest.Pattern(2, 1.5, 2, 4, 4, 3)
	guide := func(weight, rescale float64) []float64 {
		return graphtest.Float64s(graphtest.Run(t, func(in []*Node) *Node { return Guide(in[0], in[1], in[2], in[3]) },
			conditional, unconditional, float32(weight), float32(rescale)))
	}
	a, b := graphtest.Float64s(conditional), graphtest.Float64s(unconditional)
	graphtest.Near(t, "weight 0", guide(0, 0), a, 1e-6)
	graphtest.Near(t, "weight 0, rescaled", guide(0, 1), a, 1e-6) // already of the right spread
	want := make([]float64, len(a))
	for i := range a {
		want[i] = (1+2.5)*a[i] - 2.5*b[i]
	}
	graphtest.Near(t, "weight 2.5", guide(2.5, 0), want, 1e-5)

	half := len(a) / 2 // each picture has a spread of its own
	full, some := guide(2.5, 1), guide(2.5, 0.3)
	for _, picture := range [][2]int{{0, half}, {half, len(a)}} {
		from, to := picture[0], picture[1]
		_, should := graphtest.Spread(a[from:to])
		_, is := graphtest.Spread(full[from:to])
		_, guided := graphtest.Spread(want[from:to])
		if !(math.Abs(is/should-1) <= 1e-5) || guided < 1.5*should {
			t.Errorf("rescaled, the std is %v, want %v; before %v", is, should, guided)
		}
		for i := from; i < to; i++ {
			if w := (0.3*should/guided + 0.7) * want[i]; !(math.Abs(some[i]-w) <= 1e-5) {
				t.Fatalf("rescaled by 0.3: value %d is %v, want %v", i, some[i], w)
			}
		}
	}
}

// A prediction that is constant has no spread to divide by.
func TestGuideConstant(t *testing.T) {
	constant := func(v float32) *tensors.Tensor { return tensors.FromScalarAndDimensions(v, 1, 4, 4, 3) }
	for _, v := range []float32{0, 0.3, -0.7} {
		for _, rescale := range []float32{0, 0.5, 1} {
			got := graphtest.Run(t, func(in []*Node) *Node { return Guide(in[0], in[1], in[2], in[3]) },
				constant(v), constant(0.1), float32(2), rescale)
			graphtest.Near(t, "guided", graphtest.Float64s(got), graphtest.Float64s(constant(3*v-0.2)), 1e-6)
		}
	}
}

func TestDrop(t *testing.T) {
	y := graphtest.Pattern(1, 1, 3, 2, 2, 4)
	got := graphtest.Float64s(graphtest.Run(t, func(in []*Node) *Node { return Drop(in[0], in[1]) }, y, []bool{false, true, false}))
	want := graphtest.Float64s(y)
	clear(want[16:32])
	graphtest.Near(t, "Drop", got, want, 0)
}

// The percentile is found by halving; here it is found by sorting.
func TestThresholdX0(t *testing.T) {
	const size, batch = 16, 4
	x0 := graphtest.Pattern(1, 1, batch, size, size, 3)
	err := tensors.MutableFlatData(x0, func(flat []float32) {
		for i := range flat { // the first picture is within [-1, 1], the others reach ever further, with outliers
			n := i / (size * size * 3)
			flat[i] *= []float32{0.9, 1.5, 4, 157}[n]
			if n > 0 && i%301 == 0 {
				flat[i] *= 20
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	got := graphtest.Float64s(graphtest.Run(t, func(in []*Node) *Node { return ThresholdX0(in[0]) }, x0))
	values := graphtest.Float64s(x0)
	const n = size * size * 3
	for b := range batch {
		picture := values[b*n:][:n]
		sizes := make([]float64, n)
		for i, v := range picture {
			sizes[i] = math.Abs(v)
		}
		slices.Sort(sizes)
		s := max(1, sizes[int(math.Ceil(0.995*n))-1])
		want := make([]float64, n)
		for i, v := range picture {
			want[i] = min(max(v, -s), s) / s
		}
		graphtest.Near(t, "ThresholdX0", got[b*n:][:n], want, 1e-5)
	}
}
