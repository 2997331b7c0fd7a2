// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package lock

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

func TestMain(m *testing.M) {
	if path := os.Getenv("LOCK_TEST_HOLD"); path != "" {
		hold(path)
		return
	}
	os.Exit(m.Run())
}

// hold holds a lock until its standard input ends.
func hold(path string) {
	if _, err := Acquire(path); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("locked")
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
}

func TestAcquireInOneProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.lock")
	release, err := Acquire(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Acquire(path)
	wantHeld(t, err, os.Getpid())
	release()
	release()
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) > 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
	if release, err = Acquire(path); err != nil {
		t.Fatalf("after its release: %v", err)
	}
	release()
}

// The error names the process that holds the lock, and a killed process holds none.
func TestAcquireOfAnotherProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.lock")
	other := exec.Command(os.Args[0])
	other.Env = append(os.Environ(), "LOCK_TEST_HOLD="+path)
	in, err := other.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "locked\n" {
		t.Fatalf("the other process says %q, %v", line, err)
	}
	_, err = Acquire(path)
	wantHeld(t, err, other.Process.Pid)
	if err := other.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = other.Wait() // "signal: killed"
	release, err := Acquire(path)
	if err != nil {
		t.Fatalf("after the holder was killed: %v", err)
	}
	_, err = Acquire(path)
	wantHeld(t, err, os.Getpid())
	release()
}

func wantHeld(t *testing.T, err error, pid int) {
	t.Helper()
	var held *HeldError
	if !errors.As(err, &held) || held.PID != pid || !strings.Contains(err.Error(), fmt.Sprintf("process %d", pid)) {
		t.Fatalf("error %v, want one that names process %d", err, pid)
	}
}

// Never do two hold the lock, though its file is removed and made again all the time.
func TestAcquireExcludes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.lock")
	var holders, times atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 500 {
				release, err := Acquire(path)
				if err != nil {
					continue
				}
				if n := holders.Add(1); n != 1 {
					t.Errorf("%d hold the lock", n)
				}
				times.Add(1)
				holders.Add(-1)
				release()
			}
		})
	}
	all.Wait()
	if times.Load() < 8 {
		t.Errorf("the lock was taken %d times", times.Load())
	}
}

func TestAcquireErrors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none", "a.lock")
	_, err := Acquire(path)
	if err == nil || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "\n") {
		t.Errorf("in a folder that is missing: %v", err)
	}
}
