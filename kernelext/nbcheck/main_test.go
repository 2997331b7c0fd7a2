// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// No notebook is written over another one.
func TestTargets(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{"in", "out", "other"} {
		if err := os.Mkdir(filepath.Join(dir, path), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	in, other := filepath.Join(dir, "in", "a.ipynb"), filepath.Join(dir, "other", "a.ipynb")
	for _, path := range []string{in, other} {
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("in", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		out   string
		paths []string
		want  string
	}{
		{"", []string{in, other}, ""},
		{"out", []string{in}, ""},
		{"new", []string{in}, ""},
		{"in", []string{in}, "over the notebook"},
		{"link", []string{in}, "over the notebook"},
		{"other", []string{in, other}, "over the notebook"},
		{"out", []string{in, other}, "both"},
	} {
		out := test.out
		if out != "" {
			out = filepath.Join(dir, out)
		}
		err := checkTargets(test.paths, out)
		if (err != nil) != (test.want != "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("-out %q: %v, want %q", test.out, err, test.want)
		}
	}
}

// A notebook keeps its mode, and a link stays a link.
func TestWrite(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "a"), filepath.Join(dir, "link")
	if err := os.WriteFile(file, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("a", link); err != nil {
		t.Fatal(err)
	}
	if err := write(link, []byte("new")); err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(link)
	if err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is %v, %v", info, err)
	}
	data, err := os.ReadFile(file)
	if err != nil || string(data) != "new" {
		t.Errorf("the file has %q, %v", data, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 {
		t.Errorf("the mode is %v, %v", info.Mode(), err)
	}
	if err := write(filepath.Join(dir, "sub", "b"), nil); err != nil {
		t.Error(err)
	}
}
