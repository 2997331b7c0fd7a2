// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package degrade

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/srdiff/srlab/srdiff/imaging"
	"github.com/srdiff/srlab/srdiff/internal/graphtest"
)

// A batch holds what the degradation makes of each picture with its own random source.
func TestBatch(t *testing.T) {
	const batch, size, factor = 9, 12, 3
	d, err := New(Config{Noise: 0.3})
	if err != nil {
		t.Fatal(err)
	}
	source := func(i int) *rand.Rand { return rand.New(rand.NewPCG(7, uint64(i))) }
	x0 := graphtest.Pattern(1, 1, batch, size, size, 3)
	low, level, err := Batch(d, x0, factor, source)
	if err != nil {
		t.Fatal(err)
	}
	all, n := tensors.MustCopyFlatData[float32](x0), size*size*3
	var want []float64
	levels := tensors.MustCopyFlatData[float32](level)
	for i := range batch {
		p, noise := d.Apply(source(i), imaging.Picture{Width: size, Height: size, Pix: all[i*n:][:n]}, factor)
		for _, v := range p.Pix {
			want = append(want, float64(v))
		}
		if levels[i] != float32(noise) {
			t.Errorf("picture %d has the level %v, want %v", i, levels[i], noise)
		}
	}
	graphtest.Near(t, "low", graphtest.Float64s(low), want, 0)
}

// tooSmall makes pictures of another size than it is asked for.
type tooSmall struct{}

func (tooSmall) Apply(*rand.Rand, imaging.Picture, int) (imaging.Picture, float64) {
	return imaging.New(1, 1), 0
}

func TestBatchOfAnotherSize(t *testing.T) {
	_, _, err := Batch(tooSmall{}, graphtest.Pattern(1, 1, 2, 8, 8, 3), 4, func(int) *rand.Rand { return nil })
	if err == nil || !strings.Contains(err.Error(), "made 1x1 pixels of 8x8: want 2x2") {
		t.Errorf("got %v", err)
	}
}
