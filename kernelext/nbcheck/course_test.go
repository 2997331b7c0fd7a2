// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// mostBytes bounds a committed notebook, so that a reader's viewer opens it at once.
const mostBytes = 1_000_000

// nestedMust is an error check within another one, which hides what failed.
var nestedMust = regexp.MustCompile(`Must\([^\n]*Must\(`)

// The committed notebooks were executed from the first cell to the last without a failure. They are
// small, and each ends with exercises whose answers are hidden.
func TestCourse(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join("..", "..", "notebooks", "*.ipynb"))
	if err != nil || len(paths) < 9 {
		t.Fatalf("%d notebooks, want at least 9: %v", len(paths), err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if len(data) > mostBytes {
				t.Errorf("the file has %d bytes, want at most %d", len(data), mostBytes)
			}
			nb, err := parse(data)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range nb.problems() {
				t.Error(p)
			}
			for i, cell := range nb.codeCells() {
				if nestedMust.MatchString(text(cell["source"])) {
					t.Errorf("code cell %d has a Must within a Must", i+1)
				}
			}
			if !endsWithAnswers(nb) {
				t.Error("want a section \"Exercises\" with hidden answers, and a cell that computes one after it")
			}
		})
	}
}

// endsWithAnswers reports whether a section of exercises with hidden answers is followed by code.
func endsWithAnswers(nb notebook) bool {
	cells := nb["cells"].([]any)
	for i, c := range cells {
		words := text(object(c)["source"])
		if strings.Contains(words, "## Exercises") && strings.Contains(words, "<details>") {
			return i+1 < len(cells) && object(cells[i+1])["cell_type"] == "code"
		}
	}
	return false
}
