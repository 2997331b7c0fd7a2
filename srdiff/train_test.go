// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/srdiff/srlab/srdiff/checkpoint"
	"github.com/srdiff/srlab/srdiff/diffusion"
	"github.com/srdiff/srlab/srdiff/internal/graphtest"
	"github.com/srdiff/srlab/srdiff/networks"
)

// waves is a source of smooth pictures, each with a phase of its own.
type waves struct{ size int }

func (w waves) Name() string { return "waves" }
func (w waves) Size() int    { return w.size }
func (w waves) Picture(i uint64, dst []float32) error {
	for n := range dst {
		row, column, channel := n/3/w.size, n/3%w.size, n%3
		dst[n] = float32(math.Sin(float64(i)*1.7+0.4*float64(row)+0.3*float64(column)+float64(channel))) * 0.8
	}
	return nil
}

// small is a configuration that trains in a moment.
var small = Config{Network: networks.Config{BaseChannels: 4}, Training: TrainingConfig{ImageSize: 8, BatchSize: 4, LearningRate: 5e-3, Seed: 11}, Diffusion: diffusion.Config{Timesteps: 100, BetaEnd: 0.1}}

func trainSmall(t *testing.T, m *Model, steps int, dir string, on ...func(Progress)) {
	t.Helper()
	if err := m.Train(context.Background(), waves{8}, steps, dir, on...); err != nil {
		t.Fatal(err)
	}
}

func newSmall(t *testing.T, c Config) *Model {
	t.Helper()
	m, err := NewModel(graphtest.Engine(t), c)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// The whole path on a tiny model: train, follow the loss, measure on other pictures, save, load,
// sample.
func TestTrainEndToEnd(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "run")
	m := newSmall(t, small)
	ctx := context.Background()
	before, err := m.NoiseError(ctx, waves{8}, 8, 1)
	if err != nil {
		t.Fatal(err)
	}
	var losses []float64
	var last Progress
	trainSmall(t, m, 300, dir, func(p Progress) { losses, last = append(losses, p.Loss), p })
	if len(losses) != 300 || last.Step != 300 || last.Steps != 300 || !last.Saved || last.Left != 0 {
		t.Errorf("%d losses, last progress %+v", len(losses), last)
	}
	if first, end := mean(losses[:30]), mean(losses[270:]); !(end < 0.8*first) {
		t.Errorf("the loss went from %.3f to %.3f: want it to fall", first, end)
	}
	after, err := m.NoiseError(ctx, waves{8}, 8, 1)
	if err != nil {
		t.Fatal(err)
	}
	if !(after < 0.8*before) {
		t.Errorf("the noise error went from %.3f to %.3f: want it to fall", before, after)
	}

	loaded, err := Load(graphtest.Engine(t), filepath.Join(dir, ModelFile))
	if err != nil {
		t.Fatal(err)
	}
	if loaded.Step != 300 || loaded.Config != m.Config {
		t.Errorf("loaded %+v at step %d", loaded.Config, loaded.Step)
	}
	want, err := m.Sample(ctx, SampleOptions{Seed: 1}, low(2, 2))
	if err != nil {
		t.Fatal(err)
	}
	got, err := loaded.Sample(ctx, SampleOptions{Seed: 1}, low(2, 2))
	if err != nil {
		t.Fatal(err)
	}
	if !equal(got[0], want[0]) {
		t.Error("the loaded model samples another picture than the trained one")
	}
	lines, err := os.ReadFile(filepath.Join(dir, MetricsFile))
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(lines, []byte("\n")); n != 300 || !bytes.HasPrefix(lines, []byte(`{"step":1,"loss":`)) {
		t.Errorf("%d lines of metrics, the first of them %.40s", n, lines)
	}
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

// Stopped at a step, saved, resumed: the weights are those of a run that was never stopped.
func TestResumeIsExact(t *testing.T) {
	straight, stopped := t.TempDir(), t.TempDir()
	trainSmall(t, newSmall(t, small), 12, straight)

	ctx, stop := context.WithCancel(context.Background())
	err := newSmall(t, small).Train(ctx, waves{8}, 12, stopped, func(p Progress) {
		if p.Step == 5 {
			stop() // noticed after step 6
		}
	})
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "stopped at step") {
		t.Errorf("got %v", err)
	}
	m, err := Resume(graphtest.Engine(t), stopped)
	if err != nil {
		t.Fatal(err)
	}
	if m.Step < 5 || m.Step > 6 {
		t.Errorf("resumed at step %d, want 5 or 6", m.Step)
	}
	stoppedAt := m.Step
	trainSmall(t, m, 12, stopped)

	a, err := checkpoint.Read(filepath.Join(straight, TrainingFile))
	if err != nil {
		t.Fatal(err)
	}
	b, err := checkpoint.Read(filepath.Join(stopped, TrainingFile))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range a.Tensors {
		if strings.Contains(name, "metric") || strings.Contains(name, "trainer") {
			continue // GoMLX's running averages for display start anew
		}
		if got := b.Tensors[name]; got == nil || !got.Equal(want) {
			t.Errorf("%s differs", name)
		}
	}
	lines, err := os.ReadFile(filepath.Join(stopped, MetricsFile))
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(lines, []byte("\n")); n != 12 {
		t.Errorf("%d lines of metrics over both runs, want 12", n)
	}
	for i, line := range bytes.Split(bytes.TrimSpace(lines), []byte("\n")) {
		var says struct {
			MadeBy madeBy `json:"made_by"`
		}
		if err := json.Unmarshal(line, &says); err != nil {
			t.Fatal(err)
		}
		want := madeBy{}
		if step := i + 1; step == 1 || step == stoppedAt+1 {
			want = madeBy{graphtest.Engine(t).Name(), 1, Version(), runtime.Version(), m.Config}
		}
		if says.MadeBy != want {
			t.Errorf("line %d says it was made by %+v, want %+v", i+1, says.MadeBy, want)
		}
	}
}

func TestTrainRefuses(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	if err := newSmall(t, small).Train(ctx, waves{16}, 1, ""); err == nil ||
		!strings.Contains(err.Error(), "16 pixels wide and the model is for 8") {
		t.Errorf("pictures of another size: %v", err)
	}
	diverging := small
	diverging.Training.LearningRate = 0.99
	m := newSmall(t, diverging)
	for range 3 { // weights that overflow at once
		for v := range m.store.IterVariables() {
			blowUp(t, v.MustValue())
		}
	}
	err := m.Train(ctx, waves{8}, 3, dir)
	if err == nil || !strings.Contains(err.Error(), "a smaller learning rate") || strings.Contains(err.Error(), "\n") {
		t.Errorf("a loss that is not finite: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, ModelFile)); err == nil {
		t.Error("a model that diverged was saved")
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := newSmall(t, small).Train(ctx, waves{8}, 1, file); err == nil ||
		!strings.Contains(err.Error(), "making the output folder") {
		t.Errorf("a file for a folder: %v", err)
	}
	if _, err := Resume(graphtest.Engine(t), dir); err == nil || !strings.Contains(err.Error(), "nothing to resume") {
		t.Errorf("an empty folder: %v", err)
	}
}

func blowUp(t *testing.T, values *tensors.Tensor) {
	t.Helper()
	err := tensors.MutableFlatData(values, func(flat []float32) {
		for i := range flat {
			flat[i] *= 1e9
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestTrainRefusesTooManySteps(t *testing.T) {
	err := newSmall(t, small).Train(context.Background(), waves{8}, math.MaxInt, "")
	if err == nil || !strings.Contains(err.Error(), "want at most 100000000") {
		t.Errorf("error %v", err)
	}
}
