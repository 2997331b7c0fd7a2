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
	"github.com/srdiff/srlab/srdiff/diffusion"
	"github.com/srdiff/srlab/srdiff/internal/checkpoint"
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

// The configuration of a model is open to change, so each use validates it.
func TestChangedConfig(t *testing.T) {
	for want, change := range map[string]func(c *Config){
		"accumulate is 0":                    func(c *Config) { c.Training.Accumulate = 0 },
		"accumulate is -2":                   func(c *Config) { c.Training.Accumulate = -2 },
		"batch size is 0":                    func(c *Config) { c.Training.BatchSize = 0 },
		"learning rate is 0":                 func(c *Config) { c.Training.LearningRate = 0 },
		"learning rate is NaN":               func(c *Config) { c.Training.LearningRate = math.NaN() },
		"EMA decay is 0":                     func(c *Config) { c.Training.EMA = 0 },
		`loss is ""`:                         func(c *Config) { c.Training.Loss = "" },
		"image size is 0":                    func(c *Config) { c.Training.ImageSize = 0 },
		"image size is 6":                    func(c *Config) { c.Training.ImageSize = 6 },
		"only its Training may change":       func(c *Config) { c.Diffusion.Timesteps = 50 },
		"only its Training may change; make": func(c *Config) { c.Factor = 0 },
	} {
		m := newSmall(t, small)
		change(&m.Config)
		_, measured := m.NoiseError(context.Background(), waves{8}, 1, 1)
		for _, err := range []error{m.Train(context.Background(), waves{8}, 2, ""), measured} {
			if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want one line with %q", err, want)
			}
		}
	}
}

func TestNoiseErrorRefuses(t *testing.T) {
	m := newSmall(t, small)
	for _, batches := range []int{0, -1} {
		if v, err := m.NoiseError(context.Background(), waves{8}, batches, 1); err == nil || !strings.Contains(err.Error(), "want at least 1") {
			t.Errorf("%d batches: got %v and %v, want an error", batches, v, err)
		}
	}
	if _, err := m.NoiseError(context.Background(), waves{10}, 1, 1); err == nil || !strings.Contains(err.Error(), "want a multiple of 4") {
		t.Errorf("pictures of another size: %v", err)
	}
}

// What cannot be sampled cannot be configured.
func TestAttentionLimit(t *testing.T) {
	c := Config{Network: networks.Config{Name: networks.Tiny, Attention: 3}, Training: TrainingConfig{ImageSize: 64}}
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	c.Training.ImageSize = 68
	if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "takes at most 4096 pixels") || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v, want the limit of the attention", err)
	}
}

// A run that is resumed says what data it began with.
func TestCheckData(t *testing.T) {
	dir := t.TempDir()
	trainSmall(t, newSmall(t, small), 2, dir)
	m, err := Resume(graphtest.Engine(t), dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.CheckData(waves{8}); err != nil {
		t.Error(err)
	}
	if err := m.CheckData(renamed{waves{8}}); err == nil || !strings.Contains(err.Error(), "learned from waves, and this is ripples") {
		t.Errorf("got %v, want that the data differs", err)
	}
	if err := m.CheckData(marked{waves{8}, "a"}); err != nil { // waves has no fingerprint, so its name decides
		t.Error(err)
	}
	if err := m.Train(context.Background(), marked{waves{8}, "a"}, 4, dir); err != nil {
		t.Fatal(err)
	}
	if m, err = Resume(graphtest.Engine(t), dir); err != nil {
		t.Fatal(err)
	}
	if err := m.CheckData(marked{waves{8}, "b"}); err == nil || !strings.Contains(err.Error(), "other pictures") {
		t.Errorf("got %v, want that the pictures differ", err)
	}
	if err := newSmall(t, small).CheckData(waves{8}); err != nil {
		t.Errorf("a new model: %v", err)
	}
}

// renamed is a source of another name, and marked one with a fingerprint.
type renamed struct{ waves }

func (renamed) Name() string { return "ripples" }

type marked struct {
	waves
	fingerprint string
}

func (m marked) Fingerprint() string { return m.fingerprint }
