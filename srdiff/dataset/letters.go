// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package dataset

import (
	"image"
	"math"
	"math/rand/v2"
	"sync"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goitalic"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"
)

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// The outlines are read at this many pixels per em and scaled from there.
const unitsPerEm = 64

var fonts = sync.OnceValue(func() []*sfnt.Font {
	var all []*sfnt.Font
	for _, ttf := range [][]byte{goregular.TTF, gobold.TTF, goitalic.TTF} {
		if f, err := sfnt.Parse(ttf); err == nil { // it is compiled in; the tests see to it that it parses
			all = append(all, f)
		}
	}
	return all
})

// word paints one to five letters of a height of about 2r, rotated about their left end at (x, y).
func (c *canvas) word(rng *rand.Rand, x, y, r float64, p paint) {
	f := fonts()[rng.IntN(len(fonts()))]
	angle := 0.3 * rng.NormFloat64()
	sin, cos := math.Sincos(angle)
	scale := 2.5 * r / unitsPerEm
	outline := vector.NewRasterizer(c.side, c.side)
	var buffer sfnt.Buffer
	pen := 0.0
	for range 1 + rng.IntN(5) {
		glyph, err := f.GlyphIndex(&buffer, rune(alphabet[rng.IntN(len(alphabet))]))
		if err != nil {
			continue
		}
		place := func(at fixed.Point26_6) (float32, float32) {
			u, v := scale*(pen+float64(at.X)/64), scale*float64(at.Y)/64
			return float32(x + cos*u - sin*v), float32(y + sin*u + cos*v)
		}
		segments, err := f.LoadGlyph(&buffer, glyph, fixed.I(unitsPerEm), nil)
		if err != nil {
			continue
		}
		for _, s := range segments {
			x0, y0 := place(s.Args[0])
			x1, y1 := place(s.Args[1])
			switch s.Op {
			case sfnt.SegmentOpMoveTo:
				outline.MoveTo(x0, y0)
			case sfnt.SegmentOpLineTo:
				outline.LineTo(x0, y0)
			case sfnt.SegmentOpQuadTo:
				outline.QuadTo(x0, y0, x1, y1)
			case sfnt.SegmentOpCubeTo:
				x2, y2 := place(s.Args[2])
				outline.CubeTo(x0, y0, x1, y1, x2, y2)
			}
		}
		outline.ClosePath()
		if advance, err := f.GlyphAdvance(&buffer, glyph, fixed.I(unitsPerEm), font.HintingNone); err == nil {
			pen += float64(advance) / 64
		}
	}
	mask := image.NewAlpha(image.Rect(0, 0, c.side, c.side))
	outline.Draw(mask, mask.Bounds(), image.Opaque, image.Point{})
	for i, alpha := range mask.Pix {
		if alpha > 0 && c.open[i] > 0 {
			c.put(i%c.side, i/c.side, float32(alpha)/255, &p)
		}
	}
}
