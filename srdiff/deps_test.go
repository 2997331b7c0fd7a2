// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"os/exec"
	"strings"
	"testing"
)

// The engine is handed in from outside: the library links no backend, so that a program chooses its
// own.
func TestLibraryImportsNoBackend(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "github.com/srdiff/srlab/srdiff").Output()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(out), "github.com/gomlx/compute\n") {
		t.Fatalf("the list of imports lacks GoMLX: %s", out)
	}
	for _, pkg := range strings.Fields(string(out)) {
		if strings.Contains(pkg, "gobackend") || strings.Contains(pkg, "go-xla") {
			t.Errorf("the library imports %s", pkg)
		}
	}
}
