// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A request to end drops the job that is made. What has a result line is whole, and nothing else is
// there, though standard input stays open.
func TestWorkerTerminated(t *testing.T) {
	predictor, _ := predictorAndRefiner(t)
	large := write(t, "large.png", pngOf(scene(1000, 2000))) // takes long
	for _, request := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		dir := t.TempDir()
		in := filepath.Join(dir, "in.png")
		put(t, in, 8)
		cmd := program("worker", "--engine", "go", "--model", predictor, "--memory", "1300MB")
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		var messages bytes.Buffer
		cmd.Stderr = &messages
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(stdin, line(in, filepath.Join(dir, "a.png"), ""))
		fmt.Fprintln(stdin, line(large, filepath.Join(dir, "b.png"), ""))
		fmt.Fprintln(stdin, line(in, filepath.Join(dir, "c.png"), ""))
		printed := bufio.NewScanner(stdout)
		if !printed.Scan() || !strings.Contains(printed.Text(), `"ok":true`) {
			t.Fatalf("the first result is %q", printed.Text())
		}
		for began := time.Now(); ; time.Sleep(5 * time.Millisecond) { // until b.png is being written
			entries, err := os.ReadDir(dir)
			if err != nil || time.Since(began) > time.Minute {
				t.Fatalf("no result begins: %v, %v", entries, err)
			}
			if len(entries) > 2 {
				break
			}
		}
		if err := cmd.Process.Signal(request); err != nil {
			t.Fatal(err)
		}
		if printed.Scan() {
			t.Errorf("%v: another result: %q", request, printed.Text())
		}
		cmd.Wait()
		if status := cmd.ProcessState.ExitCode(); status != interrupted ||
			messages.String() != "1 made, 0 there already, 0 failed\nsrdiff: stopped: jobs without a result are to be done again: context canceled\n" {
			t.Errorf("%v: status %d, %q", request, status, messages.String())
		}
		if left := filesIn(t, dir); fmt.Sprint(left) != "[a.png in.png]" {
			t.Errorf("%v: the folder holds %q", request, left)
		}
	}
}
