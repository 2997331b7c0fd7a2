// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package tiles

import (
	"math"
	"testing"
)

// Tiles cover every pixel, overlap, and the weights of every pixel sum to 1.
func TestLay(t *testing.T) {
	const multiple = 4
	for _, size := range [][2]int{{128, 16}, {32, 8}, {32, 16}, {64, 4}} {
		tileSize, tileOverlap := size[0], size[1]
		for n := multiple; n < 700; n += multiple {
			rows := Lay(n, tileSize, tileOverlap, multiple)
			sum := make([]float64, n)
			for i, at := range rows.At {
				if at%multiple != 0 || i == 0 && at != 0 || i > 0 && rows.At[i-1]+rows.Size-at < tileOverlap {
					t.Fatalf("%v, %d pixels: tiles of %d at %v", size, n, rows.Size, rows.At)
				}
				for j, w := range rows.Weights[i] {
					sum[at+j] += float64(w)
				}
			}
			for i, s := range sum {
				if math.Abs(s-1) > 1e-6 {
					t.Fatalf("%v, %d pixels: weights of pixel %d sum to %v", size, n, i, s)
				}
			}
			if least := (n - tileOverlap + tileSize - tileOverlap - 1) / (tileSize - tileOverlap); len(rows.At) != max(1, least) {
				t.Errorf("%v, %d pixels: %d tiles, want %d", size, n, len(rows.At), max(1, least))
			}
		}
	}
}
