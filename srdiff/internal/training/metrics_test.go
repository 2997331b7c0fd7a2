// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package training

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A full disk is reported, and training goes on as long as the model itself can be saved.
func TestMetricsOnFullDisk(t *testing.T) {
	file, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	m := &Metrics{file: file, w: bufio.NewWriter(file)}
	m.Write(MetricsLine{Step: 1}, false)
	m.Write(MetricsLine{Step: 2}, true)
	m.Write(MetricsLine{Step: 3}, false)
	if err := m.Close(); !errors.Is(err, syscall.ENOSPC) || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v", err)
	}
}

// cutBack returns what a metrics file becomes when a run goes on after the given step and writes
// one line.
func cutBack(t *testing.T, path string, old []byte, step int, p MetricsLine) []byte {
	t.Helper()
	if err := os.WriteFile(path, old, 0o644); err != nil {
		t.Fatal(err)
	}
	metrics, err := OpenMetrics(path, step, map[string]string{"engine": "test"})
	if err != nil {
		t.Fatal(err)
	}
	metrics.Write(p, false)
	if err := metrics.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// A run that died after its last save left metrics of steps that the resumed run takes again.
func TestMetricsAreCutBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "metrics.jsonl")
	old := "{\"step\":1,\"loss\":1}\n{\"step\":2,\"loss\":1}\n{\"step\":3,\"lo"
	got := cutBack(t, path, []byte(old), 1, MetricsLine{Step: 2, Loss: 0.5})
	want := "{\"step\":1,\"loss\":1}\n{\"step\":2,\"loss\":0.5,\"images_per_second\":0,\"made_by\":{"
	if !strings.HasPrefix(string(got), want) || bytes.Count(got, []byte("\n")) != 2 {
		t.Errorf("got %q, want two lines that begin with %q", got, want)
	}
}

// FuzzMetrics resumes beside any metrics file: what stays are whole lines of the steps up to that
// one.
func FuzzMetrics(f *testing.F) {
	f.Add([]byte("{\"step\":1,\"loss\":1}\n{\"step\":2,\"loss\":1}\n{\"step\":3,\"lo"), 1)
	f.Add([]byte("{\"step\":1,\"loss\":1}"), 1) // cut short by one byte, and whole all the same
	f.Add([]byte("\n\n[]\nnull\n{\"step\":1e99}\n"), 3)
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte, step int) {
		path := filepath.Join(dir, "metrics.jsonl")
		kept := cutBack(t, path, data, step, MetricsLine{Step: 5, Loss: 1})
		lines := bytes.SplitAfter(kept, []byte("\n"))
		for _, line := range lines[:len(lines)-2] {
			var p MetricsLine
			if err := json.Unmarshal(line, &p); err != nil || p.Step > step {
				t.Errorf("%q was kept at step %d", line, step)
			}
		}
		var p MetricsLine
		if err := json.Unmarshal(lines[len(lines)-2], &p); err != nil || p.Step != 5 {
			t.Errorf("the new line is %q", lines[len(lines)-2])
		}
	})
}
