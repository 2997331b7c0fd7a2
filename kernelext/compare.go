// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package kernelext

import (
	"fmt"
	"html"
	"image"

	"github.com/janpfeifer/gonb/gonbui"
	"golang.org/x/image/draw"
)

const (
	compareTo    = 384 // Screen pixels. Smaller pictures are magnified up to this length.
	compareWidth = 800 // Screen pixels. A wider picture is shown this wide.
)

// Compare shows two pictures in one frame: before on the left of a line, after on its right. The
// reader moves the line with the slider below, or drags its lower end. Up to two captions appear
// below the pictures. Both pictures must have the same ratio of width to height. The smaller is
// magnified to the size of the larger, and small pictures are both magnified by a whole factor.
// Pixels keep sharp edges.
func Compare(before, after image.Image, captions ...string) {
	frame, err := compareHTML(before, after, captions)
	Check(err)
	gonbui.DisplayHTML(frame)
	flush()
}

// compareHTML makes the line the edge of an element that can be resized. That needs no script, so
// it works in a notebook that JupyterLab does not trust, where the slider is disabled.
func compareHTML(before, after image.Image, captions []string) (string, error) {
	if err := checkPictures(before, after); err != nil {
		return "", fmt.Errorf("comparing pictures: %w", err)
	}
	a, b := before.Bounds().Size(), after.Bounds().Size()
	if a.X*b.Y != b.X*a.Y || min(a.X, a.Y, b.X, b.Y) <= 0 {
		return "", fmt.Errorf("comparing pictures of %dx%d and %dx%d: want two of one shape", a.X, a.Y, b.X, b.Y)
	}
	if len(captions) > 2 {
		return "", fmt.Errorf("comparing pictures: %d captions: want at most two", len(captions))
	}
	size := b
	if a.X > b.X {
		size = a
	}
	size = size.Mul(max(compareTo/max(size.X, size.Y), 1))
	shown := size
	if shown.X > compareWidth {
		shown = image.Pt(compareWidth, max(size.Y*compareWidth/size.X, 1))
	}
	var img, caption, name [2]string
	for i, c := range captions {
		caption[i], name[i] = html.EscapeString(c), c
	}
	for i, picture := range []image.Image{before, after} {
		large := image.NewNRGBA(image.Rectangle{Max: size})
		draw.NearestNeighbor.Scale(large, large.Rect, picture, picture.Bounds(), draw.Src, nil)
		data, err := encode(large)
		if err != nil {
			return "", err
		}
		img[i] = imgTag(data, shown, name[i], "display:block;max-width:none")
	}
	return fmt.Sprintf(`<div style="width:%[1]dpx">`+
		`<div style="position:relative;height:%[2]dpx">%[4]s`+
		`<div style="position:absolute;left:0px;top:0px;width:50%%;max-width:100%%;height:%[2]dpx;box-sizing:border-box;`+
		`overflow:hidden;resize:horizontal;border-right:2px solid #ffffff">%[3]s</div></div>`+
		`<input type="range" min="0" max="100" value="50" `+ownKeys+` aria-label="how much of the left picture" `+
		`style="width:100%%;margin:4px 0px" `+
		`oninput="this.previousElementSibling.lastElementChild.style.width=this.value+'%%'">`+
		`<div style="display:flex;justify-content:space-between"><span>%[5]s</span><span>%[6]s</span></div></div>`,
		shown.X, shown.Y, img[0], img[1], caption[0], caption[1]), nil
}
