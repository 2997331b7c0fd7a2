// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package training

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

// Metrics is a file of training progress, with one line of JSON for each step.
type Metrics struct {
	file   *os.File
	w      *bufio.Writer
	madeBy any   // goes with the next line: a run writes it once, when it starts or is resumed
	err    error // the first that happened; the lines after it are lost, training is not
}

// MetricsLine is a line of the file.
type MetricsLine struct {
	Step            int     `json:"step"`
	Loss            float64 `json:"loss"`
	ImagesPerSecond float64 `json:"images_per_second"`
	MadeBy          any     `json:"made_by,omitempty"`
}

// OpenMetrics opens the file for the steps after the given one. It drops lines of later steps,
// which are of a run that was not saved before it died. The first line that is written holds
// madeBy.
func OpenMetrics(path string, step int, madeBy any) (*Metrics, error) {
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading the metrics: %w", err)
	}
	var kept []byte
	for line := range bytes.Lines(old) {
		var l MetricsLine
		if bytes.HasSuffix(line, []byte("\n")) && json.Unmarshal(line, &l) == nil && l.Step >= 1 && l.Step <= step {
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
	return &Metrics{file: file, w: bufio.NewWriter(file), madeBy: madeBy}, nil
}

// MadeBy decodes what made the first line of a file of metrics. A file that is missing or empty is
// not found. One that does not begin with such a line is found, and an error.
func MadeBy(path string, madeBy any) (found bool, err error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	defer file.Close()
	const longest = 1 << 20 // more than any configuration takes
	line, err := bufio.NewReader(io.LimitReader(file, longest)).ReadBytes('\n')
	if len(line) == 0 {
		if err == io.EOF {
			err = nil
		}
		return false, err
	}
	var first struct {
		Step   int             `json:"step"`
		MadeBy json.RawMessage `json:"made_by"`
	}
	if err := json.Unmarshal(line, &first); err != nil {
		return true, err
	}
	if first.Step < 1 || first.MadeBy == nil {
		return true, errors.New("its first line does not say what made it")
	}
	return true, json.Unmarshal(first.MadeBy, madeBy)
}

// Write writes a line. With sync, the line is on the disk when Write returns.
func (m *Metrics) Write(line MetricsLine, sync bool) {
	line.MadeBy, m.madeBy = m.madeBy, nil
	text, err := json.Marshal(line)
	if err == nil {
		_, err = m.w.Write(append(text, '\n'))
	}
	if err == nil && sync {
		if err = m.w.Flush(); err == nil {
			err = m.file.Sync()
		}
	}
	m.note(err)
}

// Close writes what is left and returns the first error of all.
func (m *Metrics) Close() error {
	m.note(m.w.Flush())
	m.note(m.file.Close())
	if m.err != nil {
		return fmt.Errorf("writing the metrics: %w", m.err)
	}
	return nil
}

func (m *Metrics) note(err error) {
	if m.err == nil {
		m.err = err
	}
}
