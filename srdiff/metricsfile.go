// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/srdiff/srlab/srdiff/internal/atomicfile"
)

// metricsFile writes training progress as JSON, one line a step.
type metricsFile struct {
	file   *os.File
	w      *bufio.Writer
	madeBy *madeBy // what goes with the next line: a run says it once, whenever it starts or is resumed
	err    error   // the first that happened; the lines after it are lost, training is not
}

// madeBy says what the losses from a line on come from.
type madeBy struct {
	Engine  string `json:"engine"`
	Devices int    `json:"devices"`
	Version string `json:"version"` // of srdiff
	Go      string `json:"go"`
	Config  Config `json:"config"` // the seed, too
}

// openMetrics opens the file for the steps after the given one. Lines of later steps, from a run that was not saved
// before it died, are dropped.
func openMetrics(path string, step int, by madeBy) (*metricsFile, error) {
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading the metrics: %w", err)
	}
	var kept []byte
	for line := range bytes.Lines(old) {
		var p Progress
		if bytes.HasSuffix(line, []byte("\n")) && json.Unmarshal(line, &p) == nil && p.Step >= 1 && p.Step <= step {
			kept = append(kept, line...)
		}
	}
	err = atomicfile.Write(path, func(w io.Writer) error {
		_, err := w.Write(kept)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("writing the metrics: %w", err)
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("writing the metrics: %w", err)
	}
	return &metricsFile{file: file, w: bufio.NewWriter(file), madeBy: &by}, nil
}

// write writes a line. Lines are on the disk before the model is.
func (m *metricsFile) write(p Progress) {
	line, err := json.Marshal(struct {
		Progress
		MadeBy *madeBy `json:"made_by,omitempty"`
	}{p, m.madeBy})
	m.madeBy = nil
	if err == nil {
		_, err = m.w.Write(append(line, '\n'))
	}
	if err == nil && p.Saved {
		if err = m.w.Flush(); err == nil {
			err = m.file.Sync()
		}
	}
	m.note(err)
}

// close writes what is left and reports the first error of all.
func (m *metricsFile) close() error {
	m.note(m.w.Flush())
	m.note(m.file.Close())
	if m.err != nil {
		return fmt.Errorf("writing the metrics: %w", m.err)
	}
	return nil
}

func (m *metricsFile) note(err error) {
	if m.err == nil {
		m.err = err
	}
}
