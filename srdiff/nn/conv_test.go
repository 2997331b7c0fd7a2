// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package nn

import (
	"math"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/srdiff/srlab/srdiff/internal/graphtest"
)

// Convolution as products is GoMLX's own convolution: for small pictures, for odd sizes, and for
// one so large that it is done in bands. (TestGradientsAreTorchs has its gradients.)
func TestConvolveByProducts(t *testing.T) {
	for _, size := range [][4]int{{2, 6, 5, 3}, {1, 1, 1, 2}, {1, 1, 7, 4}, {3, 32, 33, 8}, {1, 700, 701, 8}} {
		x := tensors.FromFlatDataAndDimensions(wave(size[0]*size[1]*size[2]*size[3]), size[:]...)
		w := tensors.FromFlatDataAndDimensions(wave(9*size[3]*2), 3, 3, size[3], 2)
		if bands := 3*x.Size() > maxTriples; bands != (size[1] == 700) {
			t.Fatalf("size %v: bands %v", size, bands)
		}
		got := graphtest.Run(t, func(in []*Node) *Node { return convolveByProducts(in[0], in[1]) }, x, w)
		want := graphtest.Run(t, func(in []*Node) *Node { return Convolve(in[0], in[1]).Strides(1).PadSame().Done() }, x, w)
		graphtest.Same(t, "convolution", got, want, 1e-5)
	}
}

// wave returns n smooth values.
func wave(n int) []float32 {
	values := make([]float32, n)
	for i := range values {
		values[i] = float32(math.Sin(0.7 * float64(i)))
	}
	return values
}

// One convolution of the network's widest pictures, 32 channels to 32, as the engine's own and as
// products.
func BenchmarkConvolution(b *testing.B) {
	x := tensors.FromFlatDataAndDimensions(wave(4*32*32*32), 4, 32, 32, 32)
	w := tensors.FromFlatDataAndDimensions(wave(9*32*32), 3, 3, 32, 32)
	for name, f := range map[string]func(x, w *Node) *Node{
		"Convolve": func(x, w *Node) *Node { return Convolve(x, w).Strides(1).PadSame().Done() },
		"products": convolveByProducts,
	} {
		exec, err := NewExec(graphtest.Engine(b), f)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				exec.MustCall(x, w)[0].MustFinalizeAll()
			}
		})
	}
}
