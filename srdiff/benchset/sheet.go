// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package benchset

import (
	"fmt"
	"image"

	"github.com/srdiff/srlab/srdiff/imaging"
	"golang.org/x/image/draw"
)

// Sheet collects pictures of a set for a contact sheet: a row for each, with the low-resolution
// picture enlarged to the original's size pixel by pixel, the results, and the original.
type Sheet struct {
	columns  int
	captions []string
	cells    []image.Image
}

// Add adds a row.
func (s *Sheet) Add(p Pair, results []Result) {
	s.columns = len(results) + 2
	full := image.NewNRGBA(image.Rect(0, 0, p.Original.Width, p.Original.Height))
	low := p.Low.Image()
	draw.NearestNeighbor.Scale(full, full.Bounds(), low, low.Bounds(), draw.Src, nil)
	s.add(p.Name+", low resolution", full)
	for _, r := range results {
		s.add(fmt.Sprintf("%s, %.2f dB", r.Enlarger, r.Score.PSNR), r.Picture.Image())
	}
	s.add("original", p.Original.Image())
}

func (s *Sheet) add(caption string, img image.Image) {
	s.captions, s.cells = append(s.captions, caption), append(s.cells, img)
}

// Image draws the sheet, at full size.
func (s *Sheet) Image() *image.NRGBA { return imaging.Grid(s.columns, s.captions, s.cells...) }
