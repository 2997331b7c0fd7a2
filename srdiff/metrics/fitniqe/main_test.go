// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/srdiff/srlab/srdiff/imaging"
	"github.com/srdiff/srlab/srdiff/metrics"
)

// The file holds a model by which a picture like the fitted ones is more natural than another.
func TestRun(t *testing.T) {
	folder := t.TempDir()
	rng := rand.New(rand.NewPCG(1, 2))
	noise := imaging.New(672, 672)
	for i := range noise.Pix {
		noise.Pix[i] = float32(rng.NormFloat64() / 4)
	}
	if err := imaging.WritePNG(filepath.Join(folder, "noise.PNG"), noise.Image()); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(folder, "niqe.json")
	if err := run(folder, out); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	var m metrics.NIQEModel
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	if m.Pictures != 1 || m.Blocks != 49 {
		t.Errorf("%d blocks of %d pictures, want 49 of 1", m.Blocks, m.Pictures)
	}
	same, err1 := m.NIQE(noise)
	other, err2 := m.NIQE(imaging.Shrink(noise, "area", 672, 672, 1))
	if err1 != nil || err2 != nil || !(same < 1e-3) || !(other > 1) {
		t.Errorf("NIQE is %v (%v) and %v blurred (%v)", same, err1, other, err2)
	}
}

func TestRunRefuses(t *testing.T) {
	folder := t.TempDir()
	out := filepath.Join(folder, "niqe.json")
	if err := run(folder, out); err == nil || !strings.Contains(err.Error(), "0 sharp blocks") {
		t.Errorf("no pictures: %v", err)
	}
	if err := os.WriteFile(filepath.Join(folder, "a.jpg"), []byte("<html>"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := run(folder, out); err == nil || !strings.Contains(err.Error(), "a.jpg") {
		t.Errorf("a damaged picture: %v", err)
	}
	if _, err := os.Stat(out); !os.IsNotExist(err) {
		t.Errorf("a file was written: %v", err)
	}
}
