// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"image"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
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
	cmd := exec.Command(os.Args[0], "upscale", "--model", model, "--engine", "go", "--memory", "850MB", in, "-o", out)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	if printed, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, printed)
	}
	peak := cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss * 1024
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
