// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package kernelext

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"reflect"
	"strings"
	"testing"

	"github.com/janpfeifer/gonb/gonbui/protocol"
)

func TestShow(t *testing.T) {
	theKernel.take()
	picture := image.NewNRGBA(image.Rect(0, 0, 5, 3))
	picture.Set(4, 2, color.NRGBA{R: 200, G: 100, B: 50, A: 255})
	Show(picture)
	messages := theKernel.take()
	if len(messages) != 1 {
		t.Fatalf("%d messages", len(messages))
	}
	message := messages[0]
	data, _ := message.Data[protocol.MIMEImagePNG].([]byte)
	back, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if back.Bounds() != picture.Bounds() || color.NRGBAModel.Convert(back.At(4, 2)) != picture.At(4, 2) {
		t.Errorf("another picture came out: %v %v", back.Bounds(), back.At(4, 2))
	}
	if text := message.Data[protocol.MIMETextPlain]; text != "picture, 5x3" {
		t.Errorf("text %q", text)
	}
	if want := map[string]any{"image/png": map[string]int{"width": 5}}; !reflect.DeepEqual(message.Metadata, want) {
		t.Errorf("metadata %v, want %v", message.Metadata, want)
	}
}

// A nil picture is an error that names it, and not a panic.
func TestNilPictures(t *testing.T) {
	tile := image.NewGray(image.Rect(0, 0, 8, 8))
	var none *image.NRGBA
	for name, draw := range map[string]func(*View) error{
		"Show":             func(*View) error { _, err := encode(nil); return err },
		"Show, typed":      func(*View) error { _, err := encode(none); return err },
		"Compare":          func(*View) error { _, err := compareHTML(tile, nil, nil); return err },
		"Compare, typed":   func(*View) error { _, err := compareHTML(none, tile, nil); return err },
		"Grid":             func(*View) error { return checkPictures(tile, nil) },
		"View.Picture":     func(v *View) error { v.Picture(nil); return nil },
		"View.Strip":       func(v *View) error { v.Strip(nil, tile, none); return nil },
		"View.Grid, typed": func(v *View) error { v.Grid(1, nil, none); return nil },
	} {
		view := NewView()
		err := draw(view)
		if _, drawing := view.take(); err == nil {
			err = drawing
		}
		if err == nil || !strings.Contains(err.Error(), "is nil") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestGridAndStrip(t *testing.T) {
	theKernel.take()
	tile := image.NewGray(image.Rect(0, 0, 32, 32))
	Grid(2, nil, tile, tile, tile, tile)
	Strip([]string{"one", "two"}, tile, tile)
	messages := theKernel.take()
	if len(messages) != 2 {
		t.Fatalf("%d messages", len(messages))
	}
	sizes := make([]image.Point, 2)
	for i, message := range messages {
		config, err := png.DecodeConfig(bytes.NewReader(message.Data[protocol.MIMEImagePNG].([]byte)))
		if err != nil {
			t.Fatal(err)
		}
		sizes[i] = image.Pt(config.Width, config.Height)
	}
	if sizes[0].X != sizes[1].X || sizes[0].Y < sizes[1].Y+100 {
		t.Errorf("two rows are %v, one row is %v", sizes[0], sizes[1])
	}
}
