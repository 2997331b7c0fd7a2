// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package kernelext

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/janpfeifer/gonb/gonbui/protocol"
)

// Of two processes with one folder the second ends with a line that names the first.
func TestKeepFolderInTwoProcesses(t *testing.T) {
	t.Setenv("SRDIFF_KEPT", filepath.Join(t.TempDir(), "kept"))
	t.Setenv(protocol.GONB_PIPE_ENV, "") // Cells on a terminal.
	first := role("folder")
	out, err := first.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = first.Process.Kill()
		_ = first.Wait()
	}()
	lines := bufio.NewScanner(out)
	if !lines.Scan() || lines.Text() != "run: a new folder" || !lines.Scan() {
		t.Fatalf("the first printed %q", lines.Text())
	}
	dir := lines.Text()

	second := role("folder again")
	var stderr bytes.Buffer
	second.Stderr = &stderr
	wantExit1(t, second.Run())
	want := fmt.Sprintf("error: keeping \"run\": its folder %s is in use by process %d: stop that cell, or wait until it ends\n",
		dir, first.Process.Pid)
	if stderr.String() != want {
		t.Errorf("the second printed %q, want %q", stderr.String(), want)
	}
	writeAll(t, dir, "weights")
	if line, err := forget(nil); err != nil || line != fmt.Sprintf("0 forgotten; %s stays, as it is in use by process %d", dir, first.Process.Pid) {
		t.Errorf("%q, %v", line, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "weights")); err != nil {
		t.Error(err)
	}

	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = first.Wait()
	if again, line, err := keepFolder("run", 1); again != dir || line != "run: the folder from before" || err != nil {
		t.Errorf("after the first was killed: %q, %q, %v", again, line, err)
	}
	if line, err := forget(nil); err != nil || line != "1 forgotten" {
		t.Errorf("%q, %v", line, err)
	}
}

// Processes that keep one value at the same time all have it, and leave one sound file.
func TestKeepInManyProcesses(t *testing.T) {
	t.Setenv("SRDIFF_KEPT", filepath.Join(t.TempDir(), "kept"))
	t.Setenv(protocol.GONB_PIPE_ENV, "")
	var cells sync.WaitGroup
	for range 8 {
		cells.Go(func() {
			out, err := role("keep").Output()
			if err != nil || bytes.Count(out, []byte("x")) < 1<<20 {
				t.Errorf("%d bytes, %v", len(out), err)
			}
		})
	}
	cells.Wait()
	_, line, err := keepGob("text", 1, func() (string, error) { return "", errors.New("made again") })
	if err != nil || line != "text: kept from before" {
		t.Errorf("%q, %v", line, err)
	}
	if left, err := os.ReadDir(filepath.Join(keptFolder(), "text")); err != nil || len(left) != 2 {
		t.Errorf("%v, %v: want a value and its manifest", left, err)
	}
}
