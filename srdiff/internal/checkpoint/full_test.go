// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package checkpoint

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
)

// full is a disk with so many bytes left.
type full struct {
	w    io.Writer
	left int
}

func (f *full) Write(p []byte) (int, error) {
	if len(p) <= f.left {
		f.left -= len(p)
		return f.w.Write(p)
	}
	n, _ := f.w.Write(p[:f.left])
	f.left = 0
	return n, syscall.ENOSPC
}

// Wherever in a file the disk becomes full, the old file is unchanged, nothing is left beside it,
// and the error names the cause.
func TestFullDisk(t *testing.T) {
	defer func(before func(io.Writer) io.Writer) { onDisk = before }(onDisk)
	dir := t.TempDir()
	path := filepath.Join(dir, "a.safetensors")
	if err := Write(path, sample()); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	other := sample()
	other.Tensors["weight"] = tensors.FromValue(make([]float32, 5000)) // more than a buffer
	whole := false
	for left := 0; !whole; left += 97 {
		onDisk = func(w io.Writer) io.Writer { return &full{w, left} }
		err := Write(path, other)
		if whole = err == nil; whole {
			if left < 20000 {
				t.Errorf("written in %d bytes", left)
			}
			break
		}
		if !errors.Is(err, syscall.ENOSPC) || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), path) {
			t.Fatalf("with %d bytes left: %v", left, err)
		}
		if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
			t.Fatalf("with %d bytes left, the file changed: %v", left, err)
		}
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
			t.Fatalf("with %d bytes left: %v is left behind", left, entries)
		}
	}
}

func TestChecksum(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.safetensors")
	if err := Write(path, sample()); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 8 + int(binary.LittleEndian.Uint64(data)); i < len(data); i++ { // any one bit of what the tensors hold
		data[i] ^= 1 << (i % 8)
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(path); err == nil || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("bit %d of byte %d: %v", i%8, i, err)
		}
		data[i] ^= 1 << (i % 8)
	}
	data = []byte(strings.Replace(string(data), "a test", "a lie!", 1))
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("another text: %v", err)
	}
}
