// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/srdiff/srlab/srdiff"
	"github.com/srdiff/srlab/srdiff/imaging"
	"github.com/srdiff/srlab/srdiff/internal/storage"
	"github.com/srdiff/srlab/srdiff/internal/worker"
)

// upscale begins to make the result of a job, with the tiles of srdiff upscale, so that it has the same
// bytes. Where half of the memory is enough, its first strip is made while the result before is written,
// and the others while it is written itself.
func (w *workerProgram) upscale(ctx context.Context, r *request) (worker.Writing, error) {
	e, out, err := w.prepare(r)
	if err != nil {
		return worker.Writing{}, err
	}
	file := r.input.file
	written, err := w.there(ctx, r.Output, e.provenance(file, out.Format))
	if err != nil || written != nil {
		return worker.Writing{}, r.keep(written, err)
	}
	w.remarks(r, out)
	began := time.Now()
	write := func(ctx context.Context, strips imaging.Strips) error {
		return w.writeStrips(ctx, r, began, e.Resize(file, strips), modelError, out.Encode)
	}
	strips := w.enlargeWithin(ctx, e, file, w.allowed()-out.Memory())
	need, err := e.memory(file, w.allowed()-out.Memory())
	if most := int64(beside * float64(w.allowed())); err == nil && need+most <= w.allowed()/2 && out.Memory() <= most {
		writing, err := sideBySide(ctx, strips, file.Image.Bounds().Dy()*e.m.Config.Factor, write)
		return writing, modelError(err)
	}
	return alone(func(ctx context.Context) error { return write(ctx, strips) }), nil
}

// writeStrips writes a request's file, which encode makes of strips, and describes it. Errors of the strips
// get their kind from ofStrips.
func (w *workerProgram) writeStrips(ctx context.Context, r *request, began time.Time, strips imaging.Strips, ofStrips func(error) error,
	encode func(io.Writer, imaging.Strips) error) error {
	var failed error // of the strips
	written, err := w.store.Write(ctx, r.Output, func(to io.Writer) error { return encode(to, recordingError(strips, &failed)) })
	if failed != nil {
		return ofStrips(failed)
	}
	r.made.New, r.made.Seconds = true, time.Since(began).Seconds()
	return worker.Fail(worker.Write, r.keep(&written, err))
}

// prepare returns what a request's result is made with, and what it is like.
func (w *workerProgram) prepare(r *request) (*enlarger, imaging.Output, error) {
	file := r.input.file
	e, err := w.enlarger(r, cmp.Or(r.size.scale(file.Image.Bounds().Size()), defaultTimes))
	if err != nil {
		return nil, imaging.Output{}, err
	}
	format := imaging.FormatOf(storage.Base(r.Output))
	if err := e.checkPicture(e.m.Config, file, format); err != nil {
		return nil, imaging.Output{}, worker.Fail(worker.BadPicture, fmt.Errorf("%s: %w", r.Input, err))
	}
	out := e.Output(file, format)
	r.made.Width, r.made.Height = out.Width, out.Height
	return e, out, nil
}

// keep describes a result that is written, or was there already.
func (r *request) keep(written *storage.Written, err error) error {
	if err == nil {
		r.made.BytesOut, r.made.SHA256 = written.Bytes, written.SHA256
	}
	return err
}

// remarks prints what of the input is not in the result.
func (w *workerProgram) remarks(r *request, out imaging.Output) {
	for _, remark := range append(r.input.file.Remarks, out.Omitted()...) {
		w.remark(r.Input, remark)
	}
}

// enlargeWithin enlarges a picture with so many bytes of memory, where an error says how many the whole
// program may use.
func (w *workerProgram) enlargeWithin(ctx context.Context, e *enlarger, file *imaging.File, memory int64) imaging.Strips {
	limited := *e
	limited.sampling.Memory = memory
	return func(yield func(imaging.Picture, error) bool) {
		if memory < 1 { // a model that makes the whole of a small picture at once would not ask
			size := e.size.of(file.Image.Bounds().Size(), e.m.Config.Factor)
			yield(imaging.Picture{}, &srdiff.MemoryError{Width: size.X, Height: size.Y, Need: w.allowed() - memory, Allowed: w.allowed()})
			return
		}
		for strip, err := range limited.Enlarge(ctx, file, nil, nil) {
			if e, ok := errors.AsType[*srdiff.MemoryError](err); ok {
				e.Need, e.Allowed = e.Need+w.allowed()-memory, w.allowed()
			}
			if !yield(strip, err) {
				return
			}
		}
	}
}
