// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// Package section writes measurements into a section of a Markdown file.
package section

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/srdiff/srlab/srdiff/internal/atomicfile"
)

// Check returns the error that Write would return for a file that has no such section.
func Check(path, name string) error {
	_, _, err := around(path, name)
	return err
}

// Write replaces the text between the lines
//
//	<!-- bench: NAME begin -->
//	<!-- bench: NAME end -->
//
// It returns an error if the file or the lines are missing. A failed write leaves the file
// unchanged.
func Write(path, name, text string) error {
	before, after, err := around(path, name)
	if err != nil {
		return err
	}
	err = atomicfile.Write(path, func(w io.Writer) error {
		_, err := io.WriteString(w, before+strings.TrimSpace(text)+"\n"+after)
		return err
	})
	if err != nil {
		return fmt.Errorf("writing the result: %w", err)
	}
	return nil
}

// around returns the file up to the section, with its first line, and after it, with its last.
func around(path, name string) (before, after string, err error) {
	file, err := os.ReadFile(path)
	if err != nil {
		return "", "", fmt.Errorf("the file for the result: %w", err)
	}
	begin := fmt.Sprintf("<!-- bench: %s begin -->\n", name)
	end := fmt.Sprintf("<!-- bench: %s end -->\n", name)
	before, rest, found := strings.Cut(string(file), begin)
	_, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		return "", "", fmt.Errorf("%s: want a line %q and after it a line %q, where the result belongs",
			path, strings.TrimSpace(begin), strings.TrimSpace(end))
	}
	return before + begin, end + after, nil
}
