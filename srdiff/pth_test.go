// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/srdiff/srlab/srdiff/internal/graphtest"
	"github.com/srdiff/srlab/srdiff/networks"
)

// A predictor saved from PyTorch in each of the usual ways, also in half precision, gives the picture
// that it gives there. See testdata/checkpoints.py.
func TestPyTorchCheckpoints(t *testing.T) {
	golden := graphtest.Golden(t, filepath.Join("testdata", "checkpoints.safetensors"))
	low, err := Pictures(golden["low"])
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join("testdata", "predictor*.pth"))
	if err != nil || len(files) != len(golden)-1 {
		t.Fatalf("%d files for %d goldens: %v", len(files), len(golden)-1, err)
	}
	for _, path := range files {
		name := strings.TrimSuffix(filepath.Base(path), ".pth")
		c, err := ReadConfig(path)
		if err != nil {
			t.Fatal(err)
		}
		want := networks.Config{Name: networks.PixelShuffle, BaseChannels: 8, Blocks: 2}.WithDefaults()
		if c.Factor != 3 || c.Network != want {
			t.Errorf("%s: factor %d, network %+v: want 3, %+v", name, c.Factor, c.Network, want)
		}
		m, err := Load(graphtest.Engine(t), path)
		if err != nil {
			t.Fatal(err)
		}
		result, err := m.Sample(t.Context(), SampleOptions{}, low[0])
		if err != nil {
			t.Fatal(err)
		}
		got, err := Tensor(result[0])
		if err != nil {
			t.Fatal(err)
		}
		graphtest.Same(t, name, got, golden[name], 1e-5)
		other, err := NewModel(graphtest.Engine(t), tinyPredictor(3))
		if err != nil {
			t.Fatal(err)
		}
		if taken, err := other.InitFrom(path); err != nil || taken == 0 {
			t.Errorf("%s: InitFrom took %d weights: %v", name, taken, err)
		}
	}
}

// What is no state_dict is refused in one line that names the file and what to do.
func TestRefusedCheckpoints(t *testing.T) {
	for name, want := range map[string]string{
		"module":  `it calls "__main__.Predictor", and srdiff runs no code of a file: in Python, save the tensors alone: torch.save(model.state_dict()`,
		"float64": "it holds a tensor in torch.DoubleStorage: want float32, float16, bfloat16 or int64",
		"empty":   "it holds no state_dict, neither itself nor under params_ema",
		"tensor":  "it holds no dictionary of tensors",
		"legacy":  "a PyTorch file (.pth) of before 1.6: save it again in Python: torch.save(torch.load(",
		"script":  "a TorchScript file, which holds a program",
	} {
		path := filepath.Join("testdata", "refused-"+name+".pth")
		_, err := Load(graphtest.Engine(t), path)
		if err == nil || !strings.HasPrefix(err.Error(), path+": ") || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v, want %q", name, err, want)
		}
	}
}
