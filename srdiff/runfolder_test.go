// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/srdiff/srlab/srdiff/internal/graphtest"
)

// filesIn returns the files of a folder with their content.
func filesIn(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		data, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[entry.Name()] = string(data)
	}
	return files
}

// refused checks that training in a folder is refused and leaves all files as they are.
func refused(t *testing.T, m *Model, steps int, dir, want string) {
	t.Helper()
	before := filesIn(t, dir)
	err := m.Train(context.Background(), waves{8}, steps, dir)
	if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), dir) || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v, want one line with %q and the folder", err, want)
	}
	after := filesIn(t, dir)
	for name, data := range before {
		if after[name] != data {
			t.Errorf("%s changed", name)
		}
	}
	if len(after) != len(before) {
		t.Errorf("there are %d files, before %d", len(after), len(before))
	}
}

// Of two runs in one folder the second is refused, and the folder is free after the first, however
// that ends.
func TestTwoTrainings(t *testing.T) {
	dir := t.TempDir()
	first := newSmall(t, small)
	trainSmall(t, first, 2, dir, func(p Progress) {
		if p.Step != 1 {
			return
		}
		second := newSmall(t, small)
		err := second.Train(context.Background(), waves{8}, 2, dir)
		if err == nil || !strings.Contains(err.Error(), "the folder "+dir+" is in use by process") || strings.Contains(err.Error(), "\n") {
			t.Errorf("got %v, want that the folder is in use", err)
		}
	})
	ctx, stop := context.WithCancel(context.Background())
	if err := first.Train(ctx, waves{8}, 8, dir, func(Progress) { stop() }); err == nil {
		t.Error("the run was not stopped")
	}
	trainSmall(t, first, 8, dir)
	if _, err := os.Stat(filepath.Join(dir, lockFile)); err == nil {
		t.Error("the lock was left behind")
	}
}

// Two processes that resume one run: what the first one did since is not lost to the second.
func TestTwoResumes(t *testing.T) {
	dir := t.TempDir()
	trainSmall(t, newSmall(t, small), 2, dir)
	var resumed [2]*Model
	for i := range resumed {
		m, err := Resume(graphtest.Engine(t), dir)
		if err != nil {
			t.Fatal(err)
		}
		resumed[i] = m
	}
	trainSmall(t, resumed[0], 4, dir)
	refused(t, resumed[1], 6, dir, "is at step 4 and this model at step 2: resume it again")
	trainSmall(t, resumed[0], 6, dir)
}

// Only what srdiff wrote for the same run is replaced.
func TestFolderOfAnotherRun(t *testing.T) {
	other := small
	other.Training.Seed++
	held := t.TempDir()
	trainSmall(t, newSmall(t, small), 3, held)
	refused(t, newSmall(t, small), 5, held, "holds a training run at step 3")
	refused(t, newSmall(t, other), 5, held, "holds a training run at step 3")
	further := newSmall(t, other)
	trainSmall(t, further, 4, "")
	refused(t, further, 5, held, "holds another training run, at step 3")

	line := filesIn(t, held)[MetricsFile]
	for name, content := range map[string]string{
		MetricsFile:                      "{\"step\":1,\"loss\":2}\n",
		ModelFile:                        "weights of another program",
		TrainingFile:                     "weights of another program",
		"training-000000007.safetensors": "weights of another program",
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		refused(t, newSmall(t, small), 2, dir, name+" is not of this training run")
		refused(t, further, 6, dir, name+" is not of this training run")
	}
	dir := t.TempDir() // of a run that was never saved
	if err := os.WriteFile(filepath.Join(dir, MetricsFile), []byte(line), 0o644); err != nil {
		t.Fatal(err)
	}
	refused(t, newSmall(t, other), 2, dir, MetricsFile+" is not of this training run")
	slower := small
	slower.Training.LearningRate /= 2
	trainSmall(t, newSmall(t, slower), 2, dir) // the same run begins again
}
