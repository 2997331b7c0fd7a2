// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/srdiff/srlab/srdiff"
	"github.com/srdiff/srlab/srdiff/imaging"
	"github.com/srdiff/srlab/srdiff/internal/partfile"
	"github.com/srdiff/srlab/srdiff/internal/storage"
	"github.com/srdiff/srlab/srdiff/internal/worker"
)

// partSuffix is what names of parts end in.
const partSuffix = ".safetensors"

// checkPart returns an error for a part that does not exist, and for one that is no part by its name.
func (r *request) checkPart() error {
	switch {
	case r.Job.Job != worker.Part:
	case len(r.Part) != 2 || r.Part[0] < 1 || r.Part[0] > r.Part[1]:
		return fmt.Errorf("\"part\" is %v: want the number of the part and how many there are, as [2,5]", r.Part)
	case !strings.HasSuffix(storage.Base(r.Output), partSuffix):
		return fmt.Errorf("\"output\" is %s: want a name that ends in %s for a part", r.Output, partSuffix)
	}
	return nil
}

// part begins to make a part of a result. Its tiles depend on the memory, so it takes what srdiff upscale
// takes, and nothing else is made meanwhile.
func (w *workerProgram) part(ctx context.Context, r *request) (worker.Writing, error) {
	e, _, err := w.prepare(r)
	if err != nil {
		return worker.Writing{}, err
	}
	record, strips, err := e.part(ctx, r.input.file, r.Part[0], r.Part[1])
	if err != nil {
		return worker.Writing{}, partError(err)
	}
	r.made.Width, r.made.Height = record.Width, record.Rows[1]-record.Rows[0]
	written, err := w.partThere(ctx, r.Output, record)
	if err != nil || written != nil {
		return worker.Writing{}, r.keep(written, err)
	}
	return w.writeAlone(r, strips, modelError, func(to io.Writer, strips imaging.Strips) error {
		file, ok := to.(io.WriteSeeker)
		if !ok {
			return errors.New("a part needs a file: name one")
		}
		return record.Write(file, strips)
	}), nil
}

// partError gives an error of UpscalePart its kind.
func partError(err error) error {
	if _, large := errors.AsType[*srdiff.MemoryError](err); large {
		return worker.Fail(worker.Memory, err)
	}
	return worker.Fail(worker.BadJob, err)
}

// writeAlone is writeStrips as alone does it.
func (w *workerProgram) writeAlone(r *request, strips imaging.Strips, ofStrips func(error) error, encode func(io.Writer, imaging.Strips) error) worker.Writing {
	began := time.Now()
	return alone(func(ctx context.Context) error { return w.writeStrips(ctx, r, began, strips, ofStrips, encode) })
}

// partThere looks at the file that a part is to become: see there.
func (w *workerProgram) partThere(ctx context.Context, name string, want partfile.Record) (*storage.Written, error) {
	path, remove, err := w.existing(ctx, name)
	if path == "" {
		return nil, err
	}
	defer remove()
	f, err := os.Open(path)
	if err != nil {
		return nil, worker.Fail(worker.Write, err)
	}
	defer f.Close()
	part, err := partfile.Read(f)
	if err != nil {
		return nil, worker.Fail(worker.Write, fmt.Errorf("%s exists and is not a part that srdiff made: give the output another name", name))
	}
	if partfile.Difference(part.Record, want) != "" {
		return nil, nil
	}
	for _, err := range part.Strips() {
		if err != nil {
			return nil, nil // it is damaged, and made again
		}
	}
	written, err := storage.Measure(path)
	return &written, worker.Fail(worker.Write, err)
}

// join begins to write a result from the files of its parts.
func (w *workerProgram) join(ctx context.Context, r *request) (worker.Writing, error) {
	e, out, err := w.prepare(r)
	if err != nil {
		return worker.Writing{}, err
	}
	if out.Memory() > 0 {
		return worker.Writing{}, worker.Fail(worker.BadJob, fmt.Errorf("%s: such a %s is encoded as a whole, and parts are for pictures that are "+
			"not in memory as a whole: want a PNG, a TIFF, or a JPEG in colour", r.Output, out.Format))
	}
	file := r.input.file
	written, err := w.there(ctx, r.Output, e.provenance(file, out.Format))
	if err != nil || written != nil {
		return worker.Writing{}, r.keep(written, err)
	}
	open := func(name string) (io.ReadCloser, error) {
		f, err := w.store.Open(ctx, name)
		return &readingPart{f, name}, worker.Fail(worker.Read, err)
	}
	joined, strips, err := e.join(file, r.Parts, open)
	if err != nil {
		return worker.Writing{}, badPart(err)
	}
	out = joined.Output(file, out.Format)
	w.remarks(r, out)
	return w.writeAlone(r, joined.Resize(file, strips), badPart, out.Encode), nil
}

// badPart gives an error of a part's file its kind.
func badPart(err error) error { return worker.Fail(worker.BadPicture, err) }

// readingPart gives errors of reading a part's file their kind.
type readingPart struct {
	io.ReadCloser
	name string
}

// Read implements io.Reader.
func (r *readingPart) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = worker.Fail(worker.Read, fmt.Errorf("%s: %w", r.name, reason(err)))
	}
	return n, err
}
