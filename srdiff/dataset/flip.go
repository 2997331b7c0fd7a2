// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package dataset

// Flip mirrors a random half of the pictures of src from left to right. The seed alone determines
// which ones, and each epoch has others. The result has the fingerprint of src, and skips the same
// files.
func Flip(src Source, seed uint64) Source { return flipped{src, seed} }

type flipped struct {
	Source
	seed uint64
}

func (f flipped) Fingerprint() string { return Fingerprint(f.Source) }
func (f flipped) Skipped() []error    { return Skipped(f.Source) }

func (f flipped) Picture(i uint64, dst []float32) error {
	if err := f.Source.Picture(i, dst); err != nil || flipStream.rand(f.seed, i).IntN(2) == 0 {
		return err
	}
	size := f.Size()
	for y := range size {
		row := dst[y*size*3 : (y+1)*size*3]
		for left, right := 0, size-1; left < right; left, right = left+1, right-1 {
			for c := range 3 {
				row[3*left+c], row[3*right+c] = row[3*right+c], row[3*left+c]
			}
		}
	}
	return nil
}
