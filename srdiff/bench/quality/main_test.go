// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/srdiff/srlab/srdiff"
	"github.com/srdiff/srlab/srdiff/bench/process"
	"github.com/srdiff/srlab/srdiff/dataset"
	"github.com/srdiff/srlab/srdiff/engine"
	"github.com/srdiff/srlab/srdiff/imaging"
	"github.com/srdiff/srlab/srdiff/networks"
)

// Every learner trains for its budget and not much longer, and one at a time.
func TestInTurns(t *testing.T) {
	ctx := context.Background()
	eng, err := engine.Open("go")
	if err != nil {
		t.Fatal(err)
	}
	src, err := dataset.Open(ctx, "generated", dataset.Options{Size: 8})
	if err != nil {
		t.Fatal(err)
	}
	var learners []contestant
	for range 2 {
		m, err := srdiff.NewModel(eng.Backend, srdiff.Config{Network: networks.Config{BaseChannels: 2}, Training: srdiff.TrainingConfig{ImageSize: 8, BatchSize: 2}})
		if err != nil {
			t.Fatal(err)
		}
		learners = append(learners, &learner{model: m, src: src})
	}
	other, err := process.Start(ctx, []string{"sh", "-c", `while read line; do sleep .1; echo '{"seconds": 0.1, "steps": 5}'; done`})
	if err != nil {
		t.Fatal(err)
	}
	defer other.End()
	learners = append(learners, &pytorch{Process: other})
	const budget = 300 * time.Millisecond
	started := time.Now()
	if err := inTurns(ctx, learners, budget); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(started); took < 3*budget {
		t.Errorf("all three took %v: want at least %v, one after the other", took, 3*budget)
	}
	for i, c := range learners {
		if c.steps() < 5 {
			t.Errorf("contestant %d trained for %d steps", i, c.steps())
		}
		if l, ours := c.(*learner); ours {
			if l.used < budget || l.used > 20*budget {
				t.Errorf("contestant %d took %v: want %v", i, l.used, budget)
			}
			l.used = 0
		}
	}
	stopped, stop := context.WithCancel(ctx)
	stop()
	if err := inTurns(stopped, learners, budget); err == nil || !strings.Contains(err.Error(), "stopped at step") {
		t.Errorf("interrupted: %v", err)
	}
}

func TestScore(t *testing.T) {
	grey, white := imaging.New(16, 16), imaging.New(16, 16) // 0 and 1 on the scale -1..1, 1/2 and 1 on the scale 0..1
	for i := range white.Pix {
		white.Pix[i] = 1
	}
	s, err := score([]imaging.Picture{grey}, []imaging.Picture{white}, []imaging.Picture{imaging.New(4, 4)})
	if err != nil {
		t.Fatal(err)
	}
	if want := 20 * math.Log10(2); math.Abs(s.PSNR-want) > 1e-4 || s.Consistency != 0 {
		t.Errorf("PSNR %v and consistency %v, want %v and 0", s.PSNR, s.Consistency, want)
	}
}

// Every recipe can be made, and measured on pictures of its comparison.
func TestRecipes(t *testing.T) {
	ctx := context.Background()
	what, err := comparisons("recipes")
	if err != nil {
		t.Fatal(err)
	}
	data, err := openMaterial(ctx, what, dataset.Options{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	if len(data.low) != pictures || data.low[0].Width != what.size/4 || data.originals[0].Width != what.size {
		t.Errorf("%d pictures of %d pixels, made from %d", len(data.low), data.low[0].Width, data.originals[0].Width)
	}
	for _, n := range what.configs {
		c := n.config.WithDefaults()
		if err := c.Validate(); err != nil {
			t.Errorf("%s: %v", n.name, err)
		}
		if size := c.Training.ImageSize; c.Training.BatchSize*size*size != 16*96*96 {
			t.Errorf("%s: %d crops of %d", n.name, c.Training.BatchSize, size)
		}
	}
}
