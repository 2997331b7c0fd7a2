// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"iter"
	"slices"

	"github.com/srdiff/srlab/srdiff/imaging"
	"github.com/srdiff/srlab/srdiff/internal/worker"
)

// sideBySide makes the strips of a result, of so many rows in all, while write takes them. It returns
// the error of the first strip. The model is at most one strip ahead, and the last strip is written
// while the model makes the next result. The strips that wait take memory beside the model's own.
func sideBySide(ctx context.Context, strips imaging.Strips, rows int, write func(context.Context, imaging.Strips) error) (worker.Writing, error) {
	next, stop := iter.Pull2(strips)
	strip, err, _ := next()
	if err != nil {
		stop()
		return worker.Writing{}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	made := make(chan madeStrip)
	rest := func(context.Context) {
		defer stop()
		defer close(made)
		for ok := true; ok; strip, err, ok = next() {
			if rows -= strip.Height; rows > 0 {
				strip.Pix = slices.Clone(strip.Pix) // it is valid until the next one
			}
			select {
			case made <- madeStrip{strip, err}:
			case <-ctx.Done():
				return
			}
		}
	}
	taken := func(yield func(imaging.Picture, error) bool) {
		for m := range made {
			if !yield(m.strip, m.err) {
				return
			}
		}
		if ctx.Err() != nil {
			yield(imaging.Picture{}, ctx.Err())
		}
	}
	return worker.Writing{
		Write: func(context.Context) error {
			defer cancel() // the model stops if the result cannot be written
			return write(ctx, taken)
		},
		Rest: rest,
	}, nil
}

// madeStrip is a strip, or the error in its place.
type madeStrip struct {
	strip imaging.Picture
	err   error
}

// alone does all that is left of a job that takes much memory. Nothing else is made or written
// meanwhile.
func alone(do func(context.Context) error) worker.Writing {
	done := make(chan struct{})
	return worker.Writing{
		Write: func(ctx context.Context) error {
			defer close(done)
			return do(ctx)
		},
		Rest: func(context.Context) { <-done },
	}
}
