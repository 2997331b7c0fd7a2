// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"path/filepath"
	"testing"

	"github.com/srdiff/srlab/srdiff/degrade"
	"github.com/srdiff/srlab/srdiff/diffusion"
	"github.com/srdiff/srlab/srdiff/internal/graphtest"
	"github.com/srdiff/srlab/srdiff/networks"
)

// Every shipped model loads with the configuration that it was trained with. Their files have the
// first format, and the oldest one is from before there was anything to predict but eps.
func TestShippedModelsLoad(t *testing.T) {
	trained := func(flip bool, rate float64, warmUp, decay int) TrainingConfig {
		c := TrainingConfig{ImageSize: 32, BatchSize: 16, Flip: flip, LearningRate: rate, WarmUp: warmUp, Decay: decay, Seed: 1}
		if flip {
			c.ClipNorm = 1
		}
		return c
	}
	guided := trained(true, 1e-3, 200, 19800)
	guided.DropCondition = 0.1
	small := networks.Config{Name: networks.Small}
	cosineV := diffusion.Config{Schedule: diffusion.Cosine, Prediction: diffusion.PredictV}
	distilled := cosineV
	distilled.Distilled = 4
	models := map[string]struct {
		config Config
		step   int
	}{
		"tutorial":    {Config{Training: trained(false, 1e-4, 0, 0)}, 4578},
		"guided":      {Config{Diffusion: cosineV, Training: guided}, 20000},
		"small":       {Config{Diffusion: cosineV, Network: small, Training: trained(true, 1e-3, 500, 9500)}, 10000},
		"small-4step": {Config{Diffusion: distilled, Network: small, Training: trained(true, 3e-4, 0, 1200)}, 1200},
		"regression": {Config{Diffusion: diffusion.Config{Prediction: diffusion.Regression}, Network: small,
			Training: trained(true, 1e-3, 500, 14500)}, 15000},
		"predictor-x4": {Config{Diffusion: diffusion.Config{Prediction: diffusion.Regression},
			Network: networks.Config{Name: networks.PixelShuffle}, Degradation: degrade.Config{Kernel: degrade.MATLABBicubic},
			Training: TrainingConfig{Loss: diffusion.L1, ImageSize: 128, BatchSize: 16, LearningRate: 5e-4, WarmUp: 100, Decay: 3500,
				ClipNorm: 0.5, Seed: 2}}, 3600},
	}
	files, err := filepath.Glob(filepath.Join("..", "notebooks", "models", "*.safetensors"))
	if err != nil || len(files) != len(models) {
		t.Fatalf("%d model files, want %d: %v", len(files), len(models), err)
	}
	for _, path := range files {
		name := filepath.Base(path)
		want := models[name[:len(name)-len(".safetensors")]]
		m, err := Load(graphtest.Engine(t), path)
		if err != nil {
			t.Error(err)
			continue
		}
		if m.Config != want.config.WithDefaults() || m.Step != want.step {
			t.Errorf("%s: loaded %+v at step %d, want %+v at step %d", name, m.Config, m.Step, want.config.WithDefaults(), want.step)
		}
	}
}
