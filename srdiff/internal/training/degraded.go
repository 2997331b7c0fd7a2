// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package training

import (
	"encoding/binary"
	"iter"
	"math/rand/v2"

	"github.com/gomlx/gomlx/ml/train"
	"github.com/srdiff/srlab/srdiff/degrade"
)

// Degraded adds to batches of pictures x_0 their low-resolution pictures and noise levels, made on
// the host. They follow from the seed and the number of the picture.
type Degraded struct {
	train.Dataset
	Degradation degrade.Degradation
	Factor      int
	Seed        int64
	First       int // number of the first batch
}

// Iter implements train.Dataset.
func (d Degraded) Iter() iter.Seq2[train.Batch, error] {
	return func(yield func(train.Batch, error) bool) {
		n := d.First
		for batch, err := range d.Dataset.Iter() {
			if err == nil {
				if err = d.add(&batch, n); err != nil {
					err = &BatchError{err}
				}
			}
			if !yield(batch, err) || err != nil {
				return
			}
			n++
		}
	}
}

func (d Degraded) add(batch *train.Batch, n int) error {
	x0 := batch.Inputs[0]
	size := x0.Shape().Dimensions[0]
	low, level, err := degrade.Batch(d.Degradation, x0, d.Factor, func(i int) *rand.Rand {
		var key [32]byte
		binary.LittleEndian.PutUint64(key[:], uint64(d.Seed))
		binary.LittleEndian.PutUint64(key[8:], uint64(n*size+i))
		return rand.New(rand.NewChaCha8(key))
	})
	batch.Inputs = append(batch.Inputs, low, level)
	return err
}
