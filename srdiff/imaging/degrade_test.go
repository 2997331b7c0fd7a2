// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package imaging

import (
	"fmt"
	"math"
	"path/filepath"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/srdiff/srlab/srdiff/checkpoint"
)

// The golden file is made by srdiff/testdata/schedulers.py: torch's interpolate after a Gaussian by convolution.
func TestShrinkEqualsTorch(t *testing.T) {
	file, err := checkpoint.Read(filepath.Join("..", "testdata", "schedulers.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	picture := func(name string) Picture {
		p := file.Tensors[name]
		if p == nil {
			t.Fatalf("the golden file has no %s", name)
		}
		size := p.Shape().Dimensions
		return Picture{Width: size[2], Height: size[1], Pix: tensors.MustCopyFlatData[float32](p)}
	}
	check := func(name, filter string, from Picture, blur float64) {
		t.Helper()
		want := picture(name)
		got := Shrink(from, filter, want.Width, want.Height, blur)
		if got.Width != want.Width || got.Height != want.Height {
			t.Fatalf("%s is %dx%d", name, got.Width, got.Height)
		}
		d := maxDiff(t, got.Pix, want.Pix)
		t.Logf("%s differs by %.2g", name, d)
		if !(d <= 1e-5) {
			t.Errorf("%s differs by %.2g", name, d)
		}
	}
	for _, size := range []string{"32x32", "16x24"} {
		from := picture("degrade." + size)
		for _, filter := range []string{"bilinear", "bicubic", "area"} {
			for _, blur := range []float64{0, 0.6, 1.5} {
				check(fmt.Sprintf("degrade.%s.%s.%g", size, filter, blur), filter, from, blur)
			}
		}
	}
	check("degrade.16x24.odd", "bicubic", picture("degrade.16x24"), 0)
}

// A grey picture stays as it is: every row sums to 1, whatever the filter, the sizes and the blur, one of which is far wider
// than the picture.
func TestShrinkingSumsToOne(t *testing.T) {
	for _, filter := range []string{"bilinear", "bicubic", "area"} {
		for _, size := range [][2]int{{1, 1}, {4, 1}, {8, 2}, {9, 7}, {32, 8}} {
			for _, blur := range []float64{0, 0.1, 8} {
				rows := Shrinking(filter, size[0], size[1], blur)
				if len(rows) != size[1] {
					t.Fatalf("%d rows, want %d", len(rows), size[1])
				}
				for _, row := range rows {
					sum := 0.0
					for _, w := range row {
						sum += float64(w)
					}
					if len(row) != size[0] || math.Abs(sum-1) > 1e-6 {
						t.Errorf("%s %v, blur %g: a row of %d sums to %v", filter, size, blur, len(row), sum)
					}
				}
			}
		}
	}
}

func TestShrinkWithoutPixels(t *testing.T) {
	if p := Shrink(New(0, 3), "area", 2, 2, 0); p.Width != 2 || p.Height != 2 || len(p.Pix) != 12 {
		t.Errorf("from nothing: %+v", p)
	}
}
