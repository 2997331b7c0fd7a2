// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"regexp"
	"strings"
)

// The kernel that this project's notebooks name.
const (
	kernelName    = "gonb"
	kernelDisplay = "Go (srdiff)"
)

// notebook is the JSON of an .ipynb file, nbformat 4. What is not looked at stays as it is.
type notebook map[string]any

// parse reads a notebook, and joins what is split only because a stream was read in pieces.
func parse(data []byte) (notebook, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var nb notebook
	if err := decoder.Decode(&nb); err != nil {
		return nil, fmt.Errorf("not a notebook: %w", err)
	}
	if _, ok := nb["cells"].([]any); !ok {
		return nil, errors.New("not a notebook: it has no list of cells")
	}
	for _, cell := range nb.codeCells() {
		outputs, _ := cell["outputs"].([]any)
		cell["outputs"] = mergeStreams(outputs)
	}
	return nb, nil
}

// codeCells are the notebook's code cells in order.
func (nb notebook) codeCells() []map[string]any {
	var code []map[string]any
	for _, c := range nb["cells"].([]any) {
		if cell := object(c); cell["cell_type"] == "code" {
			code = append(code, cell)
		}
	}
	return code
}

// problem is a cell that failed.
type problem struct {
	cell   int    // Counted from 1 among the code cells: the number that Jupyter shows beside it.
	source string // Its first line of code.
	said   string // Its outputs as plain text, as far as they tell why.
}

func (p problem) String() string {
	return fmt.Sprintf("code cell %d: %s\n%s", p.cell, p.source, indent(lastLines(p.said, 40)))
}

var (
	// failure marks a cell that ended badly, or another program that it ran. Some of these end with a reply of "ok".
	failure = regexp.MustCompile(
		`(?m)^(exit status [1-9]\d*|signal: [a-z ]+|panic: .*|fatal error: .*|goroutine \d+ \[.*)$`)

	// report is in GoNB's HTML for compile errors and stack traces.
	report = "gonb-err-location"
)

// problems lists the cells that failed or were not executed.
func (nb notebook) problems() []problem {
	var found []problem
	for i, cell := range nb.codeCells() {
		source := text(cell["source"])
		failed := cell["execution_count"] == nil && strings.TrimSpace(source) != ""
		var said []string
		if failed {
			said = append(said, "the cell was not executed")
		}
		for _, o := range cell["outputs"].([]any) {
			output := object(o)
			switch output["output_type"] {
			case "error":
				failed = true
				said = append(said, fmt.Sprintf("%v: %v", output["ename"], output["evalue"]))
			case "stream":
				words := plain(text(output["text"]))
				said = append(said, words)
				failed = failed || output["name"] == "stderr" && failure.MatchString(words)
			case "display_data":
				page := text(object(output["data"])["text/html"])
				failed = failed || strings.Contains(page, report)
				if page != "" {
					said = append(said, plain(untag(page)))
				}
			}
		}
		if failed {
			found = append(found, problem{i + 1, firstLine(source), strings.Join(said, "\n")})
		}
	}
	return found
}

// normalised is the notebook as a file that stays the same when its outputs do: no times and versions, this
// project's kernel, and the JSON style of Jupyter itself.
func (nb notebook) normalised() ([]byte, error) {
	metadata := object(nb["metadata"])
	metadata["kernelspec"] = map[string]any{"name": kernelName, "display_name": kernelDisplay, "language": "go"}
	metadata["language_info"] = map[string]any{"name": "go", "file_extension": ".go", "mimetype": "text/x-go"}
	nb["metadata"] = metadata
	for _, cell := range nb.codeCells() {
		delete(object(cell["metadata"]), "execution")
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	if err := encoder.Encode(nb); err != nil {
		return nil, fmt.Errorf("writing a notebook: %w", err)
	}
	return b.Bytes(), nil
}

// mergeStreams joins neighbouring outputs of one stream, and cuts their text into lines as Jupyter does.
func mergeStreams(outputs []any) []any {
	merged := []any{}
	for _, o := range outputs {
		output := object(o)
		if output["output_type"] == "stream" {
			said := text(output["text"])
			if n := len(merged); n > 0 {
				last := object(merged[n-1])
				if last["output_type"] == "stream" && last["name"] == output["name"] {
					last["text"] = lines(text(last["text"]) + said)
					continue
				}
			}
			output["text"] = lines(said)
		}
		merged = append(merged, o)
	}
	return merged
}

// text is a notebook's text: a string, or a list of lines.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case []any:
		var b strings.Builder
		for _, line := range v {
			b.WriteString(text(line))
		}
		return b.String()
	}
	return ""
}

func lines(s string) []any {
	list := []any{}
	for line := range strings.Lines(s) {
		list = append(list, line)
	}
	return list
}

// object is a JSON object, empty if v is none.
func object(v any) map[string]any {
	if m, ok := v.(map[string]any); ok {
		return m
	}
	return map[string]any{}
}

// firstLine is the first line of Go code: what comes after comments and GoNB's own commands.
func firstLine(source string) string {
	for line := range strings.Lines(source) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "%") && !strings.HasPrefix(line, "//") {
			return line
		}
	}
	return strings.TrimSpace(source)
}

var (
	styles  = regexp.MustCompile(`(?s)<style>.*?</style>`)
	tags    = regexp.MustCompile(`<[^>]*>`)
	colours = regexp.MustCompile("\x1b\\[[0-9;]*m")
	blank   = regexp.MustCompile(`\n\s*\n`)
)

// untag is the text of a page, each block on a line of its own.
func untag(page string) string {
	page = strings.ReplaceAll(page, "<div", "\n<div")
	return html.UnescapeString(tags.ReplaceAllString(styles.ReplaceAllString(page, ""), ""))
}

// plain is text without colour codes and empty lines.
func plain(s string) string {
	return strings.Trim(blank.ReplaceAllString(colours.ReplaceAllString(s, ""), "\n"), "\n")
}

func indent(s string) string { return "    " + strings.ReplaceAll(s, "\n", "\n    ") }
