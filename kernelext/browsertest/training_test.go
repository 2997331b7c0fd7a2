// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

//go:build browser

package browsertest

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

const trainingCell = `
import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/srdiff/srlab/kernelext"
	"github.com/srdiff/srlab/srdiff"
	"github.com/srdiff/srlab/srdiff/dataset"
	"github.com/srdiff/srlab/srdiff/engine"
)

%%
ctx, cancel := kernelext.Context()
defer cancel()
config := srdiff.Config{BaseChannels: 8, ImageSize: 16, BatchSize: 4, Seed: 1}
dir := kernelext.KeepFolder("run", config)
source := kernelext.Must(dataset.Open(ctx, "generated", dataset.Options{Size: config.ImageSize}))
backend := kernelext.Must(engine.Open("go")).Backend
model := kernelext.Must(srdiff.NewModel(backend, config))
if _, err := os.Stat(filepath.Join(dir, srdiff.TrainingFile)); err == nil {
	model = kernelext.Must(srdiff.Resume(backend, dir))
}
fmt.Println("starts at", model.Step)
monitor := kernelext.NewMonitor("Training")
err := model.Train(ctx, source, 1_000_000, dir, func(p srdiff.Progress) {
	monitor.Update(p.Step, p.Steps, p.Loss, "")
})
monitor.Done("")
kernelext.Check(err)
`

// TestTraining interrupts training, takes it up again, reloads the page while it runs, and interrupts it there.
func TestTraining(t *testing.T) {
	path := notebook(t, trainingCell)
	p := open(t, path)
	interrupt := func(until string) {
		t.Helper()
		p.eval(`jupyterapp.commands.execute("notebook:interrupt-kernel"), true`)
		took := p.wait(until, 10*time.Second)
		t.Logf("stopped and saved after %v", took.Round(10*time.Millisecond))
		if took > 3*time.Second {
			t.Errorf("stopped and saved after %v, want at most 3 s", took)
		}
	}
	step := func() int {
		t.Helper()
		return value[int](p, `Number(text(0).match(/Training: (\d+)\/1000000/)[1])`)
	}

	p.start(0)
	p.wait(`/Training: \d\d+\/1000000/.test(text(0)) && outputs(0).querySelector("img")`, time.Minute)
	if value[bool](p, `!text(0).includes("starts at 0")`) {
		t.Error("training does not start at 0")
	}
	interrupt(`/Stopped: training stopped at step \d+ of 1000000, and is saved in/.test(text(0)) && !busy()`)
	stopped := step()
	p.screenshot("training stopped")
	modelFile(t)

	p.start(0)
	p.wait(`/Training: \d+\/1000000/.test(text(0))`, time.Minute)
	if value[int](p, `Number(text(0).match(/starts at (\d+)/)[1])`) != stopped {
		t.Errorf("stopped at step %d, and %s", stopped, value[string](p, "text(0)"))
	}

	// Who reloads the page sees that the kernel is busy, and can still stop it.
	p.eval("saved().then(() => true)")
	p.load(path)
	p.wait("busy()", 10*time.Second)
	info, err := os.Stat(modelFile(t))
	if err != nil {
		t.Fatal(err)
	}
	p.eval(`jupyterapp.commands.execute("notebook:interrupt-kernel"), true`)
	if took := p.wait("!busy()", 10*time.Second); took > 3*time.Second {
		t.Errorf("after a reload it is stopped after %v, want at most 3 s", took)
	}
	again, err := os.Stat(modelFile(t))
	if err != nil || !again.ModTime().After(info.ModTime()) {
		t.Errorf("after a reload the interrupt does not save: %v", err)
	}
	p.screenshot("reloaded and stopped")
	t.Logf("after the reload the cell says: %.200s", value[string](p, "text(0)"))
}

func modelFile(t *testing.T) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(lab.dir, "kept", "run", "*", "model.safetensors"))
	if err != nil || len(found) != 1 {
		t.Fatalf("model files: %v, %v", found, err)
	}
	return found[0]
}
