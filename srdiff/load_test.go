// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/srdiff/srlab/srdiff/degrade"
	"github.com/srdiff/srlab/srdiff/diffusion"
	"github.com/srdiff/srlab/srdiff/internal/graphtest"
	"github.com/srdiff/srlab/srdiff/networks"
	"github.com/srdiff/srlab/srdiff/nn"
)

// Every shipped model loads with the configuration that it was trained with. Two have a
// file of the first format.
func TestShippedModelsLoad(t *testing.T) {
	guided := TrainingConfig{ImageSize: 32, BatchSize: 16, Flip: true, LearningRate: 1e-3, WarmUp: 200, Decay: 19800, ClipNorm: 1, Seed: 1,
		DropCondition: 0.1}
	cosineV := diffusion.Config{Schedule: diffusion.Cosine, Prediction: diffusion.PredictV}
	inOneStep := cosineV
	inOneStep.Distilled = 1
	models := map[string]struct {
		config Config
		step   int
	}{
		"guided": {Config{Diffusion: cosineV, Training: guided}, 20000},
		"predictor-x4": {Config{Diffusion: diffusion.Config{Prediction: diffusion.Regression},
			Network: networks.Config{Name: networks.PixelShuffle, Blocks: 12}, Degradation: degrade.Config{Kernel: degrade.MATLABBicubic},
			Training: TrainingConfig{Loss: diffusion.L1, ImageSize: 192, BatchSize: 8, LearningRate: 1e-3, WarmUp: 100, Decay: 11900,
				ClipNorm: 0.5, Seed: 71}}, 12000},
		"photo-x4": {Config{Diffusion: diffusion.Config{Prediction: diffusion.Regression},
			Network: networks.Config{Name: networks.PixelShuffle, Blocks: 12}, Degradation: degrade.Config{Name: "photo"},
			Training: TrainingConfig{Loss: diffusion.L1, Precision: nn.BFloat16, ImageSize: 128, BatchSize: 16, LearningRate: 6e-4,
				WarmUp: 100, Decay: 4900, ClipNorm: 0.5, Seed: 22}}, 5000},
		"tutorial-cifar10": {Config{Training: TrainingConfig{ImageSize: 32, BatchSize: 32, LearningRate: 1e-4, EMA: -1, Seed: 1}}, 7813},
		"refiner-x4": {Config{Diffusion: cosineV, Network: networks.Config{Name: networks.Residual},
			Predictor: networks.Config{Name: networks.PixelShuffle}, Degradation: degrade.Config{Kernel: degrade.MATLABBicubic},
			Training: TrainingConfig{Precision: nn.BFloat16, ImageSize: 128, BatchSize: 16, LearningRate: 8e-4, WarmUp: 50, Decay: 3500,
				ClipNorm: 1, Seed: 10}}, 3500},
		"refiner-x4-1step": {Config{Diffusion: inOneStep, Network: networks.Config{Name: networks.Residual},
			Predictor: networks.Config{Name: networks.PixelShuffle}, Degradation: degrade.Config{Kernel: degrade.MATLABBicubic},
			Training: TrainingConfig{Precision: nn.BFloat16, ImageSize: 128, BatchSize: 8, LearningRate: 3e-4, Decay: 500, ClipNorm: 1}}, 500},
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

// A file in half precision has half the size. Its weights are off by a rounding at most: by 2^-11 of
// their value, or by float16's least normal number, below which the library rounds to 0.
func TestSaveHalf(t *testing.T) {
	m := newSmall(t, Config{})
	full, half := filepath.Join(t.TempDir(), "full.safetensors"), filepath.Join(t.TempDir(), "half.safetensors")
	if err := firstError(m.Save(full), m.SaveHalf(half)); err != nil {
		t.Fatal(err)
	}
	a, err := os.Stat(full)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.Stat(half)
	if err != nil {
		t.Fatal(err)
	}
	if less, want := a.Size()-b.Size(), int64(2*m.NumParameters()); less < want*99/100 || less > want*101/100 {
		t.Errorf("the files have %d and %d bytes: want about %d less", a.Size(), b.Size(), want)
	}
	again, err := Load(graphtest.Engine(t), half)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range m.weights {
		want, got := graphtest.Float64s(m.variable(w, weightsScope).MustValue()), graphtest.Float64s(again.variable(w, weightsScope).MustValue())
		for i := range want {
			if math.Abs(got[i]-want[i]) > math.Abs(want[i])/2048+6.2e-5 {
				t.Fatalf("%s: %g became %g", w.Name, want[i], got[i])
			}
		}
	}
	if again.Config != m.Config {
		t.Errorf("the configuration is %+v, want %+v", again.Config, m.Config)
	}

	// A number that float16 cannot hold is an error, and no file.
	w := m.weights[0]
	value := tensors.FromShape(w.Shape())
	tensors.MustMutableFlatData(value, func(flat []float32) { flat[0] = 1e5 })
	if err := m.variable(w, weightsScope).SetValue(value); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "large.safetensors")
	if err := m.WithRawWeights().SaveHalf(path); err == nil || !strings.Contains(err.Error(), "too large for float16") {
		t.Errorf("a weight of 1e5: got %v", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a file was written")
	}
}
