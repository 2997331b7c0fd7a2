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

// A model in half precision is a model like the whole one.
func TestExportHalf(t *testing.T) {
	model := filepath.Join("..", "..", "testdata", "predictor.pth")
	path := filepath.Join(t.TempDir(), "half.safetensors")
	if status, out, errs := command("export", "--model", model, "--half", path); status != 0 || out != path+"\n" {
		t.Fatalf("status %d, %q, %q", status, out, errs)
	}
	again := filepath.Join(t.TempDir(), "again.safetensors")
	if status, _, errs := command("export", "--model", path, "--half", again); status != 0 {
		t.Fatalf("status %d, %q", status, errs)
	}
	a, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(again); err != nil || string(a) != string(b) {
		t.Errorf("a second time gives another file: %v", err)
	}
	for want, args := range map[string][]string{
		"ends in .safetensors":  {"--half", "half.bin"},
		"is there":              {"--half", path},
		"[onnx half]":           {"--half", "a.safetensors", "--onnx", "a.onnx"},
		"missing [share]":       {"--half", "a.safetensors", "--mix", path},
		"from 0 to 1":           {"--half", "a.safetensors", "--mix", path, "--share", "2"},
		"--mix photo":           {"--half", "a.safetensors", "--mix", "photo", "--share", "0.5"},
		"[half sampling-steps]": {"--half", "a.safetensors", "--sampling-steps", "4"},
	} {
		if status, _, errs := command(append([]string{"export", "--model", model}, args...)...); status != 1 || !strings.Contains(errs, want) {
			t.Errorf("%v: status %d, %q: want %q", args, status, errs, want)
		}
	}
}
