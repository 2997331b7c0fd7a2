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

// The process stays within --memory for results that would take more at once: 26 megapixels of a
// predictor, whose values and pixels alone take 400 MB before an encoder and the collector's
// garbage, and 13 of a refiner, which holds the values of all its steps.
func TestPeakMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes some seconds")
	}
	predictor := srdiff.Config{Network: networks.Config{Name: networks.PixelShuffle, BaseChannels: 8, Blocks: 1},
		Diffusion: diffusion.Config{Prediction: diffusion.Regression}}
	refiner := srdiff.Config{Network: networks.Config{Name: networks.Residual, BaseChannels: 8, Blocks: 1}, Predictor: predictor.Network,
		Diffusion: diffusion.Config{Prediction: diffusion.PredictV, Timesteps: 4}}
	for name, c := range map[string]struct {
		config srdiff.Config
		height int
		memory int64 // MB
		args   []string
	}{
		"predictor": {predictor, 400, 850, nil},
		"refiner":   {refiner, 200, 750, []string{"--sampling-steps", "2"}},
	} {
		model := tinyOf(t, name, c.config)
		in := write(t, "wide.png", pngOf(scene(4000, c.height)))
		out := filepath.Join(t.TempDir(), "out.jpg")
		status := filepath.Join(t.TempDir(), "status")
		args := []string{"upscale", "--model", model, "--engine", "go", "--memory", fmt.Sprintf("%dMB", c.memory), in, "-o", out}
		cmd := program(append(args, c.args...)...)
		cmd.Env = append(cmd.Env, keepStatus+"="+status)
		if printed, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", name, err, printed)
		}
		peak := peakIn(t, status)
		t.Logf("%s: peak of %d MB", name, peak/1e6)
		if peak > c.memory*1e6 {
			t.Errorf("%s: the process took %d bytes: want at most %d MB", name, peak, c.memory)
		}
		f, err := os.Open(out)
		if err != nil {
			t.Fatal(err)
		}
		config, _, err := image.DecodeConfig(f)
		f.Close()
		if err != nil || config.Width != 16000 || config.Height != 4*c.height {
			t.Errorf("%s: the result: %+v, %v", name, config, err)
		}
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

// A worker stays within --memory too, with several such pictures on their way at once, and one that it
// makes alone.
func TestWorkerPeakMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes some seconds")
	}
	const memory = 1300 // MB
	model := tinyOf(t, "predictor", srdiff.Config{Network: networks.Config{Name: networks.PixelShuffle, BaseChannels: 8, Blocks: 1},
		Diffusion: diffusion.Config{Prediction: diffusion.Regression}})
	in := write(t, "wide.png", pngOf(scene(3000, 300)))
	status, dir := filepath.Join(t.TempDir(), "status"), t.TempDir()
	var jobs []string
	for i, end := range []string{".png", ".webp", ".jpg"} {
		jobs = append(jobs, line(in, filepath.Join(dir, fmt.Sprint(i, end)), ""))
	}
	cmd := program("worker", "--model", model, "--engine", "go", "--memory", fmt.Sprintf("%dMB", memory))
	cmd.Env = append(cmd.Env, keepStatus+"="+status)
	cmd.Stdin = strings.NewReader(strings.Join(jobs, "\n"))
	printed, err := cmd.CombinedOutput()
	if err != nil || strings.Count(string(printed), `"ok":true`) != len(jobs) {
		t.Fatalf("%v: %s", err, printed)
	}
	peak := peakIn(t, status)
	t.Logf("peak of %d MB", peak/1e6)
	if peak > memory*1e6 {
		t.Errorf("the process took %d bytes: want at most %d MB", peak, memory)
	}
}
