// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"image"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/srdiff/srlab/srdiff/imaging"
)

// pipe stands for standard input as an input, and for standard output as a result.
const pipe = "-"

// task is a picture to be enlarged.
type task struct {
	in, out string
	rel     string      // path of in below the named folder, and of its result below --output
	info    fs.FileInfo // of in; nil for standard input
	pixels  float64     // of in, to estimate the time left; 0 if unknown
	target  image.Point // size of the result; 0 if unknown
}

// sheet is the name of the sheet that compares the result.
func (t task) sheet() string { return strings.TrimSuffix(t.out, filepath.Ext(t.out)) + "-compare.png" }

// inputs are the pictures that the command line names.
type inputs struct {
	tasks          []task
	several        bool    // also true for a folder of one picture
	failed         []error // one for each unusable input
	earlierResults []task  // skipped pictures, because srdiff made them
}

// findInputs lists the pictures that the arguments name, and those in named folders except for the
// folder of the results.
func findInputs(args []string, results string) (*inputs, error) {
	in := &inputs{several: len(args) > 1}
	for _, arg := range args {
		info, err := os.Stat(arg)
		switch {
		case arg == pipe && in.has(pipe):
			return nil, errors.New("standard input can be read once: give one -")
		case arg == pipe:
			in.tasks = append(in.tasks, task{in: pipe, rel: "stdin"})
		case err != nil:
			in.failed = append(in.failed, fmt.Errorf("%s: %w", arg, reason(err)))
		case info.IsDir():
			in.several = true
			if err := in.addFolder(arg, info, results); err != nil {
				return nil, err
			}
		default:
			in.tasks = append(in.tasks, task{in: arg, rel: filepath.Base(arg), info: info})
		}
	}
	if in.several {
		in.tasks = slices.DeleteFunc(in.tasks, func(t task) bool {
			earlierResults := t.info != nil && t.info.Mode().IsRegular() && isMadeBySrdiff(t.in)
			if earlierResults {
				in.earlierResults = append(in.earlierResults, t)
			}
			return earlierResults
		})
	}
	switch {
	case len(in.tasks) > 0:
	case len(args) == 1 && len(in.failed) > 0:
		return nil, in.failed[0]
	case len(in.earlierResults) > 0 && len(in.failed) == 0:
		return nil, fmt.Errorf("all pictures are results of srdiff (%d): name one alone to enlarge it again", len(in.earlierResults))
	}
	return in, nil
}

func (in *inputs) has(path string) bool {
	return slices.ContainsFunc(in.tasks, func(t task) bool { return t.in == path })
}

// addFolder adds the pictures of a folder that the command line names.
func (in *inputs) addFolder(folder string, info fs.FileInfo, results string) error {
	out, err := os.Stat(results)
	switch {
	case results == "":
		return fmt.Errorf("%s is a folder: name one for the results, with -o", folder)
	case err == nil && os.SameFile(info, out):
		return fmt.Errorf("the results would be among the pictures of %s: name another folder, with -o", folder)
	case err != nil:
		out = nil
	}
	before := len(in.tasks) + len(in.failed)
	in.walk(folder, "", out)
	if len(in.tasks)+len(in.failed) == before {
		in.failed = append(in.failed,
			fmt.Errorf("%s holds no pictures: want files that end in %s", folder, strings.Join(imaging.Suffixes, ", ")))
	}
	return nil
}

// notPictures are folders that systems and programs fill with files of their own.
var notPictures = []string{"@eadir", "__macosx", "$recycle.bin", "system volume information", "lost+found"}

// walk adds the files below a folder that have a picture's extension, in order. It skips hidden
// files, the folder of the results, and linked folders, which may form cycles.
func (in *inputs) walk(folder, below string, results fs.FileInfo) {
	entries, err := os.ReadDir(filepath.Join(folder, below))
	if err != nil {
		in.failed = append(in.failed, fmt.Errorf("folder %s cannot be read: %w", filepath.Join(folder, below), reason(err)))
	}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), ".") || slices.Contains(notPictures, strings.ToLower(entry.Name())) {
			continue
		}
		rel := filepath.Join(below, entry.Name())
		path := filepath.Join(folder, rel)
		info, err := os.Stat(path) // of what a link points to
		switch {
		case entry.IsDir():
			if err != nil || results == nil || !os.SameFile(info, results) {
				in.walk(folder, rel, results)
			}
		case !slices.Contains(imaging.Suffixes, strings.ToLower(filepath.Ext(path))):
		case err != nil:
			in.failed = append(in.failed, fmt.Errorf("%s: %w", path, reason(err)))
		case info.Mode().IsRegular():
			in.tasks = append(in.tasks, task{in: path, rel: rel, info: info})
		}
	}
}
