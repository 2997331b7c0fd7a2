// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"math"
	"strings"
	"testing"

	"github.com/srdiff/srlab/srdiff/diffusion"
	"github.com/srdiff/srlab/srdiff/imaging"
	"github.com/srdiff/srlab/srdiff/internal/graphtest"
)

// turned returns p turned by 90 degrees to the left the given number of times.
func turned(p imaging.Picture, times int) imaging.Picture {
	for range times {
		out := imaging.New(p.Height, p.Width)
		for y := range out.Height {
			for x := range out.Width {
				from := 3 * (x*p.Width + p.Width - 1 - y)
				copy(out.Pix[3*(y*out.Width+x):][:3], p.Pix[from:from+3])
			}
		}
		p = out
	}
	return p
}

// mirrored returns p with left and right exchanged.
func mirrored(p imaging.Picture) imaging.Picture {
	out := imaging.New(p.Width, p.Height)
	for y := range p.Height {
		for x := range p.Width {
			from := 3 * (y*p.Width + p.Width - 1 - x)
			copy(out.Pix[3*(y*p.Width+x):][:3], p.Pix[from:from+3])
		}
	}
	return out
}

// The self-ensemble is the mean of the results for eight pictures that were turned and mirrored before,
// for a picture in one padded tile and for one in many tiles.
func TestSelfEnsemble(t *testing.T) {
	defer func(size int) { localTileSize = size }(localTileSize)
	localTileSize = 1
	m, err := NewModel(graphtest.Engine(t), tinyPredictor(4))
	if err != nil {
		t.Fatal(err)
	}
	scramble(t, m)
	o := SampleOptions{Clip: diffusion.ClipNone} // a mean of clipped results is not the clipped mean
	enlarge := func(o SampleOptions, low imaging.Picture) imaging.Picture {
		out, err := m.Sample(t.Context(), o, low)
		if err != nil {
			t.Fatal(err)
		}
		return out[0]
	}
	for _, low := range []imaging.Picture{randomPicture(9, 7), randomPicture(61, 47)} {
		mean, single := imaging.New(4*low.Width, 4*low.Height), enlarge(o, low)
		for times := range 4 {
			for _, mirror := range []bool{false, true} {
				in := turned(low, times)
				if mirror {
					in = mirrored(in)
				}
				out := enlarge(o, in)
				if mirror {
					out = mirrored(out)
				}
				for i, v := range turned(out, (4-times)%4).Pix {
					mean.Pix[i] += v / 8
				}
			}
		}
		o := o
		o.SelfEnsemble = true
		differ := 0.
		for i, v := range enlarge(o, low).Pix {
			if d := math.Abs(float64(v - mean.Pix[i])); !(d <= 1e-5) {
				t.Fatalf("%dx%d: value %d is %g, want the mean of eight results, %g", low.Width, low.Height, i, v, mean.Pix[i])
			}
			differ = max(differ, math.Abs(float64(v-single.Pix[i])))
		}
		if differ < 1e-3 {
			t.Errorf("%dx%d: the self-ensemble differs from a single result by %g at most", low.Width, low.Height, differ)
		}
	}
}

// A model that samples refuses a self-ensemble, since the mean of samples is no sample.
func TestSelfEnsembleIsForRegressions(t *testing.T) {
	err := SampleOptions{SelfEnsemble: true}.Validate(tinyRefiner(4))
	if err == nil || !strings.Contains(err.Error(), "self-ensemble belongs to a regression") {
		t.Errorf("the error is %v", err)
	}
}
