// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package course

import (
	"path/filepath"

	"github.com/srdiff/srlab/kernelext"
	"github.com/srdiff/srlab/srdiff/imaging"
)

// shown are the photographs of photos/test that lessons show, the clearest ones first.
var shown = []string{
	"avatar-parrot", "cat-jasmina", "thing-firetruck", "avatar-car", "avatar-dog", "theme-red-hibiscus-closeup",
	"puzzle-european-honey-bee", "avatar-owl",
}

// Photos returns the first n of eight photographs that no model has seen, as squares of size pixels:
// whole things, made small.
func Photos(n, size int) (photos []imaging.Picture) {
	for _, name := range shown[:n] {
		p := imaging.FromImage(kernelext.Must(imaging.Open(filepath.Join("photos", "test", name+".jpg"))))
		side := min(p.Width, p.Height)
		photos = append(photos, imaging.Shrink(p.CentreCrop(side), "matlab-bicubic", size, size, 0))
	}
	return photos
}

// Photo returns photograph i of [Photos].
func Photo(i, size int) imaging.Picture { return Photos(i+1, size)[i] }
