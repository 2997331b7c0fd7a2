// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A predictor from PyTorch becomes an ONNX file, which is replaced only where that is asked for.
func TestExport(t *testing.T) {
	model := filepath.Join("..", "..", "testdata", "predictor.pth")
	path := filepath.Join(t.TempDir(), "x3.onnx")
	args := []string{"export", "--model", model, "--onnx", path}
	if status, out, errs := command(args...); status != 0 || out != path+"\n" {
		t.Fatalf("status %d, %q, %q", status, out, errs)
	}
	if err := os.WriteFile(path, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	if status, _, errs := command(args...); status != 1 || !strings.Contains(errs, path+" is there: give another name, or --overwrite") {
		t.Errorf("status %d, %q", status, errs)
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != "mine" {
		t.Errorf("the file was replaced: %v", err)
	}
	if status, _, errs := command(append(args, "--overwrite")...); status != 0 {
		t.Errorf("status %d, %q", status, errs)
	}
	if status, _, errs := command("export", "--model", model, "--onnx", filepath.Dir(path)); status != 1 || !strings.Contains(errs, "ends in .onnx") {
		t.Errorf("status %d, %q", status, errs)
	}
}
