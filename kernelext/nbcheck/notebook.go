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

// notebook is the JSON of an .ipynb file in nbformat 4. Parts that nbcheck does not know stay
// unchanged.
type notebook map[string]any

// parse reads a notebook, and joins outputs that are separate only because a stream was read in
// pieces.
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

// codeCells returns the notebook's code cells in order.
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
	cell   int    // The number of the code cell, from 1, as Jupyter shows it.
	source string // The first line of code.
	output string // The outputs as plain text.
}

func (p problem) String() string {
	return fmt.Sprintf("code cell %d: %s\n%s", p.cell, p.source, indent(lastLines(p.output, 40)))
}

var (
	// failure is a line on standard error of a cell, or of a program that it ran, that failed.
	// Workaround: gonb v0.11.5, the reply to such a cell may be "ok".
	failure = regexp.MustCompile(
		`(?m)^(exit status [1-9]\d*|signal: [a-z ]+|panic: .*|fatal error: .*|goroutine \d+ \[.*)$`)

	// errorClass is a class in GoNB's HTML for compile errors and stack traces.
	errorClass = "gonb-err-location"
)

// problems lists the cells that failed or were not executed.
func (nb notebook) problems() []problem {
	var found []problem
	for i, cell := range nb.codeCells() {
		source := text(cell["source"])
		failed := cell["execution_count"] == nil && strings.TrimSpace(source) != ""
		var outputs []string
		if failed {
			outputs = append(outputs, "the cell was not executed")
		}
		for _, o := range cell["outputs"].([]any) {
			output := object(o)
			switch output["output_type"] {
			case "error":
				failed = true
				outputs = append(outputs, fmt.Sprintf("%v: %v", output["ename"], output["evalue"]))
			case "stream":
				words := plain(text(output["text"]))
				outputs = append(outputs, words)
				failed = failed || output["name"] == "stderr" && failure.MatchString(words)
			case "display_data":
				page := text(object(output["data"])["text/html"])
				failed = failed || strings.Contains(page, errorClass)
				if page != "" {
					outputs = append(outputs, plain(untag(page)))
				}
			}
		}
		if failed {
			found = append(found, problem{i + 1, firstLine(source), strings.Join(outputs, "\n")})
		}
	}
	return found
}

// normalised returns the notebook as a file that depends on its outputs alone: without times and
// versions, with this project's kernel, and in Jupyter's own style of JSON.
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

// mergeStreams joins neighbouring outputs of one stream, and splits their text into lines as
// Jupyter does.
func mergeStreams(outputs []any) []any {
	merged := []any{}
	for _, o := range outputs {
		output := object(o)
		if output["output_type"] == "stream" {
			words := text(output["text"])
			if n := len(merged); n > 0 {
				last := object(merged[n-1])
				if last["output_type"] == "stream" && last["name"] == output["name"] {
					last["text"] = lines(text(last["text"]) + words)
					continue
				}
			}
			output["text"] = lines(words)
		}
		merged = append(merged, o)
	}
	return merged
}

// text returns a notebook's text, which is a string or a list of lines.
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

// object returns v as a JSON object, or an empty one if v is none.
func object(v any) map[string]any {
	if m, ok := v.(map[string]any); ok {
		return m
	}
	return map[string]any{}
}

// firstLine returns the first line of Go code after comments and GoNB's own commands.
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

// untag returns the text of a page, with each block on a line of its own.
func untag(page string) string {
	page = strings.ReplaceAll(page, "<div", "\n<div")
	return html.UnescapeString(tags.ReplaceAllString(styles.ReplaceAllString(page, ""), ""))
}

// plain returns text without colour codes and empty lines.
func plain(s string) string {
	return strings.Trim(blank.ReplaceAllString(colours.ReplaceAllString(s, ""), "\n"), "\n")
}

func indent(s string) string { return "    " + strings.ReplaceAll(s, "\n", "\n    ") }
