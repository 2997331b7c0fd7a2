// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package kernelext

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/png"
	"time"

	"github.com/janpfeifer/gonb/gonbui"
	"github.com/janpfeifer/gonb/gonbui/protocol"

	"github.com/srdiff/srlab/srdiff/imaging"
)

// flushWait bounds the wait for a kernel that does not answer any more.
const flushWait = 2 * time.Second

// Show displays a picture, one screen pixel for each of its own. Small ones are easier to see through [Strip].
func Show(img image.Image) {
	size := img.Bounds().Size()
	data, err := encode(img)
	Check(err)
	showPNG(data, size.X, fmt.Sprintf("picture, %dx%d", size.X, size.Y))
}

// Grid displays pictures in rows of so many columns, each over its caption; see [imaging.Grid].
func Grid(columns int, captions []string, pictures ...image.Image) {
	Show(imaging.Grid(columns, captions, pictures...))
}

// Strip displays pictures side by side, each over its caption; see [imaging.Grid].
func Strip(captions []string, pictures ...image.Image) {
	Grid(len(pictures), captions, pictures...)
}

// showPNG displays a PNG file at the given width on the screen. The text stands in where pictures cannot be seen.
func showPNG(data []byte, width int, text string) {
	if !gonbui.IsNotebook {
		return
	}
	gonbui.SendData(&protocol.DisplayData{
		Data:     map[protocol.MIMEType]any{protocol.MIMEImagePNG: data, protocol.MIMETextPlain: text},
		Metadata: map[string]any{string(protocol.MIMEImagePNG): map[string]int{"width": width}},
	})
	flush()
}

// encode compresses fast: a chart is redrawn often, and a picture seldom becomes much smaller.
func encode(img image.Image) ([]byte, error) {
	var b bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestSpeed}
	if err := encoder.Encode(&b, img); err != nil {
		return nil, fmt.Errorf("encoding a PNG file: %w", err)
	}
	return b.Bytes(), nil
}

// imgHTML is a PNG file inside HTML, where it can stand beside others and shrinks with the page.
func imgHTML(data []byte, size image.Point) string {
	return imgTag(data, size, "max-width:100%;height:auto")
}

// imgTag shows a PNG file in the given size on the screen. That its size is known, and that the browser waits for it,
// keep the page from jumping and flickering when it is updated in place.
func imgTag(data []byte, size image.Point, style string) string {
	return fmt.Sprintf(`<img src="data:image/png;base64,%s" width="%d" height="%d" decoding="sync" style="%s">`,
		base64.StdEncoding.EncodeToString(data), size.X, size.Y, style)
}

// flush waits until the kernel has all that was displayed: what is on its way when a cell ends is lost.
func flush() {
	if !gonbui.IsNotebook {
		return
	}
	done := make(chan struct{})
	go func() {
		gonbui.Sync()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(flushWait):
	}
}
