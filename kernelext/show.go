// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package kernelext

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"html"
	"image"
	"image/png"
	"reflect"
	"time"

	"github.com/janpfeifer/gonb/gonbui"
	"github.com/janpfeifer/gonb/gonbui/protocol"
)

// flushWait is the longest wait for an answer of the kernel.
const flushWait = 2 * time.Second

// Show displays a picture with one screen pixel for each of its pixels. [Strip] magnifies small
// pictures.
func Show(img image.Image) {
	data, err := encode(img)
	Check(err)
	size := img.Bounds().Size()
	name := fmt.Sprintf("picture, %dx%d", size.X, size.Y)
	showHTML("<div>"+imgHTML(data, size, name)+"</div>", name)
}

// showHTML displays a part of a page. Where pages cannot be shown, the text appears instead.
func showHTML(part, text string) {
	if !gonbui.IsNotebook {
		return
	}
	gonbui.SendData(&protocol.DisplayData{
		Data: map[protocol.MIMEType]any{protocol.MIMETextHTML: part, protocol.MIMETextPlain: text},
	})
	flush()
}

// checkPictures returns an error if one of the pictures is nil.
func checkPictures(pictures ...image.Image) error {
	for i, p := range pictures {
		if v := reflect.ValueOf(p); p == nil || v.Kind() == reflect.Pointer && v.IsNil() {
			return fmt.Errorf("picture %d of %d is nil", i+1, len(pictures))
		}
	}
	return nil
}

// encode makes a PNG file. It compresses fast, as a chart is redrawn often and a photograph seldom
// becomes much smaller.
func encode(img image.Image) ([]byte, error) {
	if err := checkPictures(img); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestSpeed}
	if err := encoder.Encode(&b, img); err != nil {
		return nil, fmt.Errorf("encoding a PNG file: %w", err)
	}
	return b.Bytes(), nil
}

// imgHTML returns an HTML image that can be beside others and shrinks with the page.
func imgHTML(data []byte, size image.Point, name string) string {
	return imgTag(data, size, name, "max-width:100%;height:auto")
}

// imgTag returns an HTML image of a size in screen pixels, with a name that is read out in its place.
// The browser knows the size in advance and decodes the image at once, so the page does not jump or
// flicker when the image is replaced.
func imgTag(data []byte, size image.Point, name, style string) string {
	return fmt.Sprintf(`<img src="data:image/png;base64,%s" width="%d" height="%d" alt="%s" decoding="sync" style="%s">`,
		base64.StdEncoding.EncodeToString(data), size.X, size.Y, html.EscapeString(name), style)
}

// flush waits until the kernel has received everything that was displayed. Without it, a cell that
// ends would lose the last outputs.
func flush() {
	if !gonbui.IsNotebook {
		return
	}
	done := make(chan struct{})
	go func() { // Workaround: gonb v0.11.5, Sync never returns if the kernel does not answer.
		gonbui.Sync()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(flushWait):
	}
}
