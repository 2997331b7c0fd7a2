// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package checkpoint

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Each model that comes with the project has the checksum that SHA256SUMS, in the format of
// sha256sum, says, and can be read.
func TestShippedModels(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "notebooks", "models")
	sums := readSums(t, filepath.Join(dir, "SHA256SUMS"))
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		name := entry.Name()
		if name == "SHA256SUMS" || slices.Contains([]string{".md", ".go"}, filepath.Ext(name)) {
			continue
		}
		path := filepath.Join(dir, name)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%x", sha256.Sum256(data)); got != sums[name] {
			t.Errorf("%s has SHA-256 %s, SHA256SUMS says %q: in its folder, run sha256sum *.safetensors > SHA256SUMS", path, got, sums[name])
		}
		delete(sums, name)
		if _, err := Read(path); err != nil {
			t.Error(err)
		}
	}
	for name := range sums {
		t.Errorf("%s is in SHA256SUMS and not in %s", name, dir)
	}
}

func readSums(t *testing.T, path string) map[string]string {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	sums := map[string]string{}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		sum, name, found := strings.Cut(lines.Text(), "  ")
		if !found || len(sum) != 64 {
			t.Errorf("%s: line %q is not that of sha256sum", path, lines.Text())
		}
		sums[name] = sum
	}
	if err := lines.Err(); err != nil || len(sums) == 0 {
		t.Fatalf("%s: %d lines, %v", path, len(sums), err)
	}
	return sums
}
