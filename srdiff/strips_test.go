// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"context"
	"errors"
	"image"
	"image/color"
	"math"
	"strings"
	"testing"

	"github.com/srdiff/srlab/srdiff/diffusion"
	"github.com/srdiff/srlab/srdiff/imaging"
	"github.com/srdiff/srlab/srdiff/internal/graphtest"
	"github.com/srdiff/srlab/srdiff/networks"
	"github.com/srdiff/srlab/srdiff/nn"
)

// inStrips joins what UpscaleStrips yields. It returns the number of strips too.
func inStrips(t *testing.T, m *Model, o SampleOptions, img image.Image) (p imaging.Picture, count int) {
	t.Helper()
	for strip, err := range m.UpscaleStrips(context.Background(), o, img) {
		if err != nil {
			t.Fatal(err)
		}
		p.Width, p.Height, p.Pix = strip.Width, p.Height+strip.Height, append(p.Pix, strip.Pix...)
		count++
	}
	return p, count
}

func colourful(width, height int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, width, height))
	for i := range width * height {
		img.SetNRGBA(i%width, i/width, color.NRGBA{uint8(i * 7), uint8(i * i), uint8(200 - i*3), 255})
	}
	return img
}

// A predictor's strips are together the picture that it makes at once, in whatever strips and
// tiles.
func TestUpscaleStrips(t *testing.T) {
	saved := localTileSize
	t.Cleanup(func() { localTileSize = saved })
	localTileSize = 16
	for _, factor := range []int{2, 3, 4} {
		m, err := NewModel(graphtest.Engine(t), Config{Factor: factor, Network: networks.Config{Name: networks.PixelShuffle, BaseChannels: 4, Blocks: 1},
			Diffusion: diffusion.Config{Prediction: diffusion.Regression}})
		if err != nil {
			t.Fatal(err)
		}
		scramble(t, m)
		for _, size := range []image.Point{{1, 1}, {5, 40}, {40, 5}, {37, 71}} {
			img := colourful(size.X, size.Y)
			whole, err := m.sampleAny(context.Background(), SampleOptions{}, imaging.Visible(img))
			if err != nil {
				t.Fatal(err)
			}
			got, count := inStrips(t, m, SampleOptions{}, img)
			if got.Width != whole.Width || got.Height != whole.Height {
				t.Fatalf("x%d, %v: %dx%d, want %dx%d", factor, size, got.Width, got.Height, whole.Width, whole.Height)
			}
			if size.Y > 20 && count < 3 {
				t.Errorf("x%d, %v: %d strips", factor, size, count)
			}
			for i, v := range got.Pix {
				if math.Abs(float64(v-whole.Pix[i])) > 1e-5 {
					t.Fatalf("x%d, %v: value %d is %v, want %v", factor, size, i, v, whole.Pix[i])
				}
			}
		}
	}
}

// A refiner's strips are together the picture that it makes at once, to the last bit but rounding,
// with any sampler: the noise of a pixel does not depend on the strips.
func TestRefinerStrips(t *testing.T) {
	saved := localTileSize
	t.Cleanup(func() { localTileSize = saved })
	for _, factor := range []int{2, 4} {
		m := scramble(t, newSmall(t, tinyRefiner(factor)))
		for _, o := range []SampleOptions{
			{Seed: 5},
			{Seed: 6, Sampler: diffusion.DDPM, Steps: 3},
			{Seed: 7, Sampler: diffusion.DPMpp2M, Steps: 5, Fidelity: 0.3},
			{Seed: 8, Steps: 1, BackProject: 1},
		} {
			for _, size := range []image.Point{{5, 160}, {60, 90}, {90, 20}} {
				img := colourful(size.X, size.Y)
				localTileSize = 1 << 12
				whole, err := m.sampleTiles(t.Context(), o, imaging.Visible(img))
				if err != nil {
					t.Fatal(err)
				}
				localTileSize = 1
				var tiles []int
				o.Each = func(s SampleStep) { tiles = append(tiles, s.Done*s.Tiles+s.Tile) }
				s, err := m.newStripsWithin(o, img)
				if err != nil {
					t.Fatal(err)
				}
				var got imaging.Picture
				for range s.rows.At {
					strip, err := s.next(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					got.Height, got.Pix = got.Height+strip.Height, append(got.Pix, strip.Pix...)
				}
				if size.Y > 50 && len(s.rows.At) < 3 {
					t.Errorf("x%d, %v: %d strips", factor, size, len(s.rows.At))
				}
				if got.Height != whole.Height {
					t.Fatalf("x%d, %v: %d rows, want %d", factor, size, got.Height, whole.Height)
				}
				if d := farthest(got.Pix, whole.Pix); !(d <= 1e-5) {
					t.Errorf("x%d, %v, %+v: off by %g", factor, size, o.Sampler, d)
				}
				for i, done := range tiles {
					if done != i+1 {
						t.Fatalf("tile %d is reported as number %d", i+1, done)
					}
				}
				if want := len(s.steps) * len(s.rows.At) * len(s.columns.At); len(tiles) != want {
					t.Errorf("%d tiles are reported, want %d", len(tiles), want)
				}
			}
		}
	}
}

// A refiner samples a picture as a whole where that fits the memory, and else in strips, with the
// same result. What does not fit at all is an error of its own kind.
func TestRefinerStripsByMemory(t *testing.T) {
	m := scramble(t, newSmall(t, tinyRefiner(4)))
	img := colourful(40, 900)
	at := func(memory int64) (imaging.Picture, int) {
		return inStrips(t, m, SampleOptions{Seed: 3, Steps: 2, Memory: memory}, img)
	}
	whole, one := at(0)
	strips, several := at(engineMemory + 17_000_000)
	if one != 1 || several < 3 {
		t.Fatalf("%d strips, and %d with little memory: want 1 and more", one, several)
	}
	if d := farthest(whole.Pix, strips.Pix); len(whole.Pix) != len(strips.Pix) || !(d <= 1e-5) {
		t.Errorf("the strips are off by %g", d)
	}
	for _, err := range m.UpscaleStrips(t.Context(), SampleOptions{Memory: engineMemory}, img) {
		e, ok := errors.AsType[*MemoryError](err)
		if !ok || e.Allowed != engineMemory || e.Need <= engineMemory || e.Width != 160 || e.Height != 3600 {
			t.Errorf("too little memory: %v", err)
		}
	}
}

// Other models make one strip; a predictor's results are not limited in size but by memory; and the
// end of the context ends the work.
func TestUpscaleStripsLimits(t *testing.T) {
	other, err := NewModel(graphtest.Engine(t), Config{Network: networks.Config{BaseChannels: 4}, Diffusion: diffusion.Config{Timesteps: 2}})
	if err != nil {
		t.Fatal(err)
	}
	if _, count := inStrips(t, other, SampleOptions{}, colourful(4, 40)); count != 1 {
		t.Errorf("%d strips, want 1", count)
	}
	large := image.NewGray(image.Rect(0, 0, 8000, 8000))
	if err := other.Config.CheckUpscale(large); err == nil {
		t.Error("a result of 1024 megapixels is no error")
	}
	predictor := Config{Network: networks.Config{Name: networks.PixelShuffle, BaseChannels: 4, Blocks: 1},
		Diffusion: diffusion.Config{Prediction: diffusion.Regression}}
	if err := predictor.CheckUpscale(large); err != nil {
		t.Error(err)
	}
	if err := predictor.CheckUpscale(image.NewGray(image.Rectangle{})); err == nil {
		t.Error("a picture without pixels is no error")
	}
	m, err := NewModel(graphtest.Engine(t), predictor)
	if err != nil {
		t.Fatal(err)
	}
	failure := func(ctx context.Context, o SampleOptions) (err error) {
		for _, err = range m.UpscaleStrips(ctx, o, large) {
			break
		}
		return err
	}
	if err := failure(context.Background(), SampleOptions{Memory: 300_000_000}); err == nil || !strings.Contains(err.Error(), "0.3GB are allowed") {
		t.Errorf("too little memory: %v", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	stop()
	if err := failure(ctx, SampleOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of the context: %v", err)
	}
}

// SampleOptions.Precision reaches every way to sample: a picture in bfloat16 differs from that in
// float32, and only a little.
func TestSamplingPrecision(t *testing.T) {
	img := colourful(12, 10)
	for name, c := range map[string]Config{
		"whole":     {Network: networks.Config{BaseChannels: 4}, Diffusion: diffusion.Config{Timesteps: 2}},
		"predictor": tinyPredictor(4),
		"refiner":   tinyRefiner(4),
	} {
		m := newSmall(t, c)
		scramble(t, m)
		of := func(precision nn.Precision) (once, strips imaging.Picture) {
			o := SampleOptions{Precision: precision}
			once, err := m.sampleAny(context.Background(), o, imaging.Visible(img))
			if err != nil {
				t.Fatal(err)
			}
			strips, _ = inStrips(t, m, o, img)
			return once, strips
		}
		full, fullStrips := of(nn.Float32)
		half, halfStrips := of(nn.BFloat16)
		for way, pair := range map[string][2]imaging.Picture{"at once": {full, half}, "in strips": {fullStrips, halfStrips}} {
			off, most := 0., 0.
			for i, v := range pair[0].Pix {
				off = max(off, math.Abs(float64(v-pair[1].Pix[i])))
				most = max(most, math.Abs(float64(v)))
			}
			if !(off > 0 && off < 0.1*most) {
				t.Errorf("%s %s: bfloat16 is off by %g where float32 has up to %g", name, way, off, most)
			}
		}
	}
}
