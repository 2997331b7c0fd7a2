// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// Package worker is the protocol of "srdiff worker": jobs as lines of JSON, results as lines of JSON in
// the same order, and the places at which three jobs are worked on side by side.
package worker

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Job is one line of the input. A field that may be omitted is nil, or the zero value, when it is.
// Names of files are paths or URLs: see package storage.
type Job struct {
	ID  json.RawMessage `json:"id"`  // any JSON value, which the result repeats
	Job string          `json:"job"` // one of the kinds of jobs; upscale if omitted

	Input  string `json:"input"`
	Output string `json:"output"`
	Model  string `json:"model"` // name or file of a model

	// Options, as the flags of srdiff upscale.
	Scale      *float64 `json:"scale"`
	Width      *int     `json:"width"`
	Height     *int     `json:"height"`
	Megapixels *float64 `json:"megapixels"`
	Strength   *float64 `json:"strength"`
	Steps      *int     `json:"steps"`
	Seed       *int64   `json:"seed"`
	Quality    *int     `json:"quality"`
	Strip      bool     `json:"strip"`

	Original string `json:"original"` // evaluate: what the result is compared with
	Samples  int    `json:"samples"`  // sample: how many are drawn
	Spread   string `json:"spread"`   // sample: the picture of their standard deviation

	Part  []int    `json:"part"`  // part: which part, from 1, of how many
	Parts []string `json:"parts"` // join: the files of all parts, in their order
}

// The kinds of jobs.
const (
	Upscale  = "upscale"  // enlarge a picture
	Evaluate = "evaluate" // enlarge a picture and compare the result with its original
	Sample   = "sample"   // draw several results of a picture, and write their mean and their spread
	Part     = "part"     // make a part of the rows of a result, for a job of the kind Join
	Join     = "join"     // make a result from the files of all its parts
)

// fields are the names that a kind of job needs, and those that it may have beside them.
type fields struct{ needs, takes []string }

// ofAll are the names that every kind of job may have.
var ofAll = []string{"id", "job", "model"}

var kinds = map[string]fields{
	Upscale: {
		needs: []string{"input", "output"},
		takes: []string{"scale", "width", "height", "megapixels", "strength", "steps", "seed", "quality", "strip"},
	},
	Evaluate: {
		needs: []string{"input", "original"},
		takes: []string{"strength", "steps", "seed"},
	},
	Sample: {
		needs: []string{"input", "output", "spread", "samples"},
		takes: []string{"scale", "width", "height", "megapixels", "strength", "steps", "seed", "quality", "strip"},
	},
	Part: { // the size may decide which model a name stands for
		needs: []string{"input", "output", "part"},
		takes: []string{"scale", "width", "height", "megapixels", "strength", "steps", "seed"},
	},
	Join: {
		needs: []string{"input", "output", "parts"},
		takes: []string{"scale", "width", "height", "megapixels", "strength", "steps", "seed", "quality", "strip"},
	},
}

// ParseJob reads a job. It returns an error for a line that is not one JSON object, for a field that is
// unknown or has no effect in this kind of job, and for one that is missing or of a wrong type. A null
// is a field that is omitted. With an error, the job has the id, the kind and the names of the files as
// far as they can be read.
func ParseJob(line []byte) (Job, error) {
	var given map[string]json.RawMessage
	if err := json.Unmarshal(line, &given); err != nil || given == nil {
		return Job{Job: Upscale}, fmt.Errorf("the line is not a JSON object, such as {\"input\":\"a.png\",\"output\":\"b.png\"}%s", because(err))
	}
	maps.DeleteFunc(given, func(_ string, value json.RawMessage) bool { return string(value) == "null" })
	j := Job{Job: Upscale}
	wrong := json.Unmarshal(line, &j)
	if wrong != nil { // what can be read
		for name, to := range map[string]*string{"job": &j.Job, "input": &j.Input, "output": &j.Output} {
			json.Unmarshal(given[name], to)
		}
		j.ID = given["id"]
	}
	kind, known := kinds[j.Job]
	if !known {
		return j, fmt.Errorf("job is %q: want %s", j.Job, strings.Join(slices.Sorted(maps.Keys(kinds)), ", "))
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		switch {
		case slices.Contains(ofAll, name), slices.Contains(kind.needs, name), slices.Contains(kind.takes, name):
		case isField(name):
			return j, fmt.Errorf("%q has no effect in a job %q: omit it", name, j.Job)
		default:
			return j, fmt.Errorf("%q is not a field of a job: omit it", name)
		}
	}
	for _, name := range kind.needs {
		if value := string(given[name]); value == "" || value == `""` {
			return j, fmt.Errorf("a job %q needs %q", j.Job, name)
		}
	}
	if e, ok := errors.AsType[*json.UnmarshalTypeError](wrong); ok {
		return j, fmt.Errorf("%q is a %s: want a value of type %s", e.Field, e.Value, typeOf(e.Type.String()))
	}
	return j, wrong
}

// because returns the reason of an error, nothing for nil.
func because(err error) string {
	if err == nil {
		return ""
	}
	return ": " + err.Error()
}

// isField reports whether any kind of job has a field.
func isField(name string) bool {
	for _, kind := range kinds {
		if slices.Contains(kind.needs, name) || slices.Contains(kind.takes, name) {
			return true
		}
	}
	return false
}

// typeOf returns JSON's word for a type of Go.
func typeOf(name string) string {
	switch name {
	case "string":
		return "string"
	case "bool":
		return "true or false"
	case "int", "int64":
		return "whole number"
	case "[]int":
		return "list of whole numbers"
	case "[]string":
		return "list of names"
	}
	return "number"
}

// reads lists the files that a job reads, but for its model's.
func (j Job) reads() []string { return append(named(j.Input, j.Original), j.Parts...) }

// writes lists the files that a job writes.
func (j Job) writes() []string { return named(j.Output, j.Spread) }

// named returns the names that are not empty.
func named(names ...string) []string {
	return slices.DeleteFunc(names, func(name string) bool { return name == "" })
}
