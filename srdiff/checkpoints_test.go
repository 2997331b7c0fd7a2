// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/srdiff/srlab/srdiff/internal/graphtest"
	"github.com/srdiff/srlab/srdiff/internal/training"
)

// savingEvery has training save so often in one test.
func savingEvery(t *testing.T, d time.Duration) {
	before := saveEvery
	saveEvery = d
	t.Cleanup(func() { saveEvery = before })
}

// weightsOf are a model's numbers, to be compared.
func weightsOf(t *testing.T, m *Model) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "m.safetensors")
	if err := m.Save(path); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// lossesIn reads a run's losses, by step.
func lossesIn(t *testing.T, dir string) (losses []float64) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, MetricsFile))
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(data) {
		var p Progress
		if err := json.Unmarshal(line, &p); err != nil || p.Step != len(losses)+1 {
			t.Fatalf("line %d of the metrics: %s: %v", len(losses)+1, line, err)
		}
		losses = append(losses, p.Loss)
	}
	return losses
}

func TestResumePassesOverDamage(t *testing.T) {
	savingEvery(t, 0)
	straight, dir := t.TempDir(), t.TempDir()
	trainSmall(t, newSmall(t, small), 12, straight)
	trainSmall(t, newSmall(t, small), 8, dir)
	if kept := training.OldCheckpoints(dir); len(kept) != 3 || filepath.Base(kept[2]) != "training-000000006.safetensors" {
		t.Fatalf("kept are %v, want those of steps 8, 7 and 6", kept)
	}
	newest := filepath.Join(dir, TrainingFile)
	data, err := os.ReadFile(newest)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)-10] ^= 1 // of a weight or a moment: all that a reader without checksum would never notice
	if err := os.WriteFile(newest, data, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(dir, "training-000000007.safetensors"), 2000); err != nil {
		t.Fatal(err)
	}
	m, err := Resume(graphtest.Engine(t), dir)
	if err != nil {
		t.Fatal(err)
	}
	if m.Step != 6 || len(m.Damaged) != 3 || !strings.Contains(m.Damaged[0].Error(), "damaged") {
		t.Errorf("resumed at step %d, passing over %v: want step 6 and three", m.Step, m.Damaged)
	}
	trainSmall(t, m, 12, dir)
	if !slices.Equal(lossesIn(t, dir), lossesIn(t, straight)) {
		t.Error("the losses are not those of a run that went through")
	}
	for _, path := range training.OldCheckpoints(dir) {
		if err := os.Truncate(path, 100); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Resume(graphtest.Engine(t), dir); err == nil || !strings.Contains(err.Error(), "nothing to resume") {
		t.Errorf("all damaged: %v", err)
	}
}

// poisoned is waves with one value that is none.
type poisoned struct {
	waves
	at uint64
}

func (p poisoned) Picture(i uint64, dst []float32) error {
	err := p.waves.Picture(i, dst)
	if i == p.at {
		dst[7] = float32(math.NaN())
	}
	return err
}

func TestPoisonedBatch(t *testing.T) {
	dir := t.TempDir()
	m := newSmall(t, small)
	err := m.Train(context.Background(), poisoned{waves{8}, 22}, 12, dir) // in the 6th batch of 4
	if err == nil || !strings.HasPrefix(err.Error(), "picture 22 of waves: a value is NaN") || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v", err)
	}
	old, err := Resume(graphtest.Engine(t), dir)
	if err != nil || old.Step != 5 || m.Step != 5 || weightsOf(t, old) != weightsOf(t, m) {
		t.Errorf("the model is at step %d, what is saved at %v: %v", m.Step, old, err)
	}
}

// However a run ends early, it is saved at its last update, and what was resumed goes on as if
// nothing had happened.
func TestEarlyEndIsSaved(t *testing.T) {
	accumulating := small
	accumulating.Training.Accumulate = 3
	configs := []Config{accumulating, small}
	if testing.Short() { // each run compiles, which takes XLA seconds
		configs = configs[:1]
	}
	for _, c := range configs {
		straight := t.TempDir()
		want := newSmall(t, c)
		trainSmall(t, want, 12, straight)
		last := 8 / want.Config.Training.Accumulate * want.Config.Training.Accumulate
		for name, end := range map[string]func(m *Model, dir string){
			"source": func(m *Model, dir string) {
				if err := m.Train(context.Background(), poisoned{waves{8}, 34}, 12, dir); err == nil || !strings.HasPrefix(err.Error(), "picture 34") {
					t.Errorf("got %v, want the error of the source", err)
				}
			},
			"panic": func(m *Model, dir string) {
				defer func() {
					if p := recover(); p != "mine" {
						t.Errorf("the listener's panic became %v", p)
					}
				}()
				trainSmall(t, m, 12, dir, func(p Progress) {
					if p.Step == 8 {
						panic("mine")
					}
				})
			},
			"context": func(m *Model, dir string) {
				ctx, stop := context.WithCancel(context.Background())
				err := m.Train(ctx, waves{8}, 12, dir, func(p Progress) {
					if p.Step == 7 {
						stop() // noticed after step 8
					}
				})
				if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), fmt.Sprintf("stopped at step %d of 12", last)) {
					t.Errorf("got %v, want that it stopped at step %d", err, last)
				}
			},
		} {
			dir := t.TempDir()
			m := newSmall(t, c)
			end(m, dir)
			old, err := Resume(graphtest.Engine(t), dir)
			if err != nil {
				t.Errorf("%s, accumulating %d: %v", name, c.Training.Accumulate, err)
				continue
			}
			if old.Step != last || m.Step != last {
				t.Errorf("%s, accumulating %d: saved at step %d, the model is at %d, want %d", name, c.Training.Accumulate, old.Step, m.Step, last)
			}
			trainSmall(t, old, 12, dir)
			if !slices.Equal(lossesIn(t, dir), lossesIn(t, straight)) || weightsOf(t, old) != weightsOf(t, want) {
				t.Errorf("%s, accumulating %d: the resumed run is not the one that went through", name, c.Training.Accumulate)
			}
			trainSmall(t, m, 12, "")
			if weightsOf(t, m) != weightsOf(t, want) {
				t.Errorf("%s, accumulating %d: the model that went on is not the one that went through", name, c.Training.Accumulate)
			}
		}
	}
}

func TestDivergence(t *testing.T) {
	savingEvery(t, 0)
	for times, rate := range []float64{0.9, 0.99} {
		dir := t.TempDir()
		m := newSmall(t, small)
		trainSmall(t, m, 5, dir)
		m.Config.Training.LearningRate = rate
		for range 1 + 2*times { // weights that explode, or overflow at once
			for _, w := range m.weights {
				blowUp(t, m.variable(w, weightsScope).MustValue())
			}
		}
		saveEvery = time.Hour // what the first wild step leaves is still finite
		err := m.Train(context.Background(), waves{8}, 40, dir)
		if err == nil || !strings.Contains(err.Error(), "training diverged; all is as it was saved at step 5") || strings.Contains(err.Error(), "\n") {
			t.Fatalf("rate %g: %v", rate, err)
		}
		saveEvery = 0
		old, err := Resume(graphtest.Engine(t), dir)
		if err != nil || old.Step != 5 || m.Step != 5 {
			t.Fatalf("the model is at step %d: %v", m.Step, err)
		}
		old.Config.Training.LearningRate = rate // the rest of the files
		if weightsOf(t, old) != weightsOf(t, m) {
			t.Errorf("rate %g: the model is not as it was saved", rate)
		}
	}
	m := newSmall(t, small)
	m.Config.Training.LearningRate = 0.99
	for _, w := range m.weights {
		blowUp(t, m.variable(w, weightsScope).MustValue())
	}
	if err := m.Train(context.Background(), waves{8}, 40, ""); err == nil || !strings.Contains(err.Error(), "nothing was saved before") {
		t.Errorf("without a folder: %v", err)
	}
}

func TestNotFiniteIsNamed(t *testing.T) {
	m := newSmall(t, small)
	p := m.weights[3]
	v := m.variable(p, weightsScope)
	value, err := v.Value()
	if err != nil {
		t.Fatal(err)
	}
	bad, err := value.Clone()
	if err != nil {
		t.Fatal(err)
	}
	if err := bad.MutableBytes(func(data []byte) { copy(data[len(data)-4:], []byte{0, 0, 0x80, 0x7f}) }); err != nil { // an infinity
		t.Fatal(err)
	}
	if err := v.SetValue(bad); err != nil {
		t.Fatal(err)
	}
	if name, err := m.notFinite(); err != nil || name != p.Name {
		t.Errorf("%q and %v, want %q", name, err, p.Name)
	}
}

// A training run that is killed again and again, at any moment: every start goes on, from what was
// last saved or later, and in the end the losses are bit for bit those of a run that went through.
// SRDIFF_KILLS=200 go test ./srdiff -run Killed -v -timeout 1h
func TestKilled(t *testing.T) {
	const steps = 400
	if dir := os.Getenv("SRDIFF_KILLED_RUN"); dir != "" { // the run
		saveEvery = 20 * time.Millisecond
		m, err := Resume(graphtest.Engine(t), dir)
		if err != nil && strings.Contains(err.Error(), "no such file") {
			m, err = newSmall(t, small), nil
		}
		if err != nil {
			t.Fatal(err)
		}
		fmt.Printf("start %d\n", m.Step)
		trainSmall(t, m, steps, dir, func(p Progress) {
			if p.Saved {
				fmt.Printf("saved %d\n", p.Step)
			}
		})
		return
	}
	kills, err := strconv.Atoi(os.Getenv("SRDIFF_KILLS"))
	if err != nil {
		kills = 4
	}
	straight := t.TempDir()
	trainSmall(t, newSmall(t, small), steps, straight)
	want := lossesIn(t, straight)
	random := rand.New(rand.NewPCG(1, 2))
	runs, dir, saved := 0, t.TempDir(), 0
	for killed := 0; killed < kills || saved > 0; {
		run := exec.Command(os.Args[0], "-test.run=^TestKilled$", "-test.v")
		run.Env = append(os.Environ(), "SRDIFF_KILLED_RUN="+dir)
		var said bytes.Buffer
		run.Stdout, run.Stderr = &said, &said
		if err := run.Start(); err != nil {
			t.Fatal(err)
		}
		if killed < kills {
			time.AfterFunc(time.Duration(random.Int64N(int64(1200*time.Millisecond))), func() { run.Process.Kill() }) // or it has ended
		}
		err := run.Wait()
		if err != nil && run.ProcessState.ExitCode() != -1 { // it was not killed
			t.Fatalf("after %d kills: %v\n%s", killed, err, &said)
		}
		for scanner := bufio.NewScanner(&said); scanner.Scan(); {
			var step int
			if n, _ := fmt.Sscanf(scanner.Text(), "start %d", &step); n == 1 && step < saved {
				t.Fatalf("after %d kills it began at step %d, and %d had been saved", killed, step, saved)
			}
			if n, _ := fmt.Sscanf(scanner.Text(), "saved %d", &step); n == 1 {
				saved = step
			}
		}
		if err != nil {
			killed++
			continue
		}
		if !slices.Equal(lossesIn(t, dir), want) {
			t.Fatal("the losses are not those of a run that went through")
		}
		runs, dir, saved = runs+1, t.TempDir(), 0
	}
	t.Logf("%d kills, %d runs brought to their end, %d steps each", kills, runs, steps)
}
