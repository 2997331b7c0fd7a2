// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package nn

import (
	"fmt"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/srdiff/srlab/srdiff/imaging"
	"github.com/srdiff/srlab/srdiff/internal/graphtest"
)

// Upsample is what imaging.Bilinear is on the host, for every factor.
func TestUpsample(t *testing.T) {
	for _, factor := range []int{1, 2, 3, 4, 5, 8} {
		for _, size := range [][2]int{{1, 1}, {3, 5}, {61, 50}} {
			width, height := size[0], size[1]
			x := graphtest.Pattern(1, 1, 1, height, width, 3)
			p := imaging.New(width, height)
			copy(p.Pix, tensors.MustCopyFlatData[float32](x))
			large := imaging.Bilinear(p, factor*width, factor*height)
			want := tensors.FromFlatDataAndDimensions(large.Pix, 1, large.Height, large.Width, 3)
			got := graphtest.Run(t, func(in []*Node) *Node { return Upsample(in[0], factor) }, x)
			graphtest.Same(t, fmt.Sprintf("%dx%d, %d times", width, height, factor), got, want, 1e-6)
		}
	}
}
