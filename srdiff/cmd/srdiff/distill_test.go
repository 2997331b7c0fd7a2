// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/srdiff/srlab/srdiff"
	"github.com/srdiff/srlab/srdiff/diffusion"
	"github.com/srdiff/srlab/srdiff/engine"
	"github.com/srdiff/srlab/srdiff/networks"
)

// teacher writes a model with the given prediction and returns its path.
func teacher(t *testing.T, prediction diffusion.Prediction) string {
	t.Helper()
	eng, err := engine.Open("go")
	if err != nil {
		t.Fatal(err)
	}
	m, err := srdiff.NewModel(eng.Backend, srdiff.Config{Diffusion: diffusion.Config{Timesteps: 20, Prediction: prediction}, Network: networks.Config{BaseChannels: 4}, Training: srdiff.TrainingConfig{ImageSize: 16}})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), string(prediction)+".safetensors")
	if err := m.Save(path); err != nil {
		t.Fatal(err)
	}
	return path
}

// A distillation from 16 steps to 4, interrupted in its second student, resumed, and used.
func TestDistill(t *testing.T) {
	compilesMuch(t)
	out, model := filepath.Join(t.TempDir(), "run"), teacher(t, "v")
	args := []string{"distill", "--model", model, "--data", "generated", "--out", out, "--to", "4", "--batch", "2"}
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		for metrics := filepath.Join(out, "steps-0004", srdiff.MetricsFile); ; time.Sleep(5 * time.Millisecond) {
			if info, err := os.Stat(metrics); err == nil && info.Size() > 0 {
				stop()
				return
			}
		}
	}()
	long := append(args, "--train-steps", "300")
	if status, _, errs := commandIn(ctx, long...); status != interrupted || !strings.Contains(errs, "--resume continues from there") {
		t.Fatalf("status %d, %q", status, errs)
	}
	if status, _, errs := command(long...); status != 1 || !strings.Contains(errs, "holds a distillation: add --resume") {
		t.Errorf("a second run in the same folder: status %d, %q", status, errs)
	}
	if status, _, errs := command(append(long, "--resume", "--lr", "1e-3")...); status != 1 || !strings.Contains(errs, "was begun with --batch 2") {
		t.Errorf("resuming with another rate: status %d, %q", status, errs)
	}
	other := append([]string{"distill", "--model", teacher(t, "x0")}, long[3:]...)
	if status, _, errs := command(append(other, "--resume")...); status != 1 || !strings.Contains(errs, "another teacher") {
		t.Errorf("resuming with another teacher: status %d, %q", status, errs)
	}
	if status, _, errs := command(append(long, "--resume")...); status != 0 {
		t.Fatalf("resuming: status %d, %q", status, errs)
	}
	for _, name := range []string{"steps-0008", "steps-0004", "samples-0008.png", "samples-0004.png", srdiff.ModelFile} {
		if _, err := os.Stat(filepath.Join(out, name)); err != nil {
			t.Error(err)
		}
	}
	in := write(t, "in.png", pngOf(scene(4, 4)))
	student := filepath.Join(out, srdiff.ModelFile)
	if status, _, errs := command("upscale", "--model", student, in); status != 0 || !strings.Contains(errs, "4 of 4 steps") {
		t.Errorf("status %d, %q", status, errs)
	}
	if status, _, errs := command("upscale", "--model", student, "--sampling-steps", "8", in); status != 1 ||
		!strings.Contains(errs, "was distilled to 4 steps") || strings.Count(errs, "\n") != 1 {
		t.Errorf("status %d, %q", status, errs)
	}
}

func TestDistillMistakes(t *testing.T) {
	v := teacher(t, "v")
	for want, args := range map[string][]string{
		"the teacher predicts eps":                 {"--model", teacher(t, "eps"), "--to", "1"},
		"trained for regression":                   {"--model", teacher(t, "regression")},
		"halving 12 steps does not give 4":         {"--model", v, "--from", "12"},
		"halving 4 steps does not give 4":          {"--model", v, "--from", "4"},
		"--from is 64: want at most the teacher's": {"--model", v, "--from", "64"},
		"halving 16 steps does not give 16":        {"--model", v, "--to", "16"},
		"nothing to resume":                        {"--model", v, "--resume"},
		"want a number greater than 0":             {"--model", v, "--to", "0"},
	} {
		out := filepath.Join(t.TempDir(), "run")
		status, _, errs := command(append([]string{"distill", "--data", "generated", "--out", out}, args...)...)
		if status != 1 || !strings.Contains(errs, want) || strings.Count(errs, "\n") != 1 {
			t.Errorf("status %d, %q: want one line with %q", status, errs, want)
		}
		if _, err := os.Stat(out); err == nil {
			t.Errorf("%q left files", args)
		}
	}
}
