// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/srdiff/srlab/srdiff/internal/worker"
	"golang.org/x/sys/unix"
)

// A folder that cannot be read is named, and the others are used; a folder that cannot be written
// to is refused.
func TestFoldersWithoutPermission(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "a.png"), 4)
	put(t, filepath.Join(dir, "closed", "b.png"), 4)
	if err := os.Chmod(filepath.Join(dir, "closed"), 0); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(filepath.Join(dir, "closed"), 0o755)
	result := make(chan *inputs)
	var written error
	go func() {
		runtime.LockOSThread() // for ever: the thread ends with its user
		if os.Getuid() == 0 {
			unix.Setfsuid(65534)
		}
		in, err := findInputs([]string{dir}, "out")
		if err != nil {
			t.Error(err)
		}
		_, written = newDestinations().at("/")
		result <- in
	}()
	in := <-result
	if in == nil || len(in.tasks) != 1 || len(in.failed) != 1 || !strings.Contains(in.failed[0].Error(), "closed cannot be read: permission denied") {
		t.Errorf("got %+v", in)
	}
	if written == nil || !strings.Contains(written.Error(), "nothing can be written to the folder /: ") {
		t.Errorf("writing to /: %v", written)
	}
}

// A pipe in the place of a worker's result is refused, and the worker does not wait for its other end.
func TestWorkerResultIsPipe(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out.png")
	if err := unix.Mkfifo(out, 0o666); err != nil {
		t.Fatal(err)
	}
	r := worked(t, []string{"--model", tiny(t)}, line(write(t, "in.png", pngOf(scene(4, 4))), out, ""))[0]
	if r.OK || r.Kind != worker.Write || !strings.Contains(r.Error, "not a regular file") {
		t.Errorf("%+v", r)
	}
}
