// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff_test

import (
	"bytes"
	"context"
	"image/jpeg"
	"math/rand/v2"
	"path/filepath"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/srdiff/srlab/srdiff"
	"github.com/srdiff/srlab/srdiff/dataset"
	"github.com/srdiff/srlab/srdiff/degrade"
	"github.com/srdiff/srlab/srdiff/diffusion"
	"github.com/srdiff/srlab/srdiff/imaging"
	"github.com/srdiff/srlab/srdiff/internal/graphtest"
	"github.com/srdiff/srlab/srdiff/networks"
	"github.com/srdiff/srlab/srdiff/nn"
)

// The parts below are added from outside of the packages that they extend.

// shuffle is a network that works at low resolution: its last layer makes factor x factor pixels of
// each.
type shuffle struct{ channels int }

func (shuffle) Multiple() int { return 1 }
func (shuffle) Margin() int   { return 3 } // of three 3x3 convolutions

func (n shuffle) Predict(scope *nn.Scope, in networks.Inputs) *Node {
	d, factor := in.Low.Shape().Dimensions, in.Factor()
	h := nn.ReLU(nn.Conv(scope.In("head"), in.Low, n.channels, 3))
	h = Add(h, nn.Conv(scope.In("body").Scaled(0.1), h, n.channels, 3))
	h = nn.Conv(scope.In("tail").Scaled(0), h, 3*factor*factor, 3)
	h = TransposeAllDims(Reshape(h, d[0], d[1], d[2], factor, factor, 3), 0, 1, 3, 2, 4, 5)
	h = Add(Reshape(h, d[0], factor*d[1], factor*d[2], 3), nn.Upsample(in.Low, factor))
	if beyond := factor * in.Margin; beyond > 0 {
		h = Slice(h, AxisRange(), AxisRange(beyond, -beyond), AxisRange(beyond, -beyond))
	}
	return h
}

// jpegged is a degradation that no graph could hold.
type jpegged struct{ config degrade.Config }

func (j jpegged) Apply(rng *rand.Rand, p imaging.Picture, factor int) (low imaging.Picture, level float64) {
	var file bytes.Buffer
	quality := &jpeg.Options{Quality: 100 - int(j.config.Strength*rng.Float64())}
	if err := jpeg.Encode(&file, degrade.Config{Kernel: j.config.Kernel}.Picture(p, factor).Image(), quality); err != nil {
		panic(err)
	}
	img, err := jpeg.Decode(&file)
	if err != nil {
		panic(err)
	}
	return imaging.FromImage(img), 0
}

func init() {
	networks.Register("shuffle", func(c networks.Config) (networks.Network, error) { return shuffle{c.BaseChannels}, nil })
	degrade.Register("jpegged", func(c degrade.Config) (degrade.Degradation, error) { return jpegged{c}, nil })
	diffusion.RegisterPrediction("minus-eps", func(at diffusion.Time) (ofX0, ofEps *Node) {
		return ZerosLike(at.Signal), Neg(OnesLike(at.Signal))
	})
}

func open(t *testing.T, size int) dataset.Source {
	t.Helper()
	source, err := dataset.Open(context.Background(), "generated", dataset.Options{Size: size})
	if err != nil {
		t.Fatal(err)
	}
	return source
}

// A network from outside, of a factor of 3 and with a degradation from outside, trains, comes back
// from its file, and enlarges a picture whose result has many tiles as it enlarges it in one piece.
func TestNetworkAndDegradationFromOutside(t *testing.T) {
	ctx := context.Background()
	c := srdiff.Config{
		Factor:      3,
		Diffusion:   diffusion.Config{Prediction: diffusion.Regression},
		Network:     networks.Config{Name: "shuffle", BaseChannels: 8},
		Degradation: degrade.Config{Name: "jpegged", Strength: 60},
		Training:    srdiff.TrainingConfig{ImageSize: 24, BatchSize: 4, LearningRate: 1e-3},
	}
	m, err := srdiff.NewModel(graphtest.Engine(t), c)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var losses []float64
	if err := m.Train(ctx, open(t, 24), 60, dir, func(p srdiff.Progress) { losses = append(losses, p.Loss) }); err != nil {
		t.Fatal(err)
	}
	first, last := 0.0, 0.0
	for i := range 15 {
		first, last = first+losses[i], last+losses[len(losses)-1-i]
	}
	if !(last < first) {
		t.Errorf("the loss went from %.4f to %.4f: want it to fall", first/15, last/15)
	}
	loaded, err := srdiff.Load(graphtest.Engine(t), filepath.Join(dir, srdiff.ModelFile))
	if err != nil {
		t.Fatal(err)
	}
	if loaded.Config != m.Config || loaded.NumParameters() != m.NumParameters() {
		t.Errorf("loaded %+v, want %+v", loaded.Config, m.Config)
	}
	low := imaging.New(61, 50)
	for i := range low.Pix {
		low.Pix[i] = float32(i%97)/97 - 0.5
	}
	large, err := loaded.Upscale(ctx, srdiff.SampleOptions{}, low.Image())
	if err != nil {
		t.Fatal(err)
	}
	whole, err := loaded.Sample(ctx, srdiff.SampleOptions{}, imaging.FromImage(low.Image()))
	if err != nil {
		t.Fatal(err)
	}
	tiled := imaging.FromImage(large)
	if tiled.Width != 183 || tiled.Height != 150 {
		t.Fatalf("61x50 became %dx%d", tiled.Width, tiled.Height)
	}
	// A convolution sees zeros beyond the picture in one piece, and its mirrored border in tiles.
	const border = 3 * 3
	for y := border; y < tiled.Height-border; y++ {
		for x := 3 * border; x < 3*(tiled.Width-border); x++ {
			i := y*tiled.Width*3 + x
			if d := tiled.Pix[i] - whole[0].Pix[i]; d > 0.01 || d < -0.01 { // 8 bits have steps of 0.008
				t.Fatalf("row %d, value %d: %v in tiles, %v in one piece", y, x, tiled.Pix[i], whole[0].Pix[i])
			}
		}
	}
}

// A prediction from outside gives the same losses as the one that it is the opposite of.
func TestPredictionFromOutside(t *testing.T) {
	losses := func(prediction diffusion.Prediction) (list []float64) {
		c := srdiff.Config{
			Diffusion: diffusion.Config{Prediction: prediction},
			Network:   networks.Config{Name: networks.Tiny, BaseChannels: 8, Attention: -1},
			Training:  srdiff.TrainingConfig{ImageSize: 8, BatchSize: 4},
		}
		m, err := srdiff.NewModel(graphtest.Engine(t), c)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Train(context.Background(), open(t, 8), 1, "", func(p srdiff.Progress) { list = append(list, p.Loss) }); err != nil {
			t.Fatal(err)
		}
		if _, err := m.Sample(context.Background(), srdiff.SampleOptions{Steps: 2}, imaging.New(2, 2)); err != nil {
			t.Fatal(err)
		}
		return list
	}
	graphtest.Near(t, "losses", losses("minus-eps"), losses(diffusion.PredictEps), 1e-6)
}
