// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package imaging

import (
	"image"
	"slices"
	"testing"
)

func TestUprightEqualsPillow(t *testing.T) {
	stored := image.NewGray(image.Rect(10, 20, 13, 22))
	copy(stored.Pix, []uint8{0, 1, 2, 3, 4, 5})
	for i, want := range readGoldens(t).Turned {
		img := upright(stored, i+1)
		b := img.Bounds()
		if b.Dx() != len(want[0]) || b.Dy() != len(want) {
			t.Errorf("orientation %d: got %v, want %dx%d", i+1, b, len(want[0]), len(want))
			continue
		}
		for y, row := range want {
			for x, v := range row {
				if r, _, _, _ := img.At(b.Min.X+x, b.Min.Y+y).RGBA(); uint8(r>>8) != v {
					t.Errorf("orientation %d: pixel %d,%d is %d, want %d", i+1, x, y, r>>8, v)
				}
			}
		}
	}
}

// tiffWith returns EXIF data with one directory entry.
func tiffWith(bigEndian bool, tag, kind, value byte) []byte {
	if bigEndian {
		return []byte{'M', 'M', 0, '*', 0, 0, 0, 8, 0, 1, 1, tag, 0, kind, 0, 0, 0, 1, 0, value, 0, 0}
	}
	return []byte{'I', 'I', '*', 0, 8, 0, 0, 0, 1, 0, tag, 1, kind, 0, 1, 0, 0, 0, value, 0, 0, 0}
}

func TestOrientation(t *testing.T) {
	good := tiffWith(true, 0x12, 3, 6)
	far := slices.Clone(good)
	copy(far[4:], []byte{0xff, 0xff, 0xff, 0xff})
	many := slices.Clone(good)
	copy(many[8:], []byte{0xff, 0xff})
	many[11]++ // Another tag, so that the missing entries are looked for.
	for _, test := range []struct {
		name string
		tiff []byte
		want int
	}{
		{"big endian", good, 6},
		{"little endian", tiffWith(false, 0x12, 3, 8), 8},
		{"another tag", tiffWith(true, 0x13, 3, 6), 1},
		{"another type", tiffWith(true, 0x12, 4, 6), 1},
		{"zero", tiffWith(true, 0x12, 3, 0), 1},
		{"nine", tiffWith(true, 0x12, 3, 9), 1},
		{"none", nil, 1},
		{"not TIFF", []byte("JUNKJUNKJUNK"), 1},
		{"header cut short", good[:6], 1},
		{"entry cut short", good[:18], 1},
		{"directory beyond the end", far, 1},
		{"fewer entries than it says", many, 1},
	} {
		if got := orientation(test.tiff); got != test.want {
			t.Errorf("%s: %d, want %d", test.name, got, test.want)
		}
	}
}

// jpegHead puts segments behind a start-of-image marker.
func jpegHead(segments ...[]byte) []byte {
	return append([]byte{0xff, 0xd8}, slices.Concat(segments...)...)
}

func segment(marker byte, body string) []byte {
	size := len(body) + 2
	return append([]byte{0xff, marker, byte(size >> 8), byte(size)}, body...)
}

func TestExif(t *testing.T) {
	app0, app1 := segment(0xe0, "JFIF\x00"), segment(0xe1, "Exif\x00\x00data")
	for _, test := range []struct {
		name string
		jpeg []byte
		want string
	}{
		{"first", jpegHead(app1), "data"},
		{"second", jpegHead(app0, app1), "data"},
		{"after fill bytes", jpegHead(app0, []byte{0xff, 0xff}, app1), "data"},
		{"after other metadata", jpegHead(segment(0xe1, "http://ns.adobe.com/xap/1.0/\x00"), app1), "data"},
		{"in another segment", jpegHead(segment(0xe2, "Exif\x00\x00data")), ""},
		{"after the scan", jpegHead(segment(0xda, ""), app1), ""},
		{"cut short", jpegHead(app1[:8]), ""},
		{"segment of size 0", jpegHead([]byte{0xff, 0xe0, 0, 0}, app1), ""},
		{"nothing", nil, ""},
		{"one byte", []byte{0xff}, ""},
	} {
		if got := string(metadata("jpeg", test.jpeg).exif); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func FuzzExif(f *testing.F) {
	f.Add(jpegHead(segment(0xe0, "JFIF\x00"), segment(0xe1, "Exif\x00\x00"+string(tiffWith(true, 0x12, 3, 6)))))
	f.Add(jpegHead(segment(0xe1, "Exif\x00\x00"+string(tiffWith(false, 0x12, 3, 3)))))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, tiff := range [][]byte{data, metadata("jpeg", data).exif} {
			if o := orientation(tiff); o < 1 || o > 8 {
				t.Errorf("orientation %d", o)
			}
			for _, exif := range [][]byte{uprightExif(tiff), uprightExif(exifOfTIFF(tiff))} {
				if o := orientation(exif); o != 1 {
					t.Errorf("orientation %d of what is upright", o)
				}
			}
		}
	})
}
