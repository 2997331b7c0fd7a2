// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package kernelext

import (
	"bytes"
	"encoding/base64"
	"image"
	"image/color"
	"image/png"
	"regexp"
	"strings"
	"testing"

	"github.com/janpfeifer/gonb/gonbui/protocol"
)

var imgSource = regexp.MustCompile(`<img src="data:image/png;base64,([^"]*)" width="(\d+)" height="(\d+)"`)

// pictures decodes the pictures of a page.
func pictures(t *testing.T, page string) []image.Image {
	t.Helper()
	var all []image.Image
	for _, found := range imgSource.FindAllStringSubmatch(page, -1) {
		data, err := base64.StdEncoding.DecodeString(found[1])
		if err != nil {
			t.Fatal(err)
		}
		img, err := png.Decode(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, img)
	}
	return all
}

func TestCompare(t *testing.T) {
	red, blue := color.NRGBA{R: 255, A: 255}, color.NRGBA{B: 255, A: 255}
	small := image.NewNRGBA(image.Rect(10, 10, 18, 14)) // As a part of a picture: not from (0, 0).
	small.Set(17, 13, red)
	large := image.NewNRGBA(image.Rect(0, 0, 32, 16))
	large.Set(31, 15, blue)

	theKernel.take()
	Compare(small, large, "<low>", "high")
	messages := theKernel.take()
	if len(messages) != 1 {
		t.Fatalf("%d messages", len(messages))
	}
	page, _ := messages[0].Data[protocol.MIMETextHTML].(string)
	for _, want := range []string{"&lt;low&gt;", ">high<", "resize:horizontal", "width:384px", "height:192px"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in the page", want)
		}
	}
	shown := pictures(t, page) // The one behind the other comes first.
	if len(shown) != 2 {
		t.Fatalf("%d pictures", len(shown))
	}
	for i, want := range []color.Color{blue, red} {
		if size := shown[i].Bounds().Size(); size != image.Pt(384, 192) {
			t.Errorf("picture %d is %v", i, size)
		}
		if got := color.NRGBAModel.Convert(shown[i].At(383, 191)); got != want {
			t.Errorf("picture %d ends in %v, want %v", i, got, want)
		}
	}
	if got := color.NRGBAModel.Convert(shown[1].At(383-48, 191)); got == red {
		t.Error("a pixel of the small picture is wider than 48")
	}
}

func TestCompareErrors(t *testing.T) {
	square, wide := image.NewGray(image.Rect(0, 0, 8, 8)), image.NewGray(image.Rect(0, 0, 16, 8))
	for _, test := range []struct {
		a, b     image.Image
		captions []string
		want     string
	}{
		{square, wide, nil, "pictures of 8x8 and 16x8: want two of one shape"},
		{square, image.NewGray(image.Rect(0, 0, 0, 0)), nil, "8x8 and 0x0"},
		{square, square, []string{"a", "b", "c"}, "3 captions"},
	} {
		if _, err := compareHTML(test.a, test.b, test.captions); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("error %v, want %q", err, test.want)
		}
	}
	huge := image.NewGray(image.Rect(0, 0, 1600, 400))
	if page, err := compareHTML(huge, huge, nil); err != nil || !strings.Contains(page, `width="800" height="200"`) {
		t.Errorf("a large picture: %v", err)
	}
}
