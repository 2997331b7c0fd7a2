// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// The system's request to end, SIGTERM, saves and stops a training run as an interrupt does.
func TestTerminated(t *testing.T) {
	if args := os.Getenv("SRDIFF_TERMINATED"); args != "" { // the run
		os.Args = strings.Split(args, "|")
		main()
	}
	dir := filepath.Join(t.TempDir(), "run")
	run := exec.Command(os.Args[0], "-test.run=^TestTerminated$")
	run.Env = append(os.Environ(), "SRDIFF_TERMINATED="+strings.Join([]string{"srdiff", "train", "--data", "generated", "--out", dir,
		"--base-channels", "4", "--batch", "2", "--train-steps", "1000000"}, "|"))
	said, err := run.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	sent, last := false, ""
	for lines := bufio.NewScanner(said); lines.Scan(); last = lines.Text() {
		if !sent && strings.HasPrefix(lines.Text(), "step ") {
			sent = true
			if err := run.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
		}
	}
	run.Wait()
	if status := run.ProcessState.ExitCode(); status != interrupted || !strings.Contains(last, "and is saved in "+dir) {
		t.Errorf("status %d, %q: want %d, and that it is saved", status, last, interrupted)
	}
	if _, err := os.Stat(filepath.Join(dir, "training.safetensors")); err != nil {
		t.Error(err)
	}
}
