// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/srdiff/srlab/"

// dependencies lists the packages that a package of this module imports, directly or not.
func dependencies(t *testing.T, pkg string) []string {
	t.Helper()
	out, err := exec.Command("go", "list", "-deps", module+pkg).Output()
	if err != nil {
		t.Fatal(err)
	}
	list := strings.Fields(string(out))
	if !slices.Contains(list, module+pkg) {
		t.Fatalf("the list of imports lacks %s itself: %s", pkg, out)
	}
	return list
}

// The engine is handed in from outside: the library links no backend, so that a program chooses its
// own.
func TestLibraryImportsNoBackend(t *testing.T) {
	list := dependencies(t, "srdiff")
	if !slices.Contains(list, "github.com/gomlx/compute") {
		t.Fatalf("the list of imports lacks GoMLX: %s", list)
	}
	for _, pkg := range list {
		if strings.Contains(pkg, "gobackend") || strings.Contains(pkg, "go-xla") {
			t.Errorf("the library imports %s", pkg)
		}
	}
}

// Imports go one way: each package imports no others of this module than these.
func TestImportsGoOneWay(t *testing.T) {
	for pkg, allowed := range map[string]string{
		"diffusion":         "",
		"nn":                "",
		"networks":          "nn",
		"degrade":           "nn imaging internal/tiles",
		"internal/tiles":    "imaging",
		"internal/training": "nn degrade imaging dataset internal/download internal/tiles",
	} {
		for _, imported := range dependencies(t, "srdiff/"+pkg) {
			name, ours := strings.CutPrefix(imported, module+"srdiff/")
			if name == "internal/atomicfile" || name == "lock" {
				continue // they know none of this module's packages, and any may use them
			}
			if ours && name != pkg && !slices.Contains(strings.Fields(allowed), name) {
				t.Errorf("%s imports %s: want none but %s", pkg, name, allowed)
			}
		}
	}
}
