// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package imaging

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"
)

// goldens is what testdata/goldens.py writes.
type goldens struct {
	Resize []struct {
		Mode     string
		From, To [2]int
		Pix      []float32
	}
	Turned [8][][]uint8
}

func readGoldens(t *testing.T) (g goldens) {
	t.Helper()
	data, err := os.ReadFile("testdata/goldens.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

func TestResizeEqualsTorch(t *testing.T) {
	modes := map[string]func(Picture, int, int) Picture{"bilinear": Bilinear, "bicubic": Bicubic}
	tests := readGoldens(t).Resize
	if len(tests) != 12 {
		t.Fatalf("%d goldens, want 12", len(tests))
	}
	for _, g := range tests {
		t.Run(fmt.Sprint(g.Mode, g.From, g.To), func(t *testing.T) {
			got := modes[g.Mode](pattern(g.From[0], g.From[1]), g.To[0], g.To[1])
			if got.Width != g.To[0] || got.Height != g.To[1] {
				t.Fatalf("got %dx%d", got.Width, got.Height)
			}
			if d := maxDiff(t, got.Pix, g.Pix); d > 1e-5 {
				t.Errorf("differs from torch by %.2g", d)
			} else {
				t.Logf("differs from torch by %.2g", d)
			}
		})
	}
}

func TestBicubicOvershoots(t *testing.T) {
	edge := Picture{Width: 4, Height: 1, Pix: []float32{-1, -1, -1, -1, -1, -1, 1, 1, 1, 1, 1, 1}}
	highest := float32(0)
	for _, v := range Bicubic(edge, 16, 1).Pix {
		highest = max(highest, v)
	}
	if highest < 1.05 {
		t.Errorf("the highest value is %v; the overshoot was clamped", highest)
	}
}

func TestResizeWithoutPixels(t *testing.T) {
	if p := Bicubic(New(0, 3), 2, 2); p.Width != 2 || p.Height != 2 || len(p.Pix) != 12 {
		t.Errorf("from nothing: %+v", p)
	}
	if p := Bilinear(New(2, 3), 0, 5); p.Width != 0 || p.Height != 5 || len(p.Pix) != 0 {
		t.Errorf("to nothing: %+v", p)
	}
}

func BenchmarkBicubic(b *testing.B) {
	p := pattern(256, 256)
	for b.Loop() {
		Bicubic(p, 1024, 1024)
	}
}
