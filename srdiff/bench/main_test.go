// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/srdiff/srlab/srdiff"
	"github.com/srdiff/srlab/srdiff/diffusion"
	"github.com/srdiff/srlab/srdiff/networks"
)

func TestTables(t *testing.T) {
	text := tables(32, []result{
		{contestant: contestant{name: "xla:cpu", ours: true}, train: []float64{.2, .1, .3}, forward: []float64{.01, .02},
			sample: []float64{12}, firstSample: 15.04, overhead: []float64{-.2}, load: .5, first: 3, memory: 812.4, loss: .99},
		{contestant: contestant{name: "torch-eager"}, train: []float64{.15}, forward: []float64{.06}, sample: []float64{24}},
		{contestant: contestant{name: "torch-compile"}, train: []float64{.4}, forward: []float64{.03}},
		{contestant: contestant{name: "jax"}, train: []float64{.05}, forward: []float64{.015}, sample: []float64{6}},
	})
	for _, want := range []string{
		"|  | xla:cpu | torch-eager | torch-compile | jax |\n|---|---|---|---|---|\n",
		"| train step of 32 pictures, median (ms) | 200 | 150 | 400 | 50.0 |\n| the same, least (ms) | 100 | 150 |",
		"| training (pictures/s) | 160 | 213 | 80.0 | 640 |\n",
		"| forward pass of 16 pictures, median (ms) | 15.0 | 60.0 | 30.0 | 15.0 |\n",
		"| sampling 16 pictures, 1000 steps, median (s) | 12.0 | 24.0 | - | 6.00 |\n",
		"| the same, for the first time (s) | 15.0 | - | - | - |\n",
		"| sampling beyond 1000 forward passes | -20.0 % | - | - | - |\n",
		"| peak resident memory (MB) | 812 | - | - | - |\n",
		"|  | best of PyTorch | torch-eager | torch-compile | jax |\n",
		"| xla:cpu, train step | 0.75 | 0.75 | 2.00 | 0.25 |\n",
		"| xla:cpu, forward pass | 2.00 | 4.00 | 2.00 | 1.00 |\n",
		"| xla:cpu, sampling | 2.00 | 2.00 | - | 0.50 |\n", // torch-compile did not sample
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if text := tables(32, []result{{contestant: contestant{name: "go", ours: true}}}); strings.Contains(text, "divided") {
		t.Errorf("ratios without others:\n%s", text)
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{{[]float64{7}, 7}, {[]float64{3, 1, 9}, 3}, {[]float64{4, 1, 2, 9}, 3}} {
		if got := median(c.values); got != c.want {
			t.Errorf("median of %v is %v: want %v", c.values, got, c.want)
		}
	}
	if !math.IsNaN(median(nil)) {
		t.Error("there is no median of nothing")
	}
}

// tiny is a network that answers at once.
var tiny = srdiff.Config{Network: networks.Config{BaseChannels: 2}, Training: srdiff.TrainingConfig{ImageSize: 8, BatchSize: 2}, Diffusion: diffusion.Config{Timesteps: 3}}

func TestWorker(t *testing.T) {
	in, asks := io.Pipe()
	out, w := io.Pipe()
	done := make(chan error)
	go func() { done <- work("go", tiny, in, w) }()
	answers := json.NewDecoder(out)
	next := func() (a answer) {
		t.Helper()
		if err := answers.Decode(&a); err != nil {
			t.Fatal(err)
		}
		return a
	}
	if a := next(); !strings.Contains(a.About, "pure-Go") {
		t.Errorf("it is %q: want the pure-Go engine", a.About)
	}
	if a := next(); a.Seconds <= 0 || a.Loss < .1 || a.Loss > 5 {
		t.Errorf("first step %+v: want a time and a loss of about 1", a)
	}
	for _, ask := range []string{"train 3", "forward 2", "sample", "train 1"} {
		if _, err := io.WriteString(asks, ask+"\n"); err != nil {
			t.Fatal(err)
		}
		if a := next(); a.Seconds <= 0 || (a.Loss > 0) != strings.HasPrefix(ask, "train") {
			t.Errorf("%s: %+v", ask, a)
		}
	}
	asks.Close()
	if err := <-done; err != nil {
		t.Errorf("at the end: %v", err)
	}
	if err := work("go", tiny, strings.NewReader("dance\n"), io.Discard); err == nil ||
		err.Error() != `command "dance" is not known` {
		t.Errorf("a command that is not known: %v", err)
	}
}

// script is a contestant that answers each line with the given seconds.
func script(name, seconds string) contestant {
	say := `{"about": "` + name + `", "seconds": ` + seconds + `, "loss": 1}`
	return contestant{name, name == "ours", []string{"sh", "-c",
		"echo '" + say + "'; echo '" + say + "'; while read line; do echo '" + say + "'; done"}}
}

func TestMeasure(t *testing.T) {
	ours, slow := script("ours", "0.05"), script("slow", "60")
	bad := contestant{"bad", false, []string{"sh", "-c", "echo no such module >&2; exit 3"}}
	once := strings.Replace(slow.command[2], "done", "break; done; echo oh >&2", 1)
	late := contestant{"late", false, []string{"sh", "-c", once}}
	missing := contestant{"missing", false, []string{filepath.Join(t.TempDir(), "python")}}
	o := options{rounds: 3, samples: 2, warmUp: 2}
	results, notes, err := measure(context.Background(), []contestant{slow, bad, late, ours, missing}, o, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if len(results) != 2 || results[0].name != "slow" || results[1].name != "ours" {
		t.Fatalf("results %+v: want slow's and ours", results)
	}
	r := results[1]
	if len(r.train) != 3 || len(r.forward) != 6 || len(r.sample) != 2 || r.firstSample != .05 || r.about != "ours" {
		t.Errorf("ours: %+v", r)
	}
	if got, want := r.train[0], .05/20; math.Abs(got-want) > 1e-9 { // 0.5 s hold 20 steps of a warm-up of 2 in 0.05 s
		t.Errorf("a step is %v s: want %v", got, want)
	}
	if len(results[0].sample) != 0 {
		t.Error("slow has sampled")
	}
	text := strings.Join(notes, "\n")
	for _, want := range []string{"bad is omitted: no such module.", "late is omitted: oh.", "missing is omitted: ",
		"slow does not sample here: it would take about 1000 minutes."} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if _, _, err := measure(context.Background(), []contestant{slow}, o, io.Discard); err == nil {
		t.Error("no error without an engine of srdiff")
	}
}

func TestMeasureIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	hangs := contestant{"hangs", true, []string{"sh", "-c", "sleep 60 & wait"}}
	started := time.Now()
	_, _, err := measure(ctx, []contestant{script("ours", "1"), hangs}, options{rounds: 1}, io.Discard)
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(started) > 10*time.Second {
		t.Errorf("%v after %v", err, time.Since(started))
	}
}

func TestParse(t *testing.T) {
	for args, want := range map[string]string{
		"more":           `argument "more"`,
		"-device tpu":    "want cpu or cuda",
		"-dtype float16": "want float32 or bfloat16",
		"-rounds 0":      "1 round or more",
		"-samples x":     "invalid value",
	} {
		if _, err := parse(strings.Fields(args), io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v: want %q", args, err, want)
		}
	}
	o, err := parse([]string{"-device", "cuda", "-dtype", "bfloat16"}, io.Discard)
	if err != nil || o.section() != "cuda bfloat16" {
		t.Errorf("%v, section %q", err, o.section())
	}
	var stderr bytes.Buffer
	if run(context.Background(), []string{"-out", filepath.Join(t.TempDir(), "none.md")}, io.Discard, &stderr) == nil {
		t.Error("no error without the file for the result")
	}
}
