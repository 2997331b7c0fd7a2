// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/srdiff/srlab/srdiff"
	"github.com/srdiff/srlab/srdiff/dataset"
	"github.com/srdiff/srlab/srdiff/internal/atomicfile"
	"github.com/srdiff/srlab/srdiff/internal/training"
	"github.com/srdiff/srlab/srdiff/lock"
)

// dataFile is the file in a run's folder that records the training data.
const dataFile = "training-data.json"

// dataRecord is the content of dataFile.
type dataRecord struct {
	Version     string `json:"srdiff"` // of srdiff; it marks the file as srdiff's
	Data        string `json:"data"`   // as it was given
	Name        string `json:"name"`   // with the number of pictures
	Fingerprint string `json:"fingerprint,omitempty"`
}

func recordOfData(spec string, src dataset.Source) dataRecord {
	return dataRecord{Version: srdiff.Version(), Data: spec, Name: src.Name(), Fingerprint: dataset.Fingerprint(src)}
}

// reportSkipped prints which files of the data were skipped, unless that line equals before. It
// returns the line.
func reportSkipped(log io.Writer, src dataset.Source, before string) string {
	line := dataset.SkippedLine(src)
	if line != before {
		printLine(log, "%s", line)
	}
	return line
}

// isSame reports whether two records describe the same data, in any folder.
func (r dataRecord) isSame(other dataRecord) bool {
	if r.Fingerprint != "" && other.Fingerprint != "" {
		return r.Fingerprint == other.Fingerprint
	}
	return r.Name == other.Name
}

// check compares the data with the record of the run in a folder. It returns an error if a resumed
// run has different data and mayBeNew is false. isNew reports whether the record must be written.
func (r dataRecord) check(dir string, resumed, mayBeNew bool, log io.Writer) (isNew bool, err error) {
	if !resumed {
		return true, nil
	}
	old, err := readDataRecord(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		printLine(log, "%s has no record of the data that the run began with", dir)
	case err != nil:
		return false, err
	case r.isSame(old):
		return false, nil
	case !mayBeNew && r.Name == old.Name:
		return false, fmt.Errorf("the run in %s began with other pictures than those that %s holds now: restore them, or add --new-data",
			dir, r.Data)
	case !mayBeNew:
		return false, fmt.Errorf("the run in %s began with %s (--data %s), and this is %s: give the same data, or add --new-data",
			dir, old.Name, old.Data, r.Name)
	}
	return true, nil
}

// lockFolder makes a folder and keeps other processes from working in it until release is called.
func lockFolder(dir string) (release func(), err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	release, err = lock.Acquire(filepath.Join(dir, "distillation.lock"))
	if _, held := errors.AsType[*lock.HeldError](err); held {
		return nil, fmt.Errorf("the folder %s is %w", dir, err)
	}
	return release, err
}

// dataRecorder writes the record of a run's data once.
type dataRecorder struct {
	dataRecord
	dir   string
	isNew bool // it is still to be written
	wrote bool
	err   error
}

// writeOnce writes the record at the first step of a run, when the run holds the folder's lock.
func (r *dataRecorder) writeOnce() {
	if !r.isNew {
		return
	}
	r.isNew, r.wrote = false, true
	r.err = atomicfile.Write(filepath.Join(r.dir, dataFile), func(w io.Writer) error { return json.NewEncoder(w).Encode(r.dataRecord) })
}

// removeUnsaved removes the record if the run has saved no checkpoint.
func (r *dataRecorder) removeUnsaved(checkpoints string) {
	if r.wrote && !hasCheckpoint(checkpoints) {
		os.Remove(filepath.Join(r.dir, dataFile))
	}
}

func readDataRecord(dir string) (r dataRecord, err error) {
	path := filepath.Join(dir, dataFile)
	text, err := os.ReadFile(path)
	if err != nil {
		return r, err
	}
	if json.Unmarshal(text, &r) != nil || r.Version == "" || r.Name == "" {
		return r, foreignFileError(path)
	}
	return r, nil
}

// hasCheckpoint reports whether a folder holds a checkpoint to resume from.
func hasCheckpoint(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, srdiff.TrainingFile))
	return err == nil || len(olderCheckpoints(dir)) > 0
}

// olderCheckpoints lists the checkpoints in a folder that are named by their step.
func olderCheckpoints(dir string) []string {
	entries, _ := os.ReadDir(dir) // a folder that is not there has none
	var names []string
	for _, entry := range entries {
		if ok, _ := filepath.Match("training-?????????.safetensors", entry.Name()); ok {
			names = append(names, entry.Name())
		}
	}
	return names
}

// checkRunFolder checks before the work that a folder can hold a run and that the run replaces no
// file of another origin: its metrics, its record of the data, and the given sheets.
func checkRunFolder(dir string, sheets ...string) error {
	if _, err := newDestinations().at(dir); err != nil {
		return err
	}
	if _, err := readDataRecord(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	metrics := filepath.Join(dir, srdiff.MetricsFile)
	if ours, err := isRunMetrics(metrics); err != nil {
		return err
	} else if !ours {
		return foreignFileError(metrics)
	}
	for _, name := range sheets {
		if path := filepath.Join(dir, name); replaceable(path, false) != nil {
			return foreignFileError(path)
		}
	}
	return nil
}

// checkOutsideData refuses results in the very folder of the pictures: sample sheets would become
// training pictures.
func checkOutsideData(data, out string) error {
	kind, folder, _ := strings.Cut(data, ":")
	pictures, err := os.Stat(folder)
	if kind != "images" || err != nil {
		return nil // opening the data reports its errors
	}
	if results, err := os.Stat(out); err == nil && os.SameFile(pictures, results) {
		return fmt.Errorf("the results would be among the pictures of %s: give another --out, such as a folder in it", folder)
	}
	return nil
}

// isRunMetrics reports whether the metrics file is missing, or written by a run of srdiff: its
// first line then holds the provenance.
func isRunMetrics(path string) (bool, error) {
	var by struct {
		Version string `json:"version"`
	}
	found, err := training.MadeBy(path, &by)
	if err != nil && !found {
		return false, err
	}
	return !found || err == nil && by.Version != "", nil
}

func foreignFileError(path string) error {
	return fmt.Errorf("%s was not made by this run, which would replace it: give another --out", path)
}

// checkDiskSpace returns an error if the file system of a folder has no space for the bytes.
func checkDiskSpace(dir string, bytes int) error {
	p, err := newDestinations().at(dir)
	if err != nil {
		return err
	}
	var room diskSpace
	room.add(p.exists, uint64(bytes))
	return room.check()
}
