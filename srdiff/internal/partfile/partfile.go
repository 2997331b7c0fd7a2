// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// Package partfile reads and writes parts of results: some rows of what a model makes of a picture,
// before they are resized. Several computers make one each, and one of them joins the files.
package partfile

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/srdiff/srlab/srdiff/imaging"
	"github.com/srdiff/srlab/srdiff/internal/checkpoint"
)

// A part's file is a safetensors file with the tensor tensorName, [rows, width, 3], and in its metadata
// a Record under recordKey.
const (
	tensorName = "rows"
	recordKey  = "srdiff part"
)

// Record describes the rows in a part's file.
type Record struct {
	Made   json.RawMessage `json:"made"` // how the result is made: an object
	Part   [2]int          `json:"part"` // its number, from 1, and how many there are
	Rows   [2]int          `json:"rows"` // the first one, and the one after the last
	Width  int             `json:"width"`
	Height int             `json:"height"` // of all parts together
	Memory int64           `json:"memory"` // on which the tiles depend
}

// Write writes a part's file with the given rows. Its beginning is written last.
func (r Record) Write(w io.WriteSeeker, rows imaging.Strips) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return checkpoint.WriteStream(w, streamOf(string(text), r.shape()), func(yield func([]float32, error) bool) {
		for strip, err := range rows {
			if !yield(strip.Pix, err) {
				return
			}
		}
	})
}

// streamOf describes a part's file.
func streamOf(record string, shape []uint64) checkpoint.Stream {
	return checkpoint.Stream{Name: tensorName, Shape: shape, Metadata: map[string]string{recordKey: record}}
}

// shape is that of the tensor.
func (r Record) shape() []uint64 {
	return []uint64{uint64(r.Rows[1] - r.Rows[0]), uint64(r.Width), 3}
}

// Part is the file of a part whose rows are not read yet.
type Part struct {
	Record
	tensor *checkpoint.StreamReader
}

// Read reads the record of a part's file. A file that is not a part, or whose tensor is not as the
// record describes it, is an error.
func Read(from io.Reader) (Part, error) {
	p, err := Part{}, error(nil)
	if p.tensor, err = checkpoint.ReadStream(from); err != nil {
		return p, err
	}
	text, ok := p.tensor.Metadata[recordKey]
	if !ok {
		return p, errors.New("it is not a part of a result: want the output of a job \"part\"")
	}
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&p.Record); err != nil {
		return p, badRecord(err)
	}
	var made map[string]json.RawMessage
	if err := json.Unmarshal(p.Made, &made); err != nil {
		return p, badRecord(err)
	}
	const most = 1 << 30 // so that products of sides are no overflow
	r := p.Record
	sane := r.Part[0] >= 1 && r.Part[0] <= r.Part[1] && r.Rows[0] >= 0 && r.Rows[0] < r.Rows[1] && r.Rows[1] <= r.Height && r.Height <= most &&
		r.Width >= 1 && r.Width <= most
	if !sane || p.tensor.Name != tensorName || !slices.Equal(p.tensor.Shape, r.shape()) {
		return p, fmt.Errorf("its tensor %q of shape %v is not what its record says: part %v, rows %v of %dx%d", p.tensor.Name, p.tensor.Shape, r.Part, r.Rows, r.Width, r.Height)
	}
	return p, nil
}

func badRecord(err error) error {
	return fmt.Errorf("its record of how it was made cannot be read: %w", err)
}

// Strips reads the rows, once. A file that is cut short or damaged is an error at its end.
func (p Part) Strips() imaging.Strips {
	const some = 64 // rows
	return func(yield func(imaging.Picture, error) bool) {
		strip := imaging.New(p.Width, min(some, p.Rows[1]-p.Rows[0]))
		for top := p.Rows[0]; top < p.Rows[1]; top += strip.Height {
			strip.Height = min(some, p.Rows[1]-top)
			strip.Pix = strip.Pix[:3*strip.Width*strip.Height]
			err := p.tensor.Read(strip.Pix)
			if !yield(strip, err) || err != nil {
				return
			}
		}
	}
}

// Difference names the first field in which a record is not the one that is wanted, "" for none.
func Difference(got, want Record) string {
	a, b := got.fields(), want.fields()
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

// fields are those of the record, with those of Made in its place.
func (r Record) fields() map[string]json.RawMessage {
	text, err := json.Marshal(r)
	if err != nil {
		panic(err) // numbers, and an object that was decoded or encoded before
	}
	fields := map[string]json.RawMessage{}
	for _, object := range [][]byte{r.Made, text} {
		if err := json.Unmarshal(object, &fields); err != nil {
			panic(err)
		}
	}
	delete(fields, "made")
	return fields
}
