// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package training

import (
	"iter"

	"github.com/gomlx/gomlx/ml/train"
)

// BatchError is the error of a batch that could not be read. It is found again in what GoMLX's loop
// makes of it.
type BatchError struct{ Err error }

func (e *BatchError) Error() string { return e.Err.Error() }
func (e *BatchError) Unwrap() error { return e.Err }

// marking turns the errors of a dataset into BatchErrors.
type marking struct{ train.Dataset }

// Iter implements train.Dataset.
func (m marking) Iter() iter.Seq2[train.Batch, error] {
	return func(yield func(train.Batch, error) bool) {
		for batch, err := range m.Dataset.Iter() {
			if err != nil {
				err = &BatchError{err}
			}
			if !yield(batch, err) {
				return
			}
		}
	}
}
