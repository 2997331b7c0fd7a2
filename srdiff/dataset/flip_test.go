// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package dataset

import (
	"context"
	"slices"
	"testing"
)

// About half of the pictures are mirrored, the same ones every time, and all others are as they
// were.
func TestFlip(t *testing.T) {
	const pictures, size = 200, 8
	src, err := Open(context.Background(), "generated", Options{Size: size})
	if err != nil {
		t.Fatal(err)
	}
	flip, again, other := Flip(src, 1), Flip(src, 1), Flip(src, 2)
	read := func(s Source, i uint64) []float32 {
		pix := make([]float32, size*size*3)
		if err := s.Picture(i, pix); err != nil {
			t.Fatal(err)
		}
		return pix
	}
	mirrored, differ := 0, 0
	for i := range uint64(pictures) {
		plain, got := read(src, i), read(flip, i)
		if !slices.Equal(got, read(again, i)) {
			t.Fatalf("picture %d is another one the second time", i)
		}
		if !slices.Equal(got, read(other, i)) {
			differ++
		}
		if slices.Equal(got, plain) {
			continue
		}
		mirrored++
		for y := range size {
			for x := range size {
				at, from := 3*(y*size+x), 3*(y*size+size-1-x)
				if !slices.Equal(got[at:at+3], plain[from:from+3]) {
					t.Fatalf("picture %d, pixel %d,%d is not its mirror image's", i, x, y)
				}
			}
		}
	}
	if mirrored < 70 || mirrored > 130 || differ < 70 || differ > 130 {
		t.Errorf("%d of %d pictures are mirrored, and %d others with another seed: want about half", mirrored, pictures, differ)
	}
	if flip.Size() != size || flip.Name() != src.Name() {
		t.Errorf("size %d, name %q", flip.Size(), flip.Name())
	}
}
