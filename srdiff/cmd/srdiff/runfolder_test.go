// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/srdiff/srlab/srdiff"
	"github.com/srdiff/srlab/srdiff/dataset"
)

// A run does not begin in a folder with foreign files, and leaves them as they are.
func TestForeignFilesInRunFolder(t *testing.T) {
	for name, text := range map[string]string{
		srdiff.MetricsFile:               `{"step": 1, "loss": 2.5}` + "\n",
		srdiff.MetricsFile + " ":         "my notes",
		"samples-000002.png":             "a picture of mine",
		dataFile:                         `{"data": "mine"}`,
		"training-000000005.safetensors": "cut short",
	} {
		for _, more := range [][]string{{}, {"--resume"}} {
			dir := t.TempDir()
			path := filepath.Join(dir, strings.TrimSpace(name))
			if len(more) > 0 { // a run of ours, into which the file has come
				if strings.HasPrefix(name, "training-") {
					continue
				}
				if status, _, errs := command(append(tinyRun, "--out", dir, "--train-steps", "1")...); status != 0 {
					t.Fatal(errs)
				}
			}
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			before := filesIn(t, dir)
			status, _, errs := command(append(append(tinyRun, "--out", dir, "--train-steps", "2"), more...)...)
			if status != 1 || !strings.Contains(errs, filepath.Base(path)) || strings.Count(errs, "\n") != 1 {
				t.Errorf("%s %q: status %d, %q", name, more, status, errs)
			}
			if now, err := os.ReadFile(path); err != nil || string(now) != text {
				t.Errorf("%s %q is now %.50q, %v", name, more, now, err)
			}
			if after := filesIn(t, dir); len(after) != len(before) {
				t.Errorf("%s %q: there are %q", name, more, after)
			}
		}
	}
	// Files of other names are nobody's business, nor are those of a run that was never saved.
	dir := t.TempDir()
	for name, text := range map[string]string{"samples-mine.png": "mine", "data.json": "mine", srdiff.MetricsFile: ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if status, _, errs := command(append(tinyRun, "--out", dir, "--train-steps", "2")...); status != 0 {
		t.Error(errs)
	}
	for _, name := range []string{srdiff.TrainingFile, srdiff.ModelFile} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range olderCheckpoints(dir) {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if status, _, errs := command(append(tinyRun, "--out", dir, "--train-steps", "2")...); status != 0 {
		t.Error(errs)
	}
}

// Flags that are true of the run are taken when it is resumed, and others are refused by name.
func TestResumeFlags(t *testing.T) {
	for name, flags := range map[string][]string{
		"v":         {"--zero-snr", "--prediction", "v", "--kind", "scaled-linear", "--beta-end", "0.03"},
		"attention": {"--network", "tiny", "--attention", "2", "--transformers", "1", "--dropout", "0.1", "--base-channels", "8"},
		"noise":     {"--noise", "0.2", "--blur", "1", "--ema", "off", "--accumulate", "2"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "run")
			run := []string{"train", "--data", "generated", "--base-channels", "4", "--size", "16", "--batch", "2", "--timesteps", "4", "--out", dir}
			if status, _, errs := command(append(append(run, flags...), "--train-steps", "2")...); status != 0 {
				t.Fatal(errs)
			}
			resume := []string{"train", "--data", "generated", "--out", dir, "--resume", "--train-steps", "2"}
			for _, more := range [][]string{flags, flags[:1], flags[len(flags)-2:]} {
				if name == "attention" && len(more) == 1 || name == "noise" && len(more) == 1 {
					more = flags[:2]
				}
				if status, _, errs := command(append(resume, more...)...); status != 0 || !strings.Contains(errs, "nothing to do") {
					t.Errorf("%q: status %d, %q", more, status, errs)
				}
			}
			for flag, value := range map[string]string{"prediction": "x0", "network": "small", "blur": "2", "timesteps": "5", "loss": "l1"} {
				status, _, errs := command(append(resume, "--"+flag, value)...)
				if status != 1 || !strings.Contains(errs, "--"+flag+" is not what the run") || strings.Count(errs, "\n") != 1 {
					t.Errorf("--%s %s: status %d, %q", flag, value, status, errs)
				}
			}
			if status, _, errs := command(append(resume, "--lr", "2")...); status != 1 || !strings.Contains(errs, "learning rate is 2") {
				t.Errorf("--lr 2: status %d, %q", status, errs)
			}
		})
	}
}

// A resumed run keeps its training data, unless --new-data is given.
func TestResumeData(t *testing.T) {
	dir, run := t.TempDir(), filepath.Join(t.TempDir(), "run")
	one, two := filepath.Join(dir, "one"), filepath.Join(dir, "two")
	put(t, filepath.Join(one, "a.png"), 20)
	put(t, filepath.Join(two, "a.png"), 20)
	put(t, filepath.Join(two, "b.png"), 22)
	train := func(steps int, data string, more ...string) (int, string) {
		args := []string{"train", "--base-channels", "4", "--size", "16", "--batch", "2", "--timesteps", "4", "--out", run,
			"--data", data, "--train-steps", fmt.Sprint(steps)}
		status, _, errs := command(append(args, more...)...)
		return status, errs
	}
	if status, errs := train(1, "images:"+one); status != 0 {
		t.Fatal(errs)
	}
	if status, errs := train(2, "images:"+one, "--resume"); status != 0 {
		t.Errorf("the same data: %s", errs)
	}
	for _, data := range []string{"images:" + two, "generated"} {
		before, err := os.ReadFile(filepath.Join(run, srdiff.TrainingFile))
		if err != nil {
			t.Fatal(err)
		}
		if status, errs := train(3, data, "--resume"); status != 1 || !strings.Contains(errs, "add --new-data") ||
			!strings.Contains(errs, "--data images:"+one) {
			t.Errorf("%s: status %d, %q", data, status, errs)
		}
		if now, err := os.ReadFile(filepath.Join(run, srdiff.TrainingFile)); err != nil || !bytes.Equal(now, before) {
			t.Errorf("%s: the run has changed, %v", data, err)
		}
	}
	if status, errs := train(3, "images:"+two, "--resume", "--new-data"); status != 0 {
		t.Error(errs)
	}
	if status, errs := train(4, "images:"+two, "--resume"); status != 0 {
		t.Errorf("the new data: %s", errs)
	}
	if status, errs := train(5, "images:"+one, "--resume"); status != 1 {
		t.Errorf("the old data: status %d, %q", status, errs)
	}
	// A run from before the data was recorded.
	if err := os.Remove(filepath.Join(run, dataFile)); err != nil {
		t.Fatal(err)
	}
	if status, errs := train(5, "images:"+two, "--resume"); status != 0 || !strings.Contains(errs, "has no record of the data") {
		t.Errorf("without a record: status %d, %q", status, errs)
	}
	if status, errs := train(6, "images:"+one, "--resume"); status != 1 {
		t.Errorf("recorded since: status %d, %q", status, errs)
	}
}

// marked is a source with a fingerprint.
type marked struct {
	dataset.Source
	name, print string
}

func (m marked) Name() string        { return m.name }
func (m marked) Fingerprint() string { return m.print }

// The fingerprint decides where there is one: the same pictures elsewhere are the same data.
func TestDataFingerprint(t *testing.T) {
	src, err := dataset.Open(context.Background(), "generated", dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	check := func(name, print string, resumed, mayBeNew bool) error {
		r := dataRecorder{dataRecord: recordOfData("images:x", marked{src, name, print}), dir: dir}
		r.isNew, err = r.check(dir, resumed, mayBeNew, &bytes.Buffer{})
		r.writeOnce()
		return cmp.Or(err, r.err)
	}
	if err := check("7 pictures under a", "p", false, false); err != nil {
		t.Fatal(err)
	}
	if err := check("7 pictures under b", "p", true, false); err != nil {
		t.Errorf("moved: %v", err)
	}
	if err := check("7 pictures under a", "q", true, false); err == nil || !strings.Contains(err.Error(), "other pictures than those that images:x holds now") {
		t.Errorf("changed: %v", err)
	}
	if err := check("7 pictures under a", "q", true, true); err != nil {
		t.Error(err)
	}
	if err := check("7 pictures under a", "p", true, false); err == nil {
		t.Error("the record is not of the new data")
	}
}

// A stage of which only older checkpoints are left is resumed from them.
func TestDistillFromOlderCheckpoint(t *testing.T) {
	out, model := filepath.Join(t.TempDir(), "run"), teacher(t, "v")
	args := []string{"distill", "--model", model, "--data", "generated", "--out", out, "--to", "4", "--from", "8", "--batch", "2", "--train-steps", "3"}
	if status, _, errs := command(args...); status != 0 {
		t.Fatal(errs)
	}
	stage := filepath.Join(out, "steps-0004")
	kept := olderCheckpoints(stage)
	if len(kept) == 0 {
		t.Fatal("no checkpoint was kept")
	}
	before, err := os.ReadFile(filepath.Join(stage, srdiff.MetricsFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(stage, srdiff.TrainingFile)); err != nil {
		t.Fatal(err)
	}
	if status, _, errs := command(append(args, "--resume")...); status != 0 {
		t.Error(errs)
	}
	if now, err := os.ReadFile(filepath.Join(stage, srdiff.MetricsFile)); err != nil || !bytes.Equal(now, before) {
		t.Error("the stage was begun again")
	}
	if now := olderCheckpoints(stage); strings.Join(now, " ") != strings.Join(kept, " ") {
		t.Errorf("the checkpoints are %q, and were %q", now, kept)
	}
	// With other data it is not resumed.
	folder := filepath.Join(t.TempDir(), "pictures")
	put(t, filepath.Join(folder, "a.png"), 20)
	if status, _, errs := command(append(args, "--resume", "--data", "images:"+folder)...); status != 1 || !strings.Contains(errs, "add --new-data") {
		t.Errorf("status %d, %q", status, errs)
	}
}

// The last student replaces neither its teacher nor another model.
func TestDistillKeepsModels(t *testing.T) {
	model, dir := teacher(t, "v"), t.TempDir()
	place := filepath.Join(dir, srdiff.ModelFile)
	if err := os.Link(model, place); err != nil {
		t.Fatal(err)
	}
	for _, from := range []string{model, place, teacher(t, "x0")} {
		for _, more := range [][]string{nil, {"--resume"}} {
			args := append([]string{"distill", "--model", from, "--data", "generated", "--out", dir, "--to", "4", "--engine", "none"}, more...)
			status, _, errs := command(args...)
			if resumed := more != nil && from != model && from != place; status != 1 || !resumed && !strings.Contains(errs, "would replace") {
				t.Errorf("%q: status %d, %q", args, status, errs)
			}
		}
	}
	if left := filesIn(t, dir); len(left) != 1 {
		t.Errorf("there are %q", left)
	}
}

// Results in a folder below the pictures are no training pictures, and results among the pictures
// are refused.
func TestRunWithinItsData(t *testing.T) {
	t.Chdir(t.TempDir())
	put(t, "a.png", 20)
	put(t, "b.png", 20)
	args := []string{"train", "--data", "images:.", "--base-channels", "4", "--size", "16", "--batch", "2", "--timesteps", "4"}
	for steps := range 3 {
		more := []string{"--out", "run", "--train-steps", fmt.Sprint(steps + 1)}
		if steps > 0 {
			more = append(more, "--resume")
		}
		if status, _, errs := command(append(args, more...)...); status != 0 || !strings.Contains(errs, "of the 2 pictures") {
			t.Errorf("step %d: status %d, %q", steps, status, errs)
		}
	}
	if status, _, errs := command(append(args, "--out", ".", "--train-steps", "1")...); status != 1 || !strings.Contains(errs, "among the pictures of .") {
		t.Errorf("status %d, %q", status, errs)
	}
}

// Of two distillations in one folder the second is refused.
func TestTwoDistillations(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	release, err := lockFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lockFolder(dir); err == nil || !strings.Contains(err.Error(), "the folder "+dir+" is in use by process") {
		t.Errorf("got %v, want that the folder is in use", err)
	}
	release()
	if release, err = lockFolder(dir); err != nil {
		t.Fatal(err)
	}
	release()
}
