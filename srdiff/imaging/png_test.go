// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package imaging

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/png"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// written writes data to a file.
func written(t *testing.T, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "picture")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// packed is data as zlib compresses it.
func packed(data []byte) []byte {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	w.Write(data)
	w.Close()
	return b.Bytes()
}

// spoilt is a chunk whose checksum is wrong.
func spoilt(c Chunk) []byte {
	b := c.encoded()
	b[len(b)-1]++
	return b
}

// chunksOf takes a PNG file apart, and joined puts one together.
func chunksOf(t *testing.T, data []byte) (list [][]byte) {
	t.Helper()
	types, bodies := parts(t, data)
	for i, kind := range types {
		list = append(list, Chunk{kind, bodies[i]}.encoded())
	}
	return list
}

func joined(chunks ...[]byte) []byte {
	return append([]byte(pngSignature), slices.Concat(chunks...)...)
}

func TestReadText(t *testing.T) {
	whole := withChunks(pattern(2, 2).Image(), TextChunk("srdiff", "größer"), Chunk{"tEXt", []byte("Author\x00me")},
		Chunk{"zTXt", append([]byte("Comment\x00\x00"), packed([]byte("long"))...)},
		Chunk{"iTXt", append([]byte("packed\x00\x01\x00de\x00Schlüssel\x00"), packed([]byte("longer"))...)},
		TextChunk("srdiff", "later"))
	want := map[string]string{"srdiff": "größer", "Author": "me", "Comment": "long", "packed": "longer"}
	list := chunksOf(t, whole)
	head := list[0]
	for _, test := range []struct {
		name string
		data []byte
		want map[string]string
	}{
		{"whole", whole, want},
		{"truncated in the pixels", whole[:len(whole)-20], want},
		{"truncated in the last text", joined(slices.Concat(list[:5]...), list[5][:10]), want},
		{"a checksum is wrong", joined(head, spoilt(TextChunk("srdiff", "bad")), list[2]), map[string]string{"Author": "me"}},
		{"behind the pixels", joined(head, list[6], list[1], list[7]), nil},
		{"no key", joined(head, Chunk{"tEXt", []byte("text")}.encoded(), list[6]), nil},
		{"a chunk as long as can be", joined(head, []byte("\xff\xff\xff\xfftEXtsrdiff\x00text")), nil},
		{"zTXt that is not packed", joined(head, Chunk{"zTXt", []byte("a\x00\x00text")}.encoded()), nil},
		{"zTXt of another method", joined(head, Chunk{"zTXt", []byte("a\x00\x07text")}.encoded()), nil},
		{"iTXt truncated", joined(head, Chunk{"iTXt", []byte("a\x00\x00\x00text")}.encoded()), nil},
		{"no PNG file", []byte("BM no PNG"), nil},
		{"empty", nil, nil},
	} {
		if got, err := ReadText(written(t, test.data)); err != nil || !maps.Equal(got, test.want) {
			t.Errorf("%s: %q, %v, want %q", test.name, got, err, test.want)
		}
	}
	if _, err := ReadText(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if _, err := ReadText(t.TempDir()); err == nil {
		t.Error("a folder has texts")
	}
}

// Every cut and every changed byte of a PNG file is noticed.
func TestComplete(t *testing.T) {
	whole := withChunks(pattern(9, 9).Image(), TextChunk("srdiff", "text"))
	path := filepath.Join(t.TempDir(), "a.png")
	complete := func(data []byte) error {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		err := Complete(path)
		if err != nil {
			oneLine(t, err, path)
		}
		return err
	}
	for _, good := range [][]byte{whole, append(slices.Clone(whole), "what follows the end"...)} {
		if err := complete(good); err != nil {
			t.Error(err)
		}
	}
	for n := range whole {
		if err := complete(whole[:n]); err == nil || !strings.Contains(err.Error(), "truncated") {
			t.Fatalf("the first %d of %d bytes: %v", n, len(whole), err)
		}
		harmed := slices.Clone(whole)
		harmed[n] ^= 0x10
		if complete(harmed) == nil {
			t.Fatalf("byte %d is harmed and the file is whole", n)
		}
	}
	list := chunksOf(t, whole)
	for _, bad := range [][]byte{joined(list[1:]...), joined(list[0], list[3])} {
		if err := complete(bad); err == nil || !strings.Contains(err.Error(), "damaged") {
			t.Error(err)
		}
	}
	if err := Complete(path + "x"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// What libpng and browsers read is read, to the last pixel.
func TestDecodeLenientPNG(t *testing.T) {
	plain := pattern(9, 7).Image()
	glass := filled(image.NewNRGBA(image.Rect(0, 0, 9, 7)), color.NRGBA{1, 2, 3, 4})
	paletted := image.NewPaletted(image.Rect(0, 0, 9, 7), color.Palette{color.NRGBA{9, 8, 7, 255}, color.NRGBA{6, 5, 4, 99}})
	for i := range paletted.Pix {
		paletted.Pix[i] = uint8(i % 2)
	}
	grey := filled(image.NewGray(image.Rect(0, 0, 9, 7)), color.Gray{77})
	for name, img := range map[string]image.Image{"colours": plain, "glass": glass, "palette": paletted, "grey": grey} {
		list := chunksOf(t, encoded(png.Encode, img)) // IHDR, PLTE and tRNS if there are any, IDAT, IEND
		last := len(list) - 1
		front, pixels, end := slices.Concat(list[:last-1]...), list[last-1], list[last]
		body := pixels[8 : len(pixels)-4]
		idat := func(b ...[]byte) []byte { return Chunk{"IDAT", slices.Concat(b...)}.encoded() }
		r, err := zlib.NewReader(bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		wrongSum := slices.Clone(body)
		wrongSum[len(wrongSum)-1]++
		for lenience, data := range map[string][]byte{
			"text with a wrong checksum":     joined(front, spoilt(TextChunk("a", "b")), pixels, end),
			"gAMA with a wrong checksum":     joined(list[0], spoilt(Chunk{"gAMA", []byte{0, 0, 0, 1}}), front[len(list[0]):], pixels, end),
			"unknown chunk":                  joined(front, Chunk{"abCd", []byte("junk")}.encoded(), pixels, end),
			"unknown chunk, wrong checksum":  joined(front, spoilt(Chunk{"abCd", []byte("junk")}), pixels, end),
			"text behind the pixels, broken": joined(front, pixels, spoilt(TextChunk("a", "b")), end),
			"broken EXIF":                    joined(front, Chunk{"eXIf", []byte("MM\x00*\xff\xff\xff\xff")}.encoded(), pixels, end),
			"garbled gAMA, pHYs and iCCP": joined(front, Chunk{"gAMA", nil}.encoded(), Chunk{"pHYs", []byte{1}}.encoded(),
				Chunk{"iCCP", []byte("x")}.encoded(), pixels, end),
			"tRNS of a wrong length":         joined(list[0], Chunk{"tRNS", make([]byte, 300)}.encoded(), front[len(list[0]):], pixels, end),
			"tRNS twice, the second broken":  joined(front, spoilt(Chunk{"tRNS", []byte{1, 2}}), pixels, end),
			"bytes behind the pixels":        joined(front, idat(body, []byte("more")), end),
			"a chunk behind the pixels":      joined(front, pixels, idat([]byte("more")), end),
			"an empty chunk of pixels":       joined(front, idat(), idat(body[:5]), idat(), idat(body[5:]), idat(), end),
			"too many rows":                  joined(front, idat(packed(slices.Concat(raw, raw))), end),
			"a wrong checksum of the pixels": joined(front, idat(wrongSum), end),
			"bytes behind the end":           joined(front, pixels, end, []byte("and what an editor left behind")),
			"chunks behind the end":          joined(front, pixels, end, front, pixels),
		} {
			got, err := Decode(bytes.NewReader(data))
			if err != nil {
				t.Errorf("%s, %s: %v", name, lenience, err)
				continue
			}
			samePixels(t, name+", "+lenience, got, img)
		}
		for damage, data := range map[string][]byte{
			"no end":                       joined(front, pixels),
			"no pixels":                    joined(front, end),
			"header with a wrong checksum": joined(append(slices.Clone(list[0][:len(list[0])-1]), 1), front[len(list[0]):], pixels, end),
			"pixels with a wrong checksum": joined(front, spoilt(Chunk{"IDAT", body}), end),
			"a row too few":                joined(front, idat(packed(raw[:len(raw)-10])), end),
			"a byte too few":               joined(front, idat(packed(raw[:len(raw)-1])), end),
			"half of the pixels":           joined(front, idat(body[:len(body)/2]), end),
			"an essential unknown chunk":   joined(front, Chunk{"CgBI", []byte("junk")}.encoded(), pixels, end),
			"two headers":                  joined(front, list[0], pixels, end),
		} {
			if img, err := Decode(bytes.NewReader(data)); err == nil {
				t.Errorf("%s, %s: read as %v", name, damage, img.Bounds())
			}
		}
	}
}

// samePixels checks sizes, colours and opacity.
func samePixels(t *testing.T, name string, got, want image.Image) {
	t.Helper()
	g, w := got.Bounds(), want.Bounds()
	if g.Size() != w.Size() {
		t.Errorf("%s is %v, want %v", name, g.Size(), w.Size())
		return
	}
	for y := range g.Dy() {
		for x := range g.Dx() {
			a := color.NRGBA64Model.Convert(got.At(g.Min.X+x, g.Min.Y+y))
			b := color.NRGBA64Model.Convert(want.At(w.Min.X+x, w.Min.Y+y))
			if a != b {
				t.Errorf("%s: %d,%d is %v, want %v", name, x, y, a, b)
				return
			}
		}
	}
}

// interlaced pixels with something behind them are read as others are.
func TestDecodeLenientInterlaced(t *testing.T) {
	const size = 5
	header := binary.BigEndian.AppendUint32(nil, size)
	header = append(binary.BigEndian.AppendUint32(header, size), 8, 0, 0, 0, 1)
	var raw []byte // seven passes: pixels are their pass's number
	for pass, p := range [][2]int{{1, 1}, {1, 1}, {2, 1}, {1, 2}, {3, 1}, {2, 3}, {5, 2}} {
		for range p[1] {
			raw = append(append(raw, 0), bytes.Repeat([]byte{byte(pass + 1)}, p[0])...)
		}
	}
	data := joined(Chunk{"IHDR", header}.encoded(), Chunk{"IDAT", append(packed(raw), "more"...)}.encoded(), Chunk{Type: "IEND"}.encoded())
	img, err := Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	want := image.NewGray(image.Rect(0, 0, size, size))
	copy(want.Pix, []byte{1, 6, 4, 6, 2, 7, 7, 7, 7, 7, 5, 6, 5, 6, 5, 7, 7, 7, 7, 7, 3, 6, 4, 6, 3})
	samePixels(t, "interlaced", img, want)
}
