// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/srdiff/srlab/srdiff"
	"github.com/srdiff/srlab/srdiff/imaging"
	"github.com/srdiff/srlab/srdiff/internal/partfile"
)

// part returns the rows of part number part of so many, and their record.
func (e *enlarger) part(ctx context.Context, file *imaging.File, part, parts int) (partfile.Record, imaging.Strips, error) {
	p, err := e.m.UpscalePart(ctx, e.sampling, file.Image, part, parts)
	r := e.ofParts(file)
	r.Part, r.Rows = [2]int{part, parts}, [2]int{p.Top, p.Bottom}
	r.Memory = cmp.Or(e.sampling.Memory, srdiff.DefaultMemory)
	return r, p.Strips, err
}

// ofParts is what the records of all parts of a file's result have in common.
func (e *enlarger) ofParts(file *imaging.File) partfile.Record {
	made := e.provenance(file, "").withVersions()
	made.Size, made.Strip = targetSize{}, false // parts are made before the result is resized and written
	text, err := json.Marshal(made)
	if err != nil {
		panic(err) // strings and numbers can always be encoded
	}
	size := file.Image.Bounds().Size().Mul(e.m.Config.Factor)
	return partfile.Record{Made: text, Width: size.X, Height: size.Y}
}

// join returns the strips of Enlarge from the files of all parts in their order, and an enlarger for the
// rest: of the engine that made them. It returns an error before the work if they are not all the parts
// of the file's result.
func (e *enlarger) join(file *imaging.File, names []string, open func(name string) (io.ReadCloser, error)) (*enlarger, imaging.Strips, error) {
	records := make([]partfile.Record, len(names))
	for i, name := range names {
		err := withPart(name, open, func(p partfile.Part) error {
			records[i] = p.Record
			return nil
		})
		if err != nil {
			return nil, nil, err
		}
	}
	joined := *e
	var made provenance
	if err := json.Unmarshal(records[0].Made, &made); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", names[0], err)
	}
	joined.made.Engine = made.Engine
	want := joined.ofParts(file)
	want.Memory = records[0].Memory
	for i, r := range records {
		want.Part = [2]int{i + 1, len(names)}
		want.Rows = [2]int{want.Rows[1], r.Rows[1]}
		if i == len(records)-1 {
			want.Rows[1] = want.Height
		}
		if what := partfile.Difference(r, want); what != "" {
			return nil, nil, fmt.Errorf("%s does not fit as part %d of %d: %s; want all parts of one picture, in their order, made with one model, "+
				"seed, options and memory by the same srdiff on one kind of engine", names[i], i+1, len(names), what)
		}
	}
	return &joined, func(yield func(imaging.Picture, error) bool) {
		for i, name := range names {
			going := true
			err := withPart(name, open, func(p partfile.Part) error {
				if partfile.Difference(p.Record, records[i]) != "" {
					return fmt.Errorf("%s was replaced while the parts were joined: try again", name)
				}
				for strip, err := range p.Strips() {
					if err != nil {
						return fmt.Errorf("%s: %w", name, err)
					}
					if going = yield(strip, nil); !going {
						return nil
					}
				}
				return nil
			})
			if err != nil {
				yield(imaging.Picture{}, err)
			}
			if err != nil || !going {
				return
			}
		}
	}, nil
}

// withPart opens a part's file for use.
func withPart(name string, open func(name string) (io.ReadCloser, error), use func(partfile.Part) error) error {
	f, err := open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	p, err := partfile.Read(f)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return use(p)
}
