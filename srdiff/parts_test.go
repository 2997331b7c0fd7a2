// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"context"
	"errors"
	"fmt"
	"image"
	"slices"
	"strings"
	"testing"

	"github.com/srdiff/srlab/srdiff/diffusion"
	"github.com/srdiff/srlab/srdiff/internal/graphtest"
	"github.com/srdiff/srlab/srdiff/networks"
)

// The parts of a result are together UpscaleStrips's rows, bit for bit: of a predictor and a refiner,
// with any sampler, in any number of parts, also where the result is sampled as a whole.
func TestUpscalePart(t *testing.T) {
	saved := localTileSize
	t.Cleanup(func() { localTileSize = saved })
	for name, test := range map[string]struct {
		config  Config
		options []SampleOptions
	}{
		"predictor": {tinyPredictor(3), []SampleOptions{{}}},
		"refiner": {tinyRefiner(2), []SampleOptions{
			{Seed: 5},
			{Seed: 6, Sampler: diffusion.DDPM, Steps: 3},
			{Seed: 7, Sampler: diffusion.DPMpp2M, Steps: 5, Fidelity: 0.3},
			{Seed: 8, Steps: 1, BackProject: 1},
		}},
	} {
		m := scramble(t, newSmall(t, test.config))
		for _, o := range test.options {
			for _, size := range []image.Point{{3, 151}, {31, 64}} {
				img := colourful(size.X, size.Y)
				localTileSize = 1
				checkParts(t, fmt.Sprintf("%s, %s of %d steps, %v", name, o.Sampler, o.Steps, size), m, o, img)
			}
		}
	}
}

// The parts agree with the whole at any memory: where the result is sampled as a whole, and in strips with
// smaller tiles.
func TestUpscalePartByMemory(t *testing.T) {
	m := scramble(t, newSmall(t, tinyRefiner(2)))
	img := colourful(8, 1100)
	most := 0
	for _, memory := range []int64{0, engineMemory + 1_300_000} {
		o := SampleOptions{Seed: 3, Steps: 2, Memory: memory}
		n, err := m.MostParts(o, img)
		if err != nil {
			t.Fatal(err)
		}
		_, count := inStrips(t, m, o, img)
		t.Logf("%d bytes: %d parts, %d strips", memory, n, count)
		if n <= most || memory > 0 && count < 2 {
			t.Errorf("%d bytes: %d parts at most, %d strips", memory, n, count)
		}
		most = n
		checkParts(t, fmt.Sprintf("%d bytes", memory), m, o, img)
	}
}

// checkParts compares the parts of a result with the whole.
func checkParts(t *testing.T, text string, m *Model, o SampleOptions, img image.Image) {
	t.Helper()
	whole, _ := inStrips(t, m, o, img)
	most, err := m.MostParts(o, img)
	if err != nil {
		t.Fatal(err)
	}
	if most < 3 {
		t.Errorf("%s: at most %d parts", text, most)
	}
	for _, parts := range []int{2, most} {
		at := 0
		for part := 1; part <= parts; part++ {
			var reported []SampleStep
			o.Each = func(s SampleStep) { reported = append(reported, s) }
			p, err := m.UpscalePart(t.Context(), o, img, part, parts)
			if err != nil {
				t.Fatal(err)
			}
			if p.Top != at {
				t.Fatalf("%s: part %d of %d begins at row %d, want %d", text, part, parts, p.Top, at)
			}
			var got []float32
			for strip, err := range p.Strips {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, strip.Pix...)
			}
			if want := whole.Pix[3*whole.Width*p.Top : 3*whole.Width*p.Bottom]; !slices.Equal(got, want) {
				t.Fatalf("%s: part %d of %d, rows %d to %d, differs by %g", text, part, parts, p.Top, p.Bottom, farthest(got, want))
			}
			for i, s := range reported {
				if done := s.Done*s.Tiles + s.Tile; done != i+1 || s.Steps*s.Tiles != len(reported) {
					t.Fatalf("%s: part %d of %d: tile %d of %d is reported as number %d of %d",
						text, part, parts, i+1, len(reported), done, s.Steps*s.Tiles)
				}
			}
			at = p.Bottom
		}
		if at != whole.Height {
			t.Fatalf("%s: %d parts end at row %d, want %d", text, parts, at, whole.Height)
		}
	}
}

// What cannot be made in parts is an error before the work.
func TestUpscalePartRefuses(t *testing.T) {
	m := newSmall(t, tinyRefiner(4))
	other := newSmall(t, Config{Network: networks.Config{BaseChannels: 4}, Diffusion: diffusion.Config{Timesteps: 2}})
	img := colourful(40, 30)
	for want, try := range map[string]func() (Part, error){
		"part 0 of 3: want a number from 1 to 3":                      func() (Part, error) { return m.UpscalePart(t.Context(), SampleOptions{}, img, 0, 3) },
		"part 1 of 0: want a number from 1 to 1":                      func() (Part, error) { return m.UpscalePart(t.Context(), SampleOptions{}, img, 1, 0) },
		"the picture of 40x30 has 1 rows of tiles, so want at most 1": func() (Part, error) { return m.UpscalePart(t.Context(), SampleOptions{}, img, 1, 2) },
		"makes a result as a whole":                                   func() (Part, error) { return other.UpscalePart(t.Context(), SampleOptions{}, img, 1, 1) },
		"has no pixels": func() (Part, error) {
			return m.UpscalePart(t.Context(), SampleOptions{}, image.NewGray(image.Rectangle{}), 1, 1)
		},
		"are allowed": func() (Part, error) { return m.UpscalePart(t.Context(), SampleOptions{Memory: 1}, img, 1, 1) },
	} {
		if _, err := try(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: want %q", err, want)
		}
	}
	saved := localTileSize
	t.Cleanup(func() { localTileSize = saved })
	localTileSize = 1
	ctx, stop := context.WithCancel(t.Context())
	stop()
	p, err := m.UpscalePart(ctx, SampleOptions{}, colourful(40, 200), 2, 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, err = range p.Strips {
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of the context: %v", err)
	}
}

// A predictor's parts do nothing twice. A refiner's repeat some rows of tiles of its earlier steps, fewer
// in larger parts. The log has the figures of docs/scale.md.
func TestPartsRepeat(t *testing.T) {
	img := image.NewYCbCr(image.Rect(0, 0, 4000, 3000), image.YCbCrSubsampleRatio420)
	for _, name := range []string{"photo-x4", "refiner-x4"} {
		m, err := Load(graphtest.Engine(t), "../notebooks/models/"+name+".safetensors")
		if err != nil {
			t.Fatal(err)
		}
		o, steps, rows, columns, err := m.layParts(SampleOptions{}, img)
		if err != nil {
			t.Fatal(err)
		}
		before := 1.
		for _, parts := range []int{1, 2, 4, 8} {
			tiles := 0
			for part := range parts {
				s := m.newStripsOf(o, steps, img, rows, columns)
				s.noise = nil // which takes long to skip
				if err := s.begin(t.Context(), part*len(rows.At)/parts, (part+1)*len(rows.At)/parts); err != nil {
					t.Fatal(err)
				}
				tiles += s.count
			}
			share := float64(tiles) / float64(len(steps)*len(rows.At)*len(columns.At))
			t.Logf("%s, %d rows of tiles in %d parts: %.2f times the tiles of the whole", name, len(rows.At), parts, share)
			if m.Config.refines() == (share <= before) && parts > 1 || parts == 1 && share != 1 {
				t.Errorf("%s: %d parts have %.3f times the tiles", name, parts, share)
			}
			before = share
		}
	}
}
