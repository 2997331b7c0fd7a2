// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/srdiff/srlab/srdiff/checkpoint"
)

// keptCheckpoints is how many checkpoints are kept: TrainingFile and those of the saves before, named by their step.
const keptCheckpoints = 3

func checkpointName(step int) string { return fmt.Sprintf("training-%09d.safetensors", step) }

// keptIn lists the checkpoints that are named by their step, newest first.
func keptIn(dir string) []string {
	paths, _ := filepath.Glob(filepath.Join(dir, "training-?????????.safetensors")) // the pattern is a good one
	slices.Sort(paths)
	slices.Reverse(paths)
	return paths
}

// checkpointsIn lists where a run in dir may be resumed, newest first.
func checkpointsIn(dir string) []string {
	return append([]string{filepath.Join(dir, TrainingFile)}, keptIn(dir)...)
}

// keep gives the TrainingFile just written its second name, and removes checkpoints beyond keptCheckpoints and those of later
// steps: they are of a run that was given up.
func (m *Model) keep(dir string, file checkpoint.File) error {
	path := filepath.Join(dir, checkpointName(m.Step))
	os.Remove(path)
	if os.Link(filepath.Join(dir, TrainingFile), path) != nil { // not all file systems have links
		if err := m.write(path, file); err != nil {
			return err
		}
	}
	n := 0
	for _, old := range keptIn(dir) {
		if old <= path {
			n++
		}
		if old > path || n > keptCheckpoints {
			os.Remove(old)
		}
	}
	return nil
}

// divergence is the rule that ends a run: a loss that is not finite, or has exploded, which is 1000 times the least that its
// running mean has been, and above 100. What networks predict is of unit size, so a network that says nothing has a loss of about
// 1; no healthy run comes near that, whatever its batches.
type divergence struct {
	mean, least float64 // the running mean over about 20 steps, and its least value
	steps       int
}

func (d *divergence) check(loss float64) (problem string) {
	switch {
	case math.IsNaN(loss) || math.IsInf(loss, 0):
		return fmt.Sprintf("the loss is %g", loss)
	case d.steps > 0 && loss > 100 && loss > 1000*d.least, d.steps == 0 && loss > 1e5:
		return fmt.Sprintf("the loss has exploded to %.3g", loss)
	}
	if d.steps++; d.steps == 1 {
		d.mean, d.least = loss, loss
	}
	d.mean += (loss - d.mean) / 20
	d.least = min(d.least, d.mean)
	return ""
}

// notFinite names the first weight, in the network's order, that holds a NaN or an infinity; then the first variable of any other
// kind. It returns "" if there is none.
func (m *Model) notFinite() (name string, err error) {
	for _, p := range parametersOf(m.Config) {
		if bad, err := hasNotFinite(m.store.GetVariable(p.path(weights))); bad || err != nil {
			return p.name, err
		}
	}
	for v := range m.store.IterVariables() {
		if bad, err := hasNotFinite(v); bad || err != nil {
			return v.Path(), err
		}
	}
	return "", nil
}

func hasNotFinite(v *model.Variable) (bad bool, err error) {
	value, err := v.Value()
	if err != nil || value.DType() != dtypes.Float32 {
		return false, err
	}
	finite, err := isFinite(value)
	return !finite, err
}

// spoiled is the error of a run that diverged in a step. The model becomes what it was at the last checkpoint of the run, if there
// is one.
func (m *Model) spoiled(run *clock, dir string, step int, problem string) error {
	if name, err := m.notFinite(); err == nil && name != "" {
		problem += fmt.Sprintf(", and %s is not finite", name)
	}
	problem = fmt.Sprintf("%s at step %d: training diverged", problem, step)
	for _, path := range checkpointsIn(dir) {
		if dir == "" || run.first == 0 && !run.hasSaved {
			break // what is in the folder is not of this run
		}
		if err := m.restore(path); err == nil {
			return fmt.Errorf("%s; all is as it was saved at step %d: go on from there with a smaller learning rate than %g",
				problem, m.Step, m.Config.LearningRate)
		}
	}
	return fmt.Errorf("%s, and nothing was saved before: begin anew with a smaller learning rate than %g", problem, m.Config.LearningRate)
}

// restore takes all variables from a checkpoint of the same run.
func (m *Model) restore(path string) error {
	file, err := checkpoint.Read(path)
	if err != nil {
		return err
	}
	about, err := readMetadata(file)
	if err != nil {
		return err
	}
	config := about.Config.WithDefaults()
	config.LearningRate = m.Config.LearningRate // it may change on the way
	if config != m.Config || about.Step > m.Step {
		return fmt.Errorf("%s is of another run", path)
	}
	for name, t := range file.Tensors {
		v := m.store.GetVariable(name)
		if v == nil {
			return fmt.Errorf("%s: %s is not of this model", path, name)
		}
		if err := v.SetValue(t); err != nil {
			return err
		}
	}
	m.Step = about.Step
	return nil
}
