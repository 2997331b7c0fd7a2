// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/srdiff/srlab/srdiff"
)

// longRun is a training that does not end by itself.
func longRun(dir string) *exec.Cmd {
	return program("train", "--data", "generated", "--out", dir, "--base-channels", "4", "--batch", "2", "--train-steps", "1000000")
}

// The system's requests to end save and stop a training run as an interrupt does; a terminal that
// closes sends its more than once.
func TestTerminated(t *testing.T) {
	for _, request := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(request.String(), func(t *testing.T) {
			if signal.Ignored(request) { // by nohup, as TestHangupIgnored has it
				t.Skip("the tests run where this signal is ignored, and so would the program")
			}
			dir := filepath.Join(t.TempDir(), "run")
			run := longRun(dir)
			messageLines, err := run.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := run.Start(); err != nil {
				t.Fatal(err)
			}
			sent, last := false, ""
			for lines := bufio.NewScanner(messageLines); lines.Scan(); last = lines.Text() {
				if sent || !strings.HasPrefix(lines.Text(), "step ") {
					continue
				}
				sent = true
				if err := run.Process.Signal(request); err != nil {
					t.Fatal(err)
				}
				if request == syscall.SIGHUP {
					time.Sleep(20 * time.Millisecond)
					run.Process.Signal(request)
				}
			}
			run.Wait()
			if status := run.ProcessState.ExitCode(); status != interrupted || !strings.Contains(last, "and is saved in "+dir) {
				t.Errorf("status %d, %q: want %d, and that it is saved", status, last, interrupted)
			}
			if _, err := os.Stat(filepath.Join(dir, srdiff.TrainingFile)); err != nil {
				t.Error(err)
			}
		})
	}
}

// Under nohup, a terminal that closes does not end the run.
func TestHangupIgnored(t *testing.T) {
	signal.Ignore(syscall.SIGHUP) // the program inherits this
	defer signal.Reset(syscall.SIGHUP)
	dir := filepath.Join(t.TempDir(), "run")
	run := longRun(dir)
	messageLines, err := run.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	go io.Copy(io.Discard, messageLines)
	wait(t, filepath.Join(dir, srdiff.MetricsFile))
	removeUnsaved := make(chan struct{})
	go func() { run.Wait(); close(removeUnsaved) }()
	if err := run.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	select {
	case <-removeUnsaved:
		t.Errorf("ended: %v", run.ProcessState)
	case <-time.After(500 * time.Millisecond):
		run.Process.Signal(syscall.SIGTERM)
		<-removeUnsaved
	}
	if status := run.ProcessState.ExitCode(); status != interrupted {
		t.Errorf("status %d", status)
	}
}

// wait waits for a file.
func wait(t *testing.T, path string) {
	t.Helper()
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(path); err == nil {
			return
		}
		if time.Since(began) > time.Minute {
			t.Fatalf("%s does not come", path)
		}
	}
}

// A run whose messages nobody reads any more is saved and ends, as after an interrupt.
func TestReaderGone(t *testing.T) {
	for name, both := range map[string]bool{"messages": false, "messages and results": true} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "run")
			run := longRun(dir)
			read, write, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			run.Stderr = write
			if both {
				run.Stdout = write
			}
			if err := run.Start(); err != nil {
				t.Fatal(err)
			}
			write.Close()
			lines := bufio.NewScanner(read)
			for range 4 { // as head -4
				lines.Scan()
			}
			read.Close()
			run.Wait()
			if status := run.ProcessState.ExitCode(); status != 1 {
				t.Errorf("ended by %v, want status 1", run.ProcessState)
			}
			if _, err := os.Stat(filepath.Join(dir, srdiff.TrainingFile)); err != nil {
				t.Error(err)
			}
		})
	}
}

// A closed pipe of messages does not stop an upscale.
func TestResultsWithoutReader(t *testing.T) {
	model, dir := tiny(t), t.TempDir()
	t.Chdir(dir)
	names := []string{"a.png", "b.png", "c.png"}
	for _, name := range names {
		put(t, name, 8)
	}
	for out, closed := range map[string]string{"1": "out", "2": "err"} {
		cmd := program(append([]string{"upscale", "--model", model, "-o", out, "--engine", "go"}, names...)...)
		read, write, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		read.Close()
		var messageLines bytes.Buffer
		want := 0
		if closed == "out" {
			cmd.Stdout, cmd.Stderr, want = write, &messageLines, 1
		} else {
			cmd.Stderr = write
		}
		err = cmd.Run()
		write.Close()
		if status := cmd.ProcessState.ExitCode(); status != want {
			t.Errorf("nobody reads standard %s: %v, %q", closed, err, messageLines.String())
		}
		if got := filesIn(t, out); len(got) != 3 {
			t.Errorf("nobody reads standard %s: made %q", closed, got)
		}
		if closed == "out" && !strings.HasSuffix(messageLines.String(), "\n3 made, 0 there already, 0 failed\n") {
			t.Errorf("said %q", messageLines.String())
		}
	}
}

// Messages that cannot be written, for another reason, do not end a training.
func TestMessagesLost(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer full.Close()
	dir := filepath.Join(t.TempDir(), "run")
	run := program(append(tinyRun, "--out", dir, "--train-steps", "3")...)
	run.Stderr = full
	if err := run.Run(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "samples-000003.png")); err != nil {
		t.Error(err)
	}
}
