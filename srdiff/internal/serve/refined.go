// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package serve

import (
	"encoding/binary"
	"io"
	"math"
	"os"
	"sync"

	"github.com/srdiff/srlab/srdiff"
	"github.com/srdiff/srlab/srdiff/imaging"
)

// refined keeps the mean and the detail of a result in a file, bit for bit, so that the result of
// any strength can be made without sampling again. Its rows come from the top down. They can be
// read meanwhile.
type refined struct {
	file *os.File

	mu    sync.Mutex
	more  *sync.Cond
	width int
	rows  int
	ended bool
	err   error // why there are no more rows
}

// refinedBytes is the size of a pixel in the file.
const refinedBytes = 2 * 3 * 4

func newRefined(path string) (*refined, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	k := &refined{file: file}
	k.more = sync.NewCond(&k.mu)
	return k, nil
}

// add appends rows. A row in the file is the mean's, then the detail's, as float32.
func (k *refined) add(r srdiff.Refined) {
	line := 3 * r.Mean.Width
	var b []byte
	for y := range r.Mean.Height {
		for _, part := range [][]float32{r.Mean.Pix, r.Detail.Pix} {
			for _, v := range part[y*line:][:line] {
				b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
			}
		}
	}
	_, err := k.file.WriteAt(b, refinedBytes*int64(r.Mean.Width)*int64(k.count()))
	k.mu.Lock()
	defer k.mu.Unlock()
	if err != nil && k.err == nil {
		k.err = diskError(err)
	}
	k.width = r.Mean.Width
	k.rows += r.Mean.Height
	k.more.Broadcast()
}

func (k *refined) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.rows
}

// end records that no more rows come, and the error if there is one. It returns the first error.
func (k *refined) end(err error) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.err == nil {
		k.err = err
	}
	k.ended = true
	k.more.Broadcast()
	return k.err
}

// wait waits until there are more than so many rows, and returns the width and the number of all.
func (k *refined) wait(rows int) (width, all int, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for k.rows <= rows && !k.ended && k.err == nil {
		k.more.Wait()
	}
	return k.width, k.rows, k.err
}

// strips yields the mixed rows, and waits for those that are not there yet.
func (k *refined) strips(mix func(srdiff.Refined) imaging.Picture) imaging.Strips {
	return func(yield func(imaging.Picture, error) bool) {
		for row := 0; ; {
			width, all, err := k.wait(row)
			if err == nil && row >= all {
				return
			}
			var r srdiff.Refined
			if err == nil {
				r, err = k.read(row, min(all, row+64), width)
			}
			if err != nil {
				yield(imaging.Picture{}, err)
				return
			}
			row += r.Mean.Height
			if !yield(mix(r), nil) {
				return
			}
		}
	}
}

// read reads rows from row to before end.
func (k *refined) read(row, end, width int) (srdiff.Refined, error) {
	r := srdiff.Refined{Mean: imaging.New(width, end-row), Detail: imaging.New(width, end-row)}
	line := 3 * width
	b := make([]byte, refinedBytes*width*(end-row))
	if _, err := io.ReadFull(io.NewSectionReader(k.file, refinedBytes*int64(width)*int64(row), int64(len(b))), b); err != nil {
		return r, err
	}
	for y := range end - row {
		for _, part := range [][]float32{r.Mean.Pix, r.Detail.Pix} {
			for i := range part[y*line:][:line] {
				part[y*line+i] = math.Float32frombits(binary.LittleEndian.Uint32(b))
				b = b[4:]
			}
		}
	}
	return r, nil
}

func (k *refined) close() error { return k.file.Close() }
