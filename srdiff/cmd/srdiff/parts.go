// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/srdiff/srlab/srdiff"
	"github.com/srdiff/srlab/srdiff/imaging"
	"github.com/srdiff/srlab/srdiff/internal/checkpoint"
)

// A part's file holds some rows of what a model makes of a picture, before they are resized: a safetensors
// file with the tensor partTensor, [rows, width, 3], and in its metadata a partRecord under partKey.
const (
	partTensor = "rows"
	partKey    = "srdiff part"
)

// partRecord says what the rows in a part's file are.
type partRecord struct {
	provenance        // of a result, but for its size and what it keeps of the input's metadata
	Part       [2]int `json:"part"` // its number, from 1, and how many there are
	Rows       [2]int `json:"rows"` // the first one, and the one after the last
	Width      int    `json:"width"`
	Height     int    `json:"height"` // of all parts together
	Memory     int64  `json:"memory"` // on which the tiles depend
}

// part returns the rows of part number part of so many, and what they are.
func (e *enlarger) part(ctx context.Context, file *imaging.File, part, parts int) (partRecord, imaging.Strips, error) {
	p, err := e.m.UpscalePart(ctx, e.sampling, file.Image, part, parts)
	size := file.Image.Bounds().Size().Mul(e.m.Config.Factor)
	return partRecord{provenance: e.ofParts(file), Part: [2]int{part, parts}, Rows: [2]int{p.Top, p.Bottom}, Width: size.X, Height: size.Y,
		Memory: cmp.Or(e.sampling.Memory, srdiff.DefaultMemory)}, p.Strips, err
}

// ofParts is the provenance in the parts of a file's result.
func (e *enlarger) ofParts(file *imaging.File) provenance {
	made := e.provenance(file, "").withVersions()
	made.Size, made.Strip = targetSize{}, false
	return made
}

// write writes a part's file. Its beginning is written last, so w is an io.WriteSeeker, such as a file.
func (r partRecord) write(w io.Writer, strips imaging.Strips) error {
	file, ok := w.(io.WriteSeeker)
	if !ok {
		return errors.New("a part needs a file: name one")
	}
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return checkpoint.WriteStream(file, streamOf(string(text), r.shape()), func(yield func([]float32, error) bool) {
		for strip, err := range strips {
			if !yield(strip.Pix, err) {
				return
			}
		}
	})
}

// streamOf describes a part's file.
func streamOf(record string, shape []uint64) checkpoint.Stream {
	return checkpoint.Stream{Name: partTensor, Shape: shape, Metadata: map[string]string{partKey: record}}
}

// shape is that of the tensor.
func (r partRecord) shape() []uint64 {
	return []uint64{uint64(r.Rows[1] - r.Rows[0]), uint64(r.Width), 3}
}

// readPart reads the beginning of a part's file.
func readPart(from io.Reader) (r partRecord, rows *checkpoint.StreamReader, err error) {
	if rows, err = checkpoint.ReadStream(from); err != nil {
		return r, nil, err
	}
	text, ok := rows.Metadata[partKey]
	if !ok {
		return r, nil, errors.New("it is not a part of a result: want the output of a job \"part\"")
	}
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&r); err != nil {
		return r, nil, fmt.Errorf("its record of how it was made cannot be read: %w", err)
	}
	const most = 1 << 30 // so that products of sides are no overflow
	sane := r.Part[0] >= 1 && r.Part[0] <= r.Part[1] && r.Rows[0] >= 0 && r.Rows[0] < r.Rows[1] && r.Rows[1] <= r.Height && r.Height <= most &&
		r.Width >= 1 && r.Width <= most
	if !sane || rows.Name != partTensor || !slices.Equal(rows.Shape, r.shape()) {
		return r, nil, fmt.Errorf("its tensor %q of shape %v is not what its record says: part %v, rows %v of %dx%d", rows.Name, rows.Shape, r.Part, r.Rows, r.Width, r.Height)
	}
	return r, rows, nil
}

// stripsOf are the rows of a part's file.
func (r partRecord) stripsOf(rows *checkpoint.StreamReader) imaging.Strips {
	const some = 64 // rows
	return func(yield func(imaging.Picture, error) bool) {
		strip := imaging.New(r.Width, min(some, r.Rows[1]-r.Rows[0]))
		for top := r.Rows[0]; top < r.Rows[1]; top += strip.Height {
			strip.Height = min(some, r.Rows[1]-top)
			strip.Pix = strip.Pix[:3*strip.Width*strip.Height]
			err := rows.Read(strip.Pix)
			if !yield(strip, err) || err != nil {
				return
			}
		}
	}
}

// join returns the strips of Enlarge from the files of all parts in their order, and an enlarger for the
// rest: of the engine that made them. It returns an error before the work if they are not all the parts
// of the file's result.
func (e *enlarger) join(file *imaging.File, names []string, open func(name string) (io.ReadCloser, error)) (*enlarger, imaging.Strips, error) {
	records := make([]partRecord, len(names))
	for i, name := range names {
		err := withPart(name, open, func(r partRecord, _ *checkpoint.StreamReader) error {
			records[i] = r
			return nil
		})
		if err != nil {
			return nil, nil, err
		}
	}
	joined := *e
	joined.made.Engine = records[0].Engine
	size := file.Image.Bounds().Size().Mul(e.m.Config.Factor)
	want := partRecord{provenance: joined.ofParts(file), Width: size.X, Height: size.Y, Memory: records[0].Memory}
	for i, r := range records {
		want.Part = [2]int{i + 1, len(names)}
		want.Rows = [2]int{want.Rows[1], r.Rows[1]}
		if i == len(records)-1 {
			want.Rows[1] = size.Y
		}
		if what := difference(r, want); what != "" {
			return nil, nil, fmt.Errorf("%s does not fit as part %d of %d: %s; want all parts of one picture, in their order, made with one model, "+
				"seed, options and memory by the same srdiff on one kind of engine", names[i], i+1, len(names), what)
		}
	}
	return &joined, func(yield func(imaging.Picture, error) bool) {
		for i, name := range names {
			going := true
			err := withPart(name, open, func(r partRecord, rows *checkpoint.StreamReader) error {
				if difference(r, records[i]) != "" {
					return fmt.Errorf("%s was replaced while the parts were joined: try again", name)
				}
				for strip, err := range r.stripsOf(rows) {
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
func withPart(name string, open func(name string) (io.ReadCloser, error), use func(partRecord, *checkpoint.StreamReader) error) error {
	f, err := open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	r, rows, err := readPart(f)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return use(r, rows)
}

// difference names the first field in which a record is not the one that is wanted, "" for none.
func difference(got, want partRecord) string {
	fields := func(r partRecord) (named map[string]json.RawMessage) {
		text, err := json.Marshal(r)
		if err == nil {
			err = json.Unmarshal(text, &named)
		}
		if err != nil {
			panic(err) // strings and numbers can always be encoded
		}
		return named
	}
	a, b := fields(got), fields(want)
	for _, name := range slices.Sorted(maps.Keys(b)) {
		if !bytes.Equal(a[name], b[name]) {
			return fmt.Sprintf("its %s is %.30s and not %.30s", name, cmp.Or(string(a[name]), "not given"), b[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(a)) {
		if b[name] == nil {
			return fmt.Sprintf("its %s is %.30s and not the default", name, a[name])
		}
	}
	return ""
}
