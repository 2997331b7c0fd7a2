// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package training

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// CheckpointFile is the name of a run's newest checkpoint.
const CheckpointFile = "training.safetensors"

// keptCheckpoints is how many checkpoints are kept: CheckpointFile and those of the saves before,
// named by their step.
const keptCheckpoints = 3

func checkpointName(step int) string { return fmt.Sprintf("training-%09d.safetensors", step) }

// OldCheckpoints lists the checkpoints in a folder that are named by their step, newest first.
func OldCheckpoints(dir string) []string {
	paths, _ := filepath.Glob(filepath.Join(dir, "training-?????????.safetensors")) // the pattern is a valid one
	slices.Sort(paths)
	slices.Reverse(paths)
	return paths
}

// Checkpoints lists the files from which a run in a folder may be resumed, newest first.
func Checkpoints(dir string) []string {
	return append([]string{filepath.Join(dir, CheckpointFile)}, OldCheckpoints(dir)...)
}

// KeepCheckpoint gives the CheckpointFile that was just written, of the given step, its second
// name. Where the file system has no links, write writes it again. Checkpoints beyond
// keptCheckpoints are removed, and those of later steps, which belong to a run that was given up.
func KeepCheckpoint(dir string, step int, write func(path string) error) error {
	path := filepath.Join(dir, checkpointName(step))
	os.Remove(path)
	if os.Link(filepath.Join(dir, CheckpointFile), path) != nil {
		if err := write(path); err != nil {
			return err
		}
	}
	n := 0
	for _, old := range OldCheckpoints(dir) {
		if old <= path {
			n++
		}
		if old > path || n > keptCheckpoints {
			os.Remove(old)
		}
	}
	return nil
}
