// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// Check compares photographs to train on with the pictures of benchmarks and fails where one shows the same scene as
// another: whole or in part, mirrored, at another size, or compressed again.
//
//	go run ./srdiff/dataset/gather/check TRAIN BENCH...
//
// TRAIN and each BENCH are folders of JPEG and PNG files. The pairs that look most alike are printed with their
// correlation. The exit status is 1 where a pair is a near-duplicate, and 2 where a folder cannot be read.
package main

import (
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// duplicate is the correlation of edges from which on two pictures count as near-duplicates. All of 119 benchmark
// pictures that were made smaller, mirrored and compressed again reach it, and 111 of them when they were also cropped
// to 60 to 100 %. Different photographs stay below 0.6.
const duplicate = 0.7

// shown is how many of the pairs that look most alike are printed.
const shown = 10

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: check TRAIN BENCH...")
		os.Exit(2)
	}
	pairs, err := compare(os.Args[1], os.Args[2:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "check:", err)
		os.Exit(2)
	}
	if report(os.Stdout, pairs) > 0 {
		os.Exit(1)
	}
}

// pair is a training picture and a benchmark's, with the correlation of the parts that look most alike.
type pair struct {
	train, bench string
	correlation  float64
}

// compare returns for each training picture the benchmark picture that looks most like it, the most alike first.
// Training pictures without any resemblance are omitted.
func compare(train string, benches []string) ([]pair, error) {
	var views []view
	for _, dir := range benches {
		err := eachPicture(dir, func(path string, p *picture) { views = append(views, benchViews(path, p)...) })
		if err != nil {
			return nil, err
		}
	}
	var pairs []pair
	err := eachPicture(train, func(path string, p *picture) {
		if best, ok := nearest(path, p, views); ok {
			pairs = append(pairs, best)
		}
	})
	slices.SortFunc(pairs, func(a, b pair) int { return cmp.Compare(b.correlation, a.correlation) })
	return pairs, err
}

// nearest returns the benchmark picture that looks most like p, and false if none resembles it.
func nearest(path string, p *picture, views []view) (pair, bool) {
	best := pair{train: path, correlation: -1}
	for _, part := range trainParts(p.width, p.height) {
		patch := p.patch(part)
		hash, ok := patch.hash()
		if !ok {
			continue
		}
		for i := range views {
			if distance(hash, views[i].hash) > alike {
				continue
			}
			if c := p.refine(part, &views[i].patch); c > best.correlation {
				best.bench, best.correlation = views[i].path, c
			}
		}
	}
	return best, best.bench != ""
}

// report prints the pairs that look most alike, and returns how many are near-duplicates.
func report(w io.Writer, pairs []pair) int {
	found := 0
	for i, p := range pairs {
		same := p.correlation >= duplicate
		if same {
			found++
		}
		if same || i < shown {
			verdict := ""
			if same {
				verdict = "\tNEAR-DUPLICATE"
			}
			fmt.Fprintf(w, "%.3f\t%s\t%s%s\n", p.correlation, p.train, p.bench, verdict)
		}
	}
	fmt.Fprintf(w, "%d near-duplicates\n", found)
	return found
}

// eachPicture calls visit for each JPEG and PNG file in dir and its folders. Pictures of low resolution that belong to
// a benchmark's pairs (*_LR.png) show the same as their partners and are omitted.
func eachPicture(dir string, visit func(path string, p *picture)) error {
	seen := 0
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		name := strings.ToLower(filepath.Base(path))
		if err != nil || entry.IsDir() || strings.HasSuffix(name, "_lr.png") ||
			!slices.Contains([]string{".jpg", ".jpeg", ".png"}, filepath.Ext(name)) {
			return err
		}
		p, err := open(path)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		seen++
		visit(path, p)
		return nil
	})
	if err == nil && seen == 0 {
		err = fmt.Errorf("%s has no JPEG or PNG file: name a folder with pictures", dir)
	}
	return err
}

// correlate returns the cosine of the angle between two vectors, from -1 to 1.
func correlate(a, b []float64) float64 {
	var dot, aa, bb float64
	for i := range a {
		dot += a[i] * b[i]
		aa += a[i] * a[i]
		bb += b[i] * b[i]
	}
	return dot / math.Sqrt(aa*bb+1e-12)
}
