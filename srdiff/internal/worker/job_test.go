// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package worker

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestParseJob(t *testing.T) {
	j, err := ParseJob([]byte(`{"id":{"a":[1, null]},"input":"a","output":"b","scale":2.5,"seed":-7,"strip":true,"model":null}`))
	if err != nil || string(j.ID) != `{"a":[1, null]}` || j.Job != Upscale || *j.Scale != 2.5 || *j.Seed != -7 || !j.Strip || j.Width != nil || j.Model != "" {
		t.Errorf("%+v, %v", j, err)
	}
	for line, want := range map[string]string{
		``:                                      "not a JSON object",
		`[]`:                                    "not a JSON object",
		`null`:                                  "not a JSON object",
		`{"input":"a"`:                          "not a JSON object",
		`{"input":"a","output":"b"} {}`:         "not a JSON object",
		`{}`:                                    `a job "upscale" needs "input"`,
		`{"input":"","output":"b"}`:             `needs "input"`,
		`{"input":"a","output":null}`:           `needs "output"`,
		`{"input":"a","output":"b","frob":1}`:   `"frob" is not a field of a job`,
		`{"INPUT":"a","output":"b"}`:            `"INPUT" is not a field of a job`,
		`{"input":"a","output":"b","spread":1}`: `"spread" has no effect in a job "upscale"`,
		`{"job":"evaluate","input":"a","original":"b","output":"c"}`: `"output" has no effect in a job "evaluate"`,
		`{"job":"frob"}`:                                       `job is "frob": want evaluate, join, part, sample, upscale`,
		`{"job":1,"input":"a","output":"b"}`:                   `"job" is a number: want a value of type string`,
		`{"input":7,"output":"b"}`:                             `"input" is a number: want a value of type string`,
		`{"input":"a","output":"b","width":1.5}`:               `"width" is a number 1.5: want a value of type whole number`,
		`{"input":"a","output":"b","seed":1e99}`:               `"seed" is a number 1e99`,
		`{"input":"a","output":"b","strip":"yes"}`:             `"strip" is a string: want a value of type true or false`,
		`{"job":"sample","input":"a","output":"b"}`:            `a job "sample" needs "spread"`,
		`{"job":"part","input":"a","output":"b","part":"1/2"}`: `"part" is a string: want a value of type list of whole numbers`,
		`{"job":"join","input":"a","output":"b","parts":[1]}`:  `"parts" is a number`,
		`{"job":"part","input":"a","output":"b","quality":9}`:  `"quality" has no effect in a job "part"`,
		`{"job":"evaluate","input":"a","strip":true}`:          `"strip" has no effect`,
		`{"input":"a","output":"b","scale":"4"}`:               `"scale" is a string: want a value of type number`,
		`{"input":"a","output":"b","seed":1,"seed":"x"}`:       `"seed" is a string`,
	} {
		if _, err := ParseJob([]byte(line)); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want one line with %q", line, err, want)
		}
	}
	for _, line := range []string{`{"id":7,"input":"a","output":"b","frob":1}`, `{"id":7,"input":"a","output":"b","strip":7}`, `{"strip":{},"id":7,"output":"b","input":"a"}`} {
		if j, err := ParseJob([]byte(line)); err == nil || string(j.ID) != "7" || j.Input != "a" || j.Output != "b" {
			t.Errorf("%s: %+v, %v: want what can be read", line, j, err)
		}
	}
}

func TestLines(t *testing.T) {
	full := strings.Repeat("x", MaxLine)
	for text, want := range map[string][]string{
		"":                             nil,
		"a":                            {"a"},
		"a\n":                          {"a"},
		"a\n\nb":                       {"a", "", "b"},
		full + "\nb":                   {full, "b"},
		full:                           {full},
		full + "x\nb\n":                {"long", "b"},
		"a\n" + full + "x":             {"a", "long"},
		full + full + "\n\n":           {"long", ""},
		strings.Repeat("ab\n", 3) + "": {"ab", "ab", "ab"},
	} {
		in := newLines(strings.NewReader(text))
		var got []string
		for {
			line, err := in.next()
			if err == errLongLine {
				line, err = []byte("long"), nil
			}
			if err != nil {
				break
			}
			got = append(got, string(line))
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") || len(got) != len(want) {
			t.Errorf("%.20q of %d bytes has %d lines, want %d", text, len(text), len(got), len(want))
		}
	}
}

// FuzzJob feeds the worker with any bytes: every line has one result, of one line, and what is accepted
// is a job.
func FuzzJob(f *testing.F) {
	f.Add([]byte(`{"input":"a","output":"b","id":"<\u2028>"}` + "\n\n" + `{"job":"sample","input":"a","output":"b","spread":"c","samples":2}`))
	f.Add([]byte(`{"job":"evaluate","input":"s3://a/b?c=%zz","original":"\ud800","steps":1e400}` + "\r\n{\"input\":null}\x00"))
	f.Add([]byte("{\"a\":[[[[{}]]]],\"id\":\"\xff\"}\n\ufeff{}\nnull\n1"))
	f.Fuzz(func(t *testing.T, in []byte) {
		var out bytes.Buffer
		n := &notes{}
		counts, err := Run(t.Context(), bytes.NewReader(in), &out, n)
		if err != nil {
			t.Fatal(err)
		}
		lines := bytes.Count(in, []byte("\n"))
		if len(in) > 0 && in[len(in)-1] != '\n' {
			lines++
		}
		if got := bytes.Count(out.Bytes(), []byte("\n")); got != lines || counts.Made+counts.Failed != lines {
			t.Errorf("%q has %d lines, and %d results: %s", in, lines, got, out.String())
		}
		for line := range bytes.Lines(out.Bytes()) {
			var r Result
			if err := json.Unmarshal(line, &r); err != nil || r.OK == (r.Failure != nil) || r.Failure != nil && (r.Failure.Kind != BadJob || r.Failure.Error == "") {
				t.Errorf("%q has the result %s: %v", in, line, err)
			}
		}
	})
}
