// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package imaging

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// waves is a picture with values that differ everywhere.
func waves(width, height int) Picture {
	p := New(width, height)
	for i := range p.Pix {
		p.Pix[i] = float32(0.9 * math.Sin(float64(i)*0.37+float64(i/3/max(width, 1))*0.9))
	}
	return p
}

// cut yields a picture in strips of the given numbers of rows, over and over.
func cut(p Picture, heights ...int) Strips {
	return func(yield func(Picture, error) bool) {
		for top, i := 0, 0; top < p.Height; i++ {
			bottom := min(p.Height, top+heights[i%len(heights)])
			if !yield(rowsOf(p, top, bottom), nil) {
				return
			}
			top = bottom
		}
	}
}

// together is the picture of strips.
func together(t *testing.T, strips Strips) (p Picture) {
	t.Helper()
	for strip, err := range strips {
		if err != nil {
			t.Fatal(err)
		}
		p.Width, p.Height, p.Pix = strip.Width, p.Height+strip.Height, append(p.Pix, strip.Pix...)
	}
	return p
}

// Resizing in strips gives the picture of resizing at once, whatever the strips and the sizes.
func TestResizeStrips(t *testing.T) {
	for _, from := range []image.Point{{1, 1}, {7, 5}, {40, 70}, {64, 200}} {
		p := waves(from.X, from.Y)
		for _, to := range []image.Point{{1, 1}, {3, 2}, {40, 70}, {25, 44}, {90, 31}, {17, 211}} {
			whole := across(across(p, matlabBicubic(from.X, to.X, float64(to.X)/float64(from.X))),
				matlabBicubic(from.Y, to.Y, float64(to.Y)/float64(from.Y)))
			for _, heights := range [][]int{{1}, {3, 17}, {1000}} {
				got := together(t, ResizeStrips(cut(p, heights...), from, to))
				if got.Width != to.X || got.Height != to.Y {
					t.Fatalf("%v to %v in strips of %d is %dx%d", from, to, heights, got.Width, got.Height)
				}
				for i, v := range got.Pix {
					if math.Abs(float64(v-whole.Pix[i])) > 1e-5 {
						t.Fatalf("%v to %v in strips of %d: value %d is %v, want %v", from, to, heights, i, v, whole.Pix[i])
					}
				}
			}
		}
	}
}

// kinds are inputs of each kind that results have.
func kinds() map[string]image.Image {
	r := image.Rect(0, 0, 5, 9)
	grey, grey16, deep, clear, full := image.NewGray(r), image.NewGray16(r), image.NewNRGBA64(r), image.NewNRGBA(r), image.NewNRGBA(r)
	for i := range 45 {
		x, y := i%5, i/5
		grey.SetGray(x, y, color.Gray{uint8(5 * i)})
		grey16.SetGray16(x, y, color.Gray16{uint16(1400 * i)})
		deep.SetNRGBA64(x, y, color.NRGBA64{uint16(1300 * i), uint16(60000 - 900*i), 777, 0xffff})
		clear.SetNRGBA(x, y, color.NRGBA{uint8(5 * i), 200, uint8(255 - 4*i), uint8(40 * x)})
		full.SetNRGBA(x, y, color.NRGBA{uint8(5 * i), 200, uint8(255 - 4*i), 255})
	}
	return map[string]image.Image{"grey": grey, "grey16": grey16, "deep": deep, "clear": clear, "full": full}
}

// A PNG that is written in strips has the bytes of one that is written at once, and a JPEG of a
// standard library's. A TIFF has its pixels.
func TestEncodeStrips(t *testing.T) {
	p := waves(37, 150)
	for name, like := range kinds() {
		for _, heights := range [][]int{{1}, {5, 40}, {1000}} {
			text := fmt.Sprintf("%s in strips of %d", name, heights)
			o := Output{Width: p.Width, Height: p.Height, Like: like, Quality: 80, Chunks: []Chunk{TextChunk("key", "text")}}
			var got, want bytes.Buffer
			o.Format = PNG
			if err := o.Encode(&got, cut(p, heights...)); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			if err := EncodePNG(&want, p.As(like), o.Chunks...); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Bytes(), want.Bytes()) {
				t.Errorf("%s: the PNG differs from one that is written at once", text)
			}

			path := filepath.Join(t.TempDir(), "p.tif")
			o.Format = TIFF
			if err := o.Write(path, cut(p, heights...)); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			back, err := Open(path)
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			equalImages(t, text+": TIFF", back, p.As(like))

			o.Format = JPEG
			got.Reset()
			if err := o.Encode(&got, cut(p, heights...)); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			decoded, err := jpeg.Decode(&got)
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			if _, grey := decoded.(*image.Gray); grey != strings.HasPrefix(name, "grey") {
				t.Errorf("%s: the JPEG is %T", text, decoded)
			}
			if name == "full" {
				want.Reset()
				if err := jpeg.Encode(&want, p.Image(), &jpeg.Options{Quality: 80}); err != nil {
					t.Fatal(err)
				}
				reference, err := jpeg.Decode(&want)
				if err != nil {
					t.Fatal(err)
				}
				equalImages(t, text+": JPEG", decoded, reference)
			}
		}
	}
}

// equalImages compares the pixels of two images.
func equalImages(t *testing.T, text string, got, want image.Image) {
	t.Helper()
	if got.Bounds().Size() != want.Bounds().Size() {
		t.Fatalf("%s: %v, want %v", text, got.Bounds().Size(), want.Bounds().Size())
	}
	for y := range got.Bounds().Dy() {
		for x := range got.Bounds().Dx() {
			a, b := color.NRGBA64Model.Convert(got.At(x, y)), color.NRGBA64Model.Convert(want.At(x, y))
			if a != b {
				t.Fatalf("%s: pixel %d,%d is %v, want %v", text, x, y, a, b)
			}
		}
	}
}

// A JPEG, a TIFF and a WebP carry the profile, the EXIF, the XMP, the density and the comment of a PNG.
func TestEncodeMetadata(t *testing.T) {
	source := filepath.Join(t.TempDir(), "in.png")
	profile := make([]byte, 70000) // two segments of a JPEG
	copy(profile, []byte{0, 1, 0x11, 0x70})
	copy(profile[16:], "RGB XYZ ")
	copy(profile[36:], "acsp")
	exif := []byte("II*\x00\x08\x00\x00\x00\x01\x00\x10\x01\x02\x00\x05\x00\x00\x00\x1a\x00\x00\x00\x00\x00\x00\x00Cam1\x00\x00")
	chunks := []Chunk{TextChunk("srdiff", `{"a":1}`), profileChunk(profile), {"pHYs", []byte{0, 0, 0x2e, 0x23, 0, 0, 0x2e, 0x23, 1}},
		{"eXIf", exif}, TextChunk(xmpKey, "<x:xmpmeta>here</x:xmpmeta>")}
	like := kinds()["full"]
	if err := WritePNG(source, like, chunks...); err != nil {
		t.Fatal(err)
	}
	in, err := Read(source)
	if err != nil {
		t.Fatal(err)
	}
	p := waves(20, 30)
	for _, format := range []Format{JPEG, TIFF, WebP} {
		path := filepath.Join(t.TempDir(), "out."+strings.ToLower(string(format)))
		o := Output{Format: format, Width: 20, Height: 30, Like: like, Quality: 90,
			Chunks: append(append([]Chunk{chunks[0]}, in.Colour...), in.Metadata...)}
		if err := o.Write(path, cut(p, 7)); err != nil {
			t.Fatal(err)
		}
		if omitted := o.Omitted(); len(omitted) > 0 {
			t.Errorf("%s: %q", format, omitted)
		}
		out, err := Read(path)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.EqualFunc(out.Colour, in.Colour, func(a, b Chunk) bool { return a.Type == b.Type && bytes.Equal(a.Data, b.Data) }) {
			t.Errorf("%s: the profile is not kept; remarks %q", format, out.Remarks)
		}
		a, b := aboutOf(out.Metadata), aboutOf(in.Metadata)
		if a.xmp != b.xmp || !bytes.Contains(a.exif, []byte("Cam1")) || math.Abs(float64(a.density.x)-float64(b.density.x)) > 20 || !a.density.metre {
			t.Errorf("%s: kept %q, %q and %v, want %q, %q and %v", format, a.xmp, a.exif, a.density, b.xmp, b.exif, b.density)
		}
		if text, err := Text(path, "srdiff"); err != nil || text != `{"a":1}` {
			t.Errorf("%s: the text is %q, %v", format, text, err)
		}
		if err := Complete(path); err != nil {
			t.Errorf("%s: %v", format, err)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data[:len(data)-40], 0o666); err != nil {
			t.Fatal(err)
		}
		if err := Complete(path); err == nil {
			t.Errorf("%s: a truncated file is complete", format)
		}
	}
}

// An error of the strips is the encoder's, and strips of a wrong size are an error.
func TestEncodeErrors(t *testing.T) {
	failed := errors.New("no more")
	p := waves(8, 40)
	for format, bad := range map[string]Strips{
		"no more":       func(yield func(Picture, error) bool) { _ = yield(rowsOf(p, 0, 20), nil) && yield(Picture{}, failed) },
		"are not its":   cut(rowsOf(p, 0, 30), 10),
		"are not  rows": cut(waves(9, 40), 10),
	} {
		for _, f := range []Format{PNG, JPEG, TIFF, WebP} {
			path := filepath.Join(t.TempDir(), "out")
			err := (Output{Format: f, Width: 8, Height: 40, Like: kinds()["full"], Quality: 50}).Write(path, bad)
			if err == nil || format == "no more" && !errors.Is(err, failed) {
				t.Errorf("%s, %s: got %v", f, format, err)
			}
			if _, err := os.Stat(path); err == nil {
				t.Errorf("%s, %s: there is a file", f, format)
			}
		}
	}
}

// The rows of an opaque picture are Visible's, and so are those of a transparent one.
func TestVisibleRows(t *testing.T) {
	for name, img := range kinds() {
		whole, rows := Visible(img), VisibleRows(img)
		for _, r := range [][2]int{{0, 9}, {3, 4}, {7, 9}} {
			if got := rows(r[0], r[1]); !slices.Equal(got.Pix, rowsOf(whole, r[0], r[1]).Pix) {
				t.Errorf("%s: rows %d to %d differ", name, r[0], r[1])
			}
		}
	}
}
