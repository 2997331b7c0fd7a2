// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"image"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/srdiff/srlab/srdiff"
	"github.com/srdiff/srlab/srdiff/diffusion"
	"github.com/srdiff/srlab/srdiff/networks"
)

// The process stays within --memory for a result that would take more at once: 26 megapixels, whose
// values and pixels alone take 400 MB, before an encoder and the collector's garbage.
func TestPeakMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes some seconds")
	}
	model := tinyOf(t, "predictor", srdiff.Config{Network: networks.Config{Name: networks.PixelShuffle, Blocks: 1},
		Diffusion: diffusion.Config{Prediction: diffusion.Regression}})
	in := write(t, "wide.png", pngOf(scene(4000, 400)))
	out := filepath.Join(t.TempDir(), "out.jpg")
	status := filepath.Join(t.TempDir(), "status")
	cmd := program("upscale", "--model", model, "--engine", "go", "--memory", "850MB", in, "-o", out)
	cmd.Env = append(cmd.Env, keepStatus+"="+status)
	if printed, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, printed)
	}
	peak := peakIn(t, status)
	t.Logf("peak of %d MB", peak/1e6)
	if peak > 850e6 {
		t.Errorf("the process took %d bytes: want at most 850 MB", peak)
	}
	f, err := os.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if config, _, err := image.DecodeConfig(f); err != nil || config.Width != 16000 || config.Height != 1600 {
		t.Errorf("the result: %+v, %v", config, err)
	}
}

// peakIn returns the peak of a process's resident memory in bytes, from its status in /proc.
func peakIn(t *testing.T, path string) int64 {
	t.Helper()
	status, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, line, _ := strings.Cut(string(status), "VmHWM:")
	var kB int64
	if _, err := fmt.Sscanf(line, "%d kB", &kB); err != nil {
		t.Fatal(err)
	}
	return kB * 1024
}
