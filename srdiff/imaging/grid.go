// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package imaging

import (
	"image"
	"sync"

	"golang.org/x/image/draw"
	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
)

const (
	gap       = 8   // Pixels between cells and around the sheet.
	zoomTo    = 128 // Smaller pictures are magnified up to this side.
	textSize  = 13  // Pixels.
	textBelow = 4   // Pixels between a picture and its caption.
)

// captionFont is parsed once; faces of it are cheap but each serves one goroutine only.
var captionFont = sync.OnceValue(func() *sfnt.Font {
	f, err := opentype.Parse(goregular.TTF)
	if err != nil {
		panic(err) // The font is compiled in.
	}
	return f
})

// Grid draws pictures on a white sheet, each above its caption, in rows with the given number of
// columns (at least 1). A picture whose longer side is below 128 pixels is magnified by a whole
// factor, so that its pixels are visible: 32x32 becomes 128x128. A column is as wide as its widest
// picture or caption. There may be fewer captions than pictures, or none; captions are single lines
// in Latin, Greek or Cyrillic script.
func Grid(columns int, captions []string, pictures ...image.Image) *image.NRGBA {
	face, err := opentype.NewFace(captionFont(), &opentype.FaceOptions{Size: textSize, DPI: 72, Hinting: font.HintingFull})
	if err != nil {
		panic(err) // The options are constants.
	}
	columns = min(max(columns, 1), max(len(pictures), 1))
	rows := (len(pictures) + columns - 1) / columns
	metrics := face.Metrics()
	textHeights := make([]int, rows) // Of the rows that have captions: one may stand for all below it.
	for row := range min(rows, (len(captions)+columns-1)/columns) {
		textHeights[row] = textBelow + (metrics.Ascent + metrics.Descent).Ceil()
	}
	caption := func(i int) string {
		if i < len(captions) {
			return captions[i]
		}
		return ""
	}

	widths, heights := make([]int, columns), make([]int, rows) // Of the cells, without captions' height.
	for i, p := range pictures {
		size := shownSize(p)
		col, row := i%columns, i/columns
		widths[col] = max(widths[col], size.X, font.MeasureString(face, caption(i)).Ceil())
		heights[row] = max(heights[row], size.Y)
	}

	// Drawing is fastest on RGBA. The sheet is opaque, so its bytes are those of an NRGBA too.
	sheet := image.NewRGBA(image.Rect(0, 0, gap+sum(widths)+columns*gap, gap+sum(heights)+sum(textHeights)+rows*gap))
	draw.Draw(sheet, sheet.Bounds(), image.White, image.Point{}, draw.Src)
	text := font.Drawer{Dst: sheet, Src: image.Black, Face: face}
	corner := image.Pt(gap, gap) // Of the cell.
	for i, p := range pictures {
		col, row := i%columns, i/columns
		size := shownSize(p)
		at := corner.Add(image.Pt((widths[col]-size.X)/2, heights[row]-size.Y))
		draw.NearestNeighbor.Scale(sheet, image.Rectangle{Min: at, Max: at.Add(size)}, p, p.Bounds(), draw.Over, nil)
		left := corner.X + (widths[col]-text.MeasureString(caption(i)).Ceil())/2
		text.Dot = fixed.P(left, corner.Y+heights[row]+textBelow+metrics.Ascent.Ceil())
		text.DrawString(caption(i))
		corner.X += widths[col] + gap
		if col == columns-1 {
			corner = image.Pt(gap, corner.Y+heights[row]+textHeights[row]+gap)
		}
	}
	return &image.NRGBA{Pix: sheet.Pix, Stride: sheet.Stride, Rect: sheet.Rect}
}

// shownSize is a picture's size on the sheet.
func shownSize(p image.Image) image.Point {
	size := p.Bounds().Size()
	return size.Mul(max(zoomTo/max(size.X, size.Y, 1), 1))
}

func sum(values []int) (total int) {
	for _, v := range values {
		total += v
	}
	return total
}
