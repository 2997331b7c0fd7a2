// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package kernelext

import (
	"fmt"
	"html"
	"image"
	"strings"

	"golang.org/x/image/draw"
)

const (
	zoomTo      = 128 // Screen pixels. Smaller pictures are magnified up to this length.
	zoomAtLeast = 96  // Screen pixels. Many small pictures in a row are magnified up to this length.
	gap         = 8   // Screen pixels between pictures.
	pageWidth   = 860 // Screen pixels: JupyterLab has them beside its side bar in a window of 1366.
	mostZoom    = 6   // The last position of the zoom slider.
)

// equation keeps the two sides of an equation in a caption on one line.
var equation = strings.NewReplacer(" = ", "\u00a0=\u00a0")

// Grid displays pictures in rows of so many columns, each above its caption. A small picture is
// magnified by a whole factor, so that its pixels can be seen: 32x32 is shown at 128x128, and eight of
// them side by side at 96x96, so that the row fits the page. The slider below zooms further, in whole
// factors. There may be fewer captions than pictures, or none. A picture's caption is also what is read
// out in its place.
func Grid(columns int, captions []string, pictures ...image.Image) {
	grid, err := gridHTML(columns, captions, pictures)
	Check(err)
	showHTML("<div>"+grid+zoomSlider+"</div>", fmt.Sprintf("%d pictures", len(pictures)))
}

// Strip displays pictures side by side, each above its caption; see [Grid].
func Strip(captions []string, pictures ...image.Image) {
	Grid(len(pictures), captions, pictures...)
}

// zoomSlider zooms all pictures of the element that it is in. Where a notebook is not trusted, it is
// disabled.
var zoomSlider = fmt.Sprintf(`<label><small>zoom</small> <input type="range" min="1" max="%d" step="1" value="1" `+ownKeys+
	` aria-label="zoom" style="width:120px;vertical-align:middle" `+
	`oninput="for(const i of this.parentElement.parentElement.querySelectorAll('img'))i.style.zoom=this.value"></label>`, mostZoom)

// gridHTML uses the page's own ground and text colour, so that it can be read on a light and on a
// dark page.
func gridHTML(columns int, captions []string, pictures []image.Image) (string, error) {
	if err := checkPictures(pictures...); err != nil {
		return "", err
	}
	columns = min(max(columns, 1), max(len(pictures), 1))
	to := shownTo(columns, pictures)
	widths := make([]int, columns)
	for i, p := range pictures {
		widths[i%columns] = max(widths[i%columns], shownSize(p, to).X)
	}
	var b strings.Builder
	b.WriteString(`<div style="overflow-x:auto">`)
	for i, p := range pictures {
		if i%columns == 0 {
			fmt.Fprintf(&b, `<div style="display:flex;gap:%dpx;margin-bottom:8px">`, gap)
		}
		caption, name := "", fmt.Sprintf("picture %d of %d", i+1, len(pictures))
		if i < len(captions) && captions[i] != "" {
			caption, name = captions[i], captions[i]
		}
		img, err := magnified(p, to, name)
		if err != nil {
			return "", err
		}
		// The width of 0 makes a long caption wrap below its picture.
		fmt.Fprintf(&b, `<div style="flex:none;min-width:%dpx;text-align:center">%s`+
			`<div style="width:0px;min-width:100%%;white-space:pre-line;line-height:1.2">%s</div></div>`,
			widths[i%columns], img, html.EscapeString(equation.Replace(caption)))
		if i%columns == columns-1 || i == len(pictures)-1 {
			b.WriteString("</div>")
		}
	}
	b.WriteString("</div>")
	return b.String(), nil
}

// magnified returns an HTML image of a picture, small ones magnified by a whole factor up to a
// length. A page that zooms keeps the edges of its pixels.
func magnified(p image.Image, to int, name string) (string, error) {
	size := shownSize(p, to)
	large := p
	if size != p.Bounds().Size() {
		scaled := image.NewNRGBA(image.Rectangle{Max: size})
		draw.NearestNeighbor.Scale(scaled, scaled.Rect, p, p.Bounds(), draw.Src, nil)
		large = scaled
	}
	data, err := encode(large)
	if err != nil {
		return "", err
	}
	return imgTag(data, size, name, "max-width:none;image-rendering:pixelated"), nil
}

// shownTo returns the length up to which pictures are magnified in rows of so many columns. A row that
// would be too wide even at zoomAtLeast keeps its size, and the reader scrolls.
func shownTo(columns int, pictures []image.Image) int {
	longest := 1
	for _, p := range pictures {
		longest = max(longest, p.Bounds().Dx(), p.Bounds().Dy())
	}
	fits := (pageWidth/columns - gap) / longest * longest
	if fits < zoomAtLeast {
		return zoomTo
	}
	return min(fits, zoomTo)
}

// shownSize is a picture's size on the page, if it is magnified up to a length.
func shownSize(p image.Image, to int) image.Point {
	size := p.Bounds().Size()
	return size.Mul(max(to/max(size.X, size.Y, 1), 1))
}
