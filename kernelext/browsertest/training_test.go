// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

//go:build browser

package browsertest

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestTraining interrupts the training of the third notebook and resumes it. Then it reloads the
// page while the training runs, and interrupts it again.
func TestTraining(t *testing.T) {
	path := committed(t, "03_key_components.ipynb")
	p := open(t, path)
	const imports, training = 1, 9
	p.eval(fmt.Sprintf(`run(%d).then(() => true)`, imports))
	p.sound(imports)
	// With 300 steps a fast machine would end before the interrupt.
	edit(p, training, "m := trainedFor(300)", "m := trainedFor(1000000)")
	p.eval(fmt.Sprintf(`said = () => text(%d), step = () => Number((said().match(/Training: (\d+)\/1000000/) ?? [])[1]), true`,
		training))

	p.start(training)
	p.wait(fmt.Sprintf(`step() >= 20 && outputs(%d).querySelector("img")`, training), 2*time.Minute)
	p.interrupt(`/Stopped: training stopped at step \d+ of 1000000, and is saved in/.test(said())`)
	stopped := value[int](p, `Number(said().match(/stopped at step (\d+)/)[1])`)
	if stopped < 20 {
		t.Errorf("stopped at step %d, want 20 or more", stopped)
	}
	p.screenshot("training stopped")
	saved := modelFile(t, path)

	p.start(training)
	p.wait(`step() > 0`, 2*time.Minute)
	if again := value[int](p, `step()`); again <= stopped {
		t.Errorf("stopped at step %d, and goes on at step %d", stopped, again)
	}

	// After a reload the page shows that the kernel is busy, and the button still interrupts it.
	p.eval("saved().then(() => true)")
	p.load(path)
	p.wait("busy()", 10*time.Second)
	p.interrupt("true")
	if again := modelFile(t, path); !again.ModTime().After(saved.ModTime()) {
		t.Error("after a reload the interrupt does not save")
	}
	p.screenshot("reloaded and stopped")
	t.Logf("after the reload the cell says: %.200s", value[string](p, fmt.Sprintf("text(%d)", training)))
}

// modelFile returns the model file that the notebook's training has saved.
func modelFile(t *testing.T, path string) os.FileInfo {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(filepath.Dir(path), "kept", "key components", "*", "model.safetensors"))
	if err != nil || len(found) != 1 {
		t.Fatalf("model files: %v, %v", found, err)
	}
	info, err := os.Stat(found[0])
	if err != nil {
		t.Fatal(err)
	}
	return info
}
