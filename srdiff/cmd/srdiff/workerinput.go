// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/srdiff/srlab/srdiff/imaging"
	"github.com/srdiff/srlab/srdiff/internal/worker"
)

// beside is the share of the memory that the picture may take that is read ahead, and the same share
// for what an encoder holds while the next result is made.
const beside = 1. / 16

// inputMemory is the most that a decoded pixel takes: see imaging.MemoryOf.
const inputMemory = 8 + 16

// picture is an input of a job. Small ones are decoded ahead. Of a large one, only the beginning of its
// file is.
type picture struct {
	name   string
	file   *imaging.File // nil until it is decoded
	bytes  int64         // size of its file, when it is decoded
	source io.ReadCloser // what is still to be decoded
}

// readAhead reads a picture as far as the memory beside other work allows.
func (w *workerProgram) readAhead(ctx context.Context, name string) (*picture, error) {
	source, err := w.store.Open(ctx, name)
	if err != nil {
		return nil, worker.Fail(worker.Read, err)
	}
	p := &picture{name: name, source: source}
	most := int64(beside * float64(w.allowed()))
	head, err := io.ReadAll(io.LimitReader(source, most))
	if err != nil {
		source.Close()
		return nil, worker.Fail(worker.Read, fmt.Errorf("%s: %w", name, reason(err)))
	}
	p.source = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(head), source), source}
	if n := int64(len(head)); n < most {
		width, height, err := imaging.DecodeSize(bytes.NewReader(head))
		if err != nil || n+inputMemory*int64(width)*int64(height) <= most {
			return p, p.decode() // it returns the error of the size too
		}
	}
	return p, nil
}

// decode decodes the picture, unless that was done.
func (p *picture) decode() error {
	if p.file != nil {
		return nil
	}
	defer p.source.Close()
	counted := &countingReader{r: p.source}
	file, err := imaging.ReadFrom(counted)
	p.source = nil // it holds the file's bytes
	switch {
	case counted.err != nil:
		return worker.Fail(worker.Read, fmt.Errorf("%s: %w", p.name, reason(counted.err)))
	case err != nil:
		return worker.Fail(worker.BadPicture, fmt.Errorf("%s: %w", p.name, err))
	}
	p.file, p.bytes = file, counted.n
	return nil
}

// countingReader counts bytes and remembers an error.
type countingReader struct {
	r   io.Reader
	n   int64
	err error
}

// Read implements io.Reader.
func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	if err != nil && err != io.EOF {
		c.err = err
	}
	return n, err
}
