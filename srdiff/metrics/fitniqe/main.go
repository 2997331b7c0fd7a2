// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// Command fitniqe fits the parameters of NIQE to a folder of undamaged photographs, and writes the
// file that package metrics embeds. From the repository root:
//
//	go run ./srdiff/metrics/fitniqe FOLDER
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/srdiff/srlab/srdiff/imaging"
	"github.com/srdiff/srlab/srdiff/metrics"
)

func main() {
	out := flag.String("out", "srdiff/metrics/niqe.json", "file that gets the parameters")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: fitniqe [--out FILE] FOLDER")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(flag.Arg(0), *out); err != nil {
		fmt.Fprintln(os.Stderr, "fitniqe:", err)
		os.Exit(1)
	}
}

func run(folder, out string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	var paths []string
	for _, e := range entries {
		if slices.Contains(imaging.Suffixes, strings.ToLower(filepath.Ext(e.Name()))) {
			paths = append(paths, filepath.Join(folder, e.Name()))
		}
	}
	m, err := metrics.FitNIQE(pictures(paths))
	if err != nil {
		return err
	}
	short(m.Mean)
	for _, row := range m.Covariance {
		short(row)
	}
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	fmt.Printf("%d blocks of %d pictures\n", m.Blocks, m.Pictures)
	return os.WriteFile(out, append(data, '\n'), 0o644)
}

// pictures reads the files one after the other.
func pictures(paths []string) iter.Seq2[imaging.Picture, error] {
	return func(yield func(imaging.Picture, error) bool) {
		for _, path := range paths {
			img, err := imaging.Open(path)
			if err != nil {
				yield(imaging.Picture{}, err)
				return
			}
			if !yield(imaging.FromImage(img), nil) {
				return
			}
		}
	}
}

// short rounds to nine digits, which keeps the file small and is finer than any difference that
// pictures make.
func short(values []float64) {
	for i, v := range values {
		values[i], _ = strconv.ParseFloat(strconv.FormatFloat(v, 'e', 8, 64), 64)
	}
}
