// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// Package section writes measurements into a section of a Markdown file.
package section

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/srdiff/srlab/srdiff/internal/atomicfile"
)

// Check returns the error that Write would return for a file that has no such section.
func Check(path, name string) error {
	_, _, _, err := around(path, name)
	return err
}

// Write replaces the text between the lines
//
//	<!-- bench: NAME begin -->
//	<!-- bench: NAME end -->
//
// It returns an error if the file or the lines are missing. A failed write leaves the file
// unchanged. An error also follows a write that lowered a ratio of speeds below 95 % of the old one
// (the tables after a line that ends in "above 1, srdiff is faster."), and names the ratio.
func Write(path, name, text string) error {
	before, old, after, err := around(path, name)
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
	if slower := slower(old, text); len(slower) > 0 {
		return fmt.Errorf("%s has the new result, which is slower than the old one: %s", path, strings.Join(slower, "; "))
	}
	return nil
}

// slower lists the ratios that are below 95 % of their old values.
func slower(old, text string) (list []string) {
	was, is := ratios(old), ratios(text)
	for _, name := range slices.Sorted(maps.Keys(was)) {
		if now, measured := is[name]; measured && now < .95*was[name] {
			list = append(list, fmt.Sprintf("%s was %g and is %g", name, was[name], now))
		}
	}
	return list
}

// ratios returns the numbers in a text's tables of ratios, by row and column.
func ratios(text string) map[string]float64 {
	found := map[string]float64{}
	for _, part := range strings.Split(text, "above 1, srdiff is faster.\n")[1:] {
		var head []string
		for line := range strings.Lines(strings.TrimLeft(part, "\n")) {
			cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
			if len(cells) < 2 {
				break
			}
			for i, cell := range cells {
				cells[i] = strings.TrimSpace(cell)
			}
			if head == nil {
				head = cells
			}
			for i, cell := range cells[1:min(len(cells), len(head))] {
				if v, err := strconv.ParseFloat(cell, 64); err == nil {
					found[cells[0]+" beside "+head[i+1]] = v
				}
			}
		}
	}
	return found
}

// around returns the file up to the section, with its first line, the section, and the file after it, with its last line.
func around(path, name string) (before, section, after string, err error) {
	file, err := os.ReadFile(path)
	if err != nil {
		return "", "", "", fmt.Errorf("the file for the result: %w", err)
	}
	begin := fmt.Sprintf("<!-- bench: %s begin -->\n", name)
	end := fmt.Sprintf("<!-- bench: %s end -->\n", name)
	before, rest, found := strings.Cut(string(file), begin)
	section, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		return "", "", "", fmt.Errorf("%s: want a line %q and after it a line %q, where the result belongs",
			path, strings.TrimSpace(begin), strings.TrimSpace(end))
	}
	return before + begin, section, end + after, nil
}
