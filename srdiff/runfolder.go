// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/srdiff/srlab/srdiff/internal/checkpoint"
	"github.com/srdiff/srlab/srdiff/internal/training"
	"github.com/srdiff/srlab/srdiff/lock"
)

// lockFile is locked in a run's folder during the run.
const lockFile = "training.lock"

// openFolder makes and locks the folder of a run, and opens the metrics file in it. A run replaces
// only files that srdiff wrote for the same run. Other files with these names are an error, before
// anything changes.
func (r *run) openFolder() (err error) {
	if err := os.MkdirAll(r.dir, 0o755); err != nil {
		return fmt.Errorf("making the output folder: %w", err)
	}
	r.release, err = lock.Acquire(filepath.Join(r.dir, lockFile))
	if err != nil {
		if _, held := errors.AsType[*lock.HeldError](err); held {
			return fmt.Errorf("the folder %s is %w", r.dir, err)
		}
		return err
	}
	if err := r.m.checkFolder(r.dir); err != nil {
		return err
	}
	r.metrics, err = training.OpenMetrics(filepath.Join(r.dir, MetricsFile), r.m.Step, r.m.madeBy())
	return err
}

// closeFolder closes what openFolder opened, even if openFolder failed.
func (r *run) closeFolder() (err error) {
	if r.metrics != nil {
		err = r.metrics.Close()
	}
	if r.release != nil {
		r.release()
	}
	return err
}

// checkFolder returns an error if the folder holds files of another run.
func (m *Model) checkFolder(dir string) error {
	path, c, step, err := newestCheckpoint(dir)
	resumable := path != "" && err == nil
	switch {
	case resumable && m.Step == 0:
		return fmt.Errorf("%s holds a training run at step %d, which this one would replace: resume it, or give another folder", dir, step)
	case resumable && !m.isOfRun(c):
		return fmt.Errorf("%s holds another training run, at step %d, which this one would replace: give another folder", dir, step)
	case resumable && step > m.Step:
		return fmt.Errorf("the run in %s is at step %d and this model at step %d: resume it again, or give another folder", dir, step, m.Step)
	case path != "" && err != nil:
		return notOurs(path)
	}
	metrics := filepath.Join(dir, MetricsFile)
	var by madeBy
	found, err := training.MadeBy(metrics, &by)
	switch {
	case err != nil && !found:
		return err
	case found && (err != nil || by.Version == "" || !resumable && !m.isOfRun(by.Config)):
		return notOurs(metrics)
	case resumable:
		return nil // the model file is of the same run
	}
	model := filepath.Join(dir, ModelFile)
	if _, err := os.Lstat(model); !errors.Is(err, fs.ErrNotExist) {
		return notOurs(model)
	}
	return nil
}

func notOurs(path string) error {
	return fmt.Errorf("%s is not of this training run, which would replace it: give another folder", path)
}

// isOfRun reports whether a configuration belongs to the model's run. The training configuration
// may change during a run, except for the seed.
func (m *Model) isOfRun(c Config) bool {
	c, own := c.WithDefaults(), m.Config
	seed := c.Training.Seed
	c.Training = own.Training
	return seed == own.Training.Seed && c == own
}

// newestCheckpoint reads the newest undamaged checkpoint in a folder. If all are damaged, it
// returns the newest one's error. If there is none, the path is "".
func newestCheckpoint(dir string) (path string, c Config, step int, err error) {
	for _, candidate := range training.Checkpoints(dir) {
		if _, missing := os.Lstat(candidate); errors.Is(missing, fs.ErrNotExist) {
			continue
		}
		about, failed := readAbout(candidate)
		if failed == nil {
			return candidate, about.Config, about.Step, nil
		}
		if path == "" {
			path, err = candidate, failed
		}
	}
	return path, c, 0, err
}

// readAbout reads the metadata of a file that srdiff wrote.
func readAbout(path string) (about metadata, err error) {
	file, err := checkpoint.Read(path)
	if err != nil {
		return about, err
	}
	if file.Metadata[metadataKey] == "" {
		return about, fmt.Errorf("%s was not written by srdiff", path)
	}
	return readMetadata(file)
}
