// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package dataset

// Flip mirrors half of the pictures of src, left for right: which ones follows from the seed alone, and in every epoch it is
// others.
func Flip(src Source, seed uint64) Source { return flipped{src, seed} }

type flipped struct {
	Source
	seed uint64
}

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
