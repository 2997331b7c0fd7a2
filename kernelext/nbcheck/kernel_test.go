// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

//go:build kernel

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// These tests need the kernel that `make setup` builds. `make test-notebooks` runs them.

func TestGoodNotebook(t *testing.T) {
	t.Setenv("SRDIFF_KEPT", t.TempDir())
	target := filepath.Join(t.TempDir(), "good.ipynb")
	problems, err := check(t.Context(), "testdata/good.ipynb", target, time.Minute)
	if err != nil || len(problems) > 0 {
		t.Fatal(problems, err)
	}
	data, err := os.ReadFile(target)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"the go engine", "data:image/png;base64,iVBOR", "100/100, took", "drawn at 0.02<",
		"Run this cell", "number: made in", "42"} {
		if !strings.Contains(string(data), want) {
			t.Errorf("no %q in the executed notebook:\n%s", want, data)
		}
	}
}

func TestFailingCells(t *testing.T) {
	target := filepath.Join(t.TempDir(), "failing.ipynb")
	problems, err := check(t.Context(), "testdata/failing.ipynb", target, 2*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"panic: boom", "exit status 3", "fatal words", "cannot use", "Error: no such thing", "interrupt"}
	if len(problems) != len(want) {
		t.Fatalf("%d problems, want %d: %v", len(problems), len(want), problems)
	}
	for i, p := range problems {
		// The first cell is good, and so is the last.
		if p.cell != i+2 || !strings.Contains(p.output, want[i]) {
			t.Errorf("problem %d: %v; want %q in code cell %d", i, p, want[i], i+2)
		}
	}
}
