// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package imaging

import (
	"bytes"
	"image"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWritePNG(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "a picture.png")
	for _, size := range []int{1, 9} { // The second one replaces the first.
		want := pattern(size, size).Image()
		if err := WritePNG(path, want); err != nil {
			t.Fatal(err)
		}
		img, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := FromImage(img).Image(); !bytes.Equal(got.Pix, want.Pix) {
			t.Errorf("%dx%d: other pixels came back", size, size)
		}
	}
	onlyFile(t, folder, "a picture.png")
}

func TestWritePNGErrors(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "old.png")
	if err := os.WriteFile(file, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	good := New(1, 1).Image()
	for _, test := range []struct {
		name, path string
		img        image.Image
		want       string
	}{
		{"missing folder", filepath.Join(folder, "no", "a.png"), good, "folder " + filepath.Join(folder, "no") + ": no such"},
		{"file as folder", filepath.Join(file, "a.png"), good, "folder " + file + ": not a directory"},
		{"folder as file", folder, good, "it is a folder"},
		{"encoder fails", file, New(0, 0).Image(), "invalid image size: 0x0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := WritePNG(test.path, test.img)
			if err == nil {
				t.Fatal("no error")
			}
			oneLine(t, err, test.path)
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %q lacks %q", err, test.want)
			}
		})
	}
	onlyFile(t, folder, "old.png")
	if data, err := os.ReadFile(file); err != nil || string(data) != "old" {
		t.Errorf("the old file holds %q, %v", data, err)
	}
}

func TestCauseHidesTheHiddenFile(t *testing.T) {
	pathError := &fs.PathError{Op: "write", Path: ".a.png123", Err: fs.ErrPermission}
	linkError := &os.LinkError{Op: "rename", Old: ".a.png123", New: "a.png", Err: fs.ErrPermission}
	for _, err := range []error{pathError, linkError} {
		if got := cause(err); got != fs.ErrPermission {
			t.Errorf("%v becomes %v", err, got)
		}
	}
}

// onlyFile checks that a folder holds one file and no leftovers.
func onlyFile(t *testing.T, folder, name string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 || entries[0].Name() != name {
		t.Errorf("the folder holds %v, want only %s", entries, name)
	}
}

// oneLine checks that an error is one line that names the file once.
func oneLine(t *testing.T, err error, path string) {
	t.Helper()
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("error of several lines: %q", err)
	}
	if n := strings.Count(err.Error(), path); n != 1 && filepath.Dir(path) != "." {
		t.Errorf("error names the file %d times: %q", n, err)
	}
}
