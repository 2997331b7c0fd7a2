// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package graphtest

import (
	"math"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
)

// A NaN is not forgotten, wherever it is.
func TestRelativeErrorOfNaN(t *testing.T) {
	finite, nan := []float32{0, 1, 2}, float32(math.NaN())
	for i := range finite {
		bad := []float32{0, 1, 2}
		bad[i] = nan
		for _, pair := range [][2][]float32{{bad, finite}, {finite, bad}, {bad, bad}} {
			if e := RelativeError(tensors.FromValue(pair[0]), tensors.FromValue(pair[1])); !math.IsNaN(e) {
				t.Errorf("the error of %v against %v is %v, want NaN", pair[0], pair[1], e)
			}
		}
	}
}
