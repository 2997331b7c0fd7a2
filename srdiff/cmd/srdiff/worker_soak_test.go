// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

//go:build soak

package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The memory of a worker does not grow with its jobs:
//
//	go test -tags soak -run Soak -timeout 1h -v ./srdiff/cmd/srdiff
func TestSoakWorker(t *testing.T) {
	const jobs, some = 2000, 200
	predictor, _ := predictorAndRefiner(t)
	dir := t.TempDir()
	cmd := program("worker", "--engine", "go", "--model", predictor)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for i := range 40 { // of many sizes
		put(t, filepath.Join(dir, fmt.Sprint("in", i, ".png")), 30+3*i)
	}
	go func() {
		defer stdin.Close()
		for i := range jobs {
			switch in := filepath.Join(dir, fmt.Sprint("in", i%40, ".png")); {
			case i%10 == 9:
				fmt.Fprintln(stdin, `{"input":"none.png","output":"out.png"}`)
			default:
				fmt.Fprintln(stdin, line(in, filepath.Join(dir, fmt.Sprint("out", i%400, []string{".png", ".jpg", ".webp"}[i%3])), fmt.Sprintf(`"seed":%d`, i)))
			}
		}
	}()
	var mb []float64
	n := 0
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		if n++; strings.Contains(lines.Text(), `"ok":true`) == (n%10 == 0) {
			t.Fatalf("job %d: %s", n, lines.Text())
		}
		if n%some == 0 {
			mb = append(mb, resident(t, cmd.Process.Pid))
		}
	}
	if err := cmd.Wait(); err != nil || n != jobs {
		t.Fatalf("%d results, %v", n, err)
	}
	t.Logf("resident MB after each %d jobs: %.0f", some, mb)
	if first, last := mb[0], mb[len(mb)-1]; last > 1.25*first {
		t.Errorf("resident memory grew from %.0f MB at %d jobs to %.0f at %d", first, some, last, jobs)
	}
}

// resident is the resident memory of a process in MB.
func resident(t *testing.T, pid int) float64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skip("resident memory is known on Linux only")
	}
	_, line, _ := strings.Cut(string(status), "VmRSS:")
	var kB float64
	if _, err := fmt.Sscanf(line, "%f kB", &kB); err != nil {
		t.Fatal(err)
	}
	return kB / 1000
}
