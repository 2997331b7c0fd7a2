// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package imaging

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// camera is EXIF data as a camera writes it: an orientation, the maker, a resolution of 300 and 150
// dots an inch, a directory below with a maker's note, and a thumbnail.
func camera(order binary.AppendByteOrder, orientation uint16) []byte {
	b := []byte("II*\x00")
	if order == binary.AppendByteOrder(binary.BigEndian) {
		b = []byte("MM\x00*")
	}
	entry := func(tag, kind uint16, n, value uint32) {
		b = order.AppendUint32(order.AppendUint16(order.AppendUint16(b, tag), kind), n)
		b = order.AppendUint32(b, value)
	}
	shortEntry := func(tag, value uint16) {
		b = order.AppendUint32(order.AppendUint16(order.AppendUint16(b, tag), short), 1)
		b = order.AppendUint16(order.AppendUint16(b, value), 0)
	}
	b = order.AppendUint32(b, 8)
	b = order.AppendUint16(b, 6)
	entry(0x010f, 2, 8, 86) // values begin after 8 + 2 + 6*12 + 4 bytes
	shortEntry(tagOrientation, orientation)
	entry(tagXResolution, rational, 1, 94)
	entry(tagYResolution, rational, 1, 102)
	shortEntry(tagUnit, 2)
	entry(tagExif, long, 1, 110)
	b = order.AppendUint32(b, 128) // the thumbnail's directory
	b = append(b, "a maker\x00"...)
	for _, v := range []uint32{300, 1, 1500, 10} {
		b = order.AppendUint32(b, v)
	}
	b = order.AppendUint16(b, 1)
	entry(0x9003, 2, 4, 0)
	b = append(order.AppendUint32(b[:len(b)-4], 0x41414100), 0, 0, 0, 0)
	b = order.AppendUint16(b, 2)
	entry(tagThumbnail, long, 1, 158)
	entry(tagThumbBytes, long, 1, 9)
	return append(b, "\x00\x00\x00\x00THUMBNAIL"...)
}

const packet = `<x:xmpmeta><rdf:Description tiff:Orientation="6" dc:title="größer"/><tiff:Orientation>8</tiff:Orientation></x:xmpmeta>`

// webpWith is a WebP file with chunks of metadata behind its pixels, and the flags that go with
// them.
func webpWith(t *testing.T, exif, xmp []byte) []byte {
	still := testFile(t, "lossless.webp")
	chunk := func(id string, body []byte) []byte {
		b := binary.LittleEndian.AppendUint32([]byte(id), uint32(len(body)))
		return append(append(b, body...), make([]byte, len(body)%2)...)
	}
	b := slices.Concat([]byte("WEBP"), chunk("VP8X", []byte{0x1c, 0, 0, 0, 3, 0, 0, 1, 0, 0}))
	for id, body := range riffChunks(still) {
		if id == "VP8L" {
			b = append(b, chunk(id, body)...)
		}
	}
	b = slices.Concat(b, chunk("EXIF", exif), chunk("XMP ", xmp))
	return append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(b))), b...)
}

// Density, EXIF and XMP go from each kind of file to the PNG file, once, and fit the upright
// picture there.
func TestMetadataIsKept(t *testing.T) {
	img := pattern(6, 4).Image()
	dots := func(x, y float64) []byte {
		b := binary.BigEndian.AppendUint32(nil, uint32(x/inch+.5))
		return append(binary.BigEndian.AppendUint32(b, uint32(y/inch+.5)), 1)
	}
	jfif := func(unit byte, x, y byte) []byte {
		return segment(0xe0, string([]byte{'J', 'F', 'I', 'F', 0, 1, 2, unit, 0, x, 0, y, 0, 0}))
	}
	exif := func(e []byte) []byte { return segment(0xe1, "Exif\x00\x00"+string(e)) }
	xmp := segment(0xe1, "http://ns.adobe.com/xap/1.0/\x00"+packet)
	lengths := func(values ...byte) Chunk { return Chunk{"pHYs", values} }
	upright := strings.NewReplacer(`"6"`, `"1"`, `>8<`, `>1<`).Replace(packet)
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		sideways := camera(order, 6)
		for _, test := range []struct {
			name      string
			data      []byte
			density   []byte
			exif, xmp bool
		}{
			{"JPEG of a camera", withSegments(img, exif(sideways), xmp), dots(150, 300), true, true},
			{"JPEG with XMP first", withSegments(img, jfif(1, 72, 96), xmp, exif(sideways)), dots(96, 72), true, true},
			{"JPEG in dots a centimetre", withSegments(img, jfif(2, 40, 50)), []byte{0, 0, 0x0f, 0xa0, 0, 0, 0x13, 0x88, 1}, false, false},
			{"JPEG of a ratio", withSegments(img, jfif(0, 1, 2)), []byte{0, 0, 0, 1, 0, 0, 0, 2, 0}, false, false},
			{"JPEG of square pixels", withSegments(img, jfif(0, 1, 1)), nil, false, false},
			{"JPEG of no dots", withSegments(img, jfif(1, 0, 0)), nil, false, false},
			{"plain JPEG", withSegments(img), nil, false, false},
			{"PNG", withChunks(img, lengths(dots(300, 150)...), Chunk{"eXIf", sideways}, TextChunk(xmpKey, packet)), dots(150, 300), true, true},
			{"PNG, all twice", withChunks(img, lengths(dots(300, 150)...), lengths(dots(1, 1)...), Chunk{"eXIf", sideways}, Chunk{"eXIf", camera(order, 3)},
				TextChunk(xmpKey, packet), TextChunk(xmpKey, "other")), dots(150, 300), true, true},
			{"PNG, packed", withChunks(img, Chunk{"iTXt", append([]byte(xmpKey+"\x00\x01\x00\x00\x00"), packed([]byte(packet))...)}), nil, false, true},
			{"PNG, broken", withChunks(img, lengths(1, 2), Chunk{"eXIf", []byte("MM")}), nil, false, false},
			{"WebP", webpWith(t, sideways, []byte(packet)), dots(150, 300), true, true},
			{"BMP", bmpWith(40, 13, 24, 0, map[int]uint32{38: 11811, 42: 5906}, nil, make([]byte, 60*13)), dots(300, 150), false, false},
			{"BMP without", bmpWith(40, 13, 24, 0, nil, nil, make([]byte, 60*13)), nil, false, false},
		} {
			file := read(t, test.data)
			path := filepath.Join(t.TempDir(), "out.png")
			if err := WritePNG(path, file.Image, append(file.Colour, file.Metadata...)...); err != nil {
				t.Fatal(err)
			}
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got := map[string][]byte{}
			types, bodies := parts(t, data)
			for i, kind := range types {
				if got[kind] != nil && kind != "IDAT" {
					t.Errorf("%s: two %s", test.name, kind)
				}
				got[kind] = bodies[i]
			}
			if !bytes.Equal(got["pHYs"], test.density) {
				t.Errorf("%s: density %v, want %v", test.name, got["pHYs"], test.density)
			}
			if want := TextChunk(xmpKey, upright).Data; test.xmp != bytes.Equal(got["iTXt"], want) {
				t.Errorf("%s: XMP %q", test.name, got["iTXt"])
			}
			kept := got["eXIf"]
			if !test.exif {
				if kept != nil {
					t.Errorf("%s: EXIF %q", test.name, kept)
				}
				continue
			}
			if len(kept) != len(sideways) || !bytes.Contains(kept, []byte("a maker")) || bytes.Contains(kept, []byte("THUMB")) || orientation(kept) != 1 {
				t.Errorf("%s: EXIF %q", test.name, kept)
			}
			if again := read(t, data); again.Image.Bounds() != file.Image.Bounds() || !slices.EqualFunc(again.Metadata, file.Metadata, sameChunk) {
				t.Errorf("%s: read again it is %v with %q", test.name, again.Image.Bounds(), again.Metadata)
			}
		}
	}
}

// Of a TIFF file, EXIF is what its directory says about the picture.
func TestMetadataOfTIFF(t *testing.T) {
	file := read(t, testFile(t, "kinds/about.tif"))
	var exif, density []byte
	for _, c := range file.Metadata {
		switch c.Type {
		case "eXIf":
			exif = c.Data
		case "pHYs":
			density = c.Data
		}
	}
	if want := []byte{0, 0, 0x2e, 0x23, 0, 0, 0x17, 0x12, 1}; !bytes.Equal(density, want) {
		t.Errorf("density %v, want %v", density, want)
	}
	fields := firstDirectory(exif).fields
	for tag, want := range map[uint16]string{0x010e: "a picture\x00", 0x0132: "2020:01:02 03:04:05\x00"} {
		if got := string(fields[tag].value); got != want {
			t.Errorf("tag %x is %q, want %q", tag, got, want)
		}
	}
	if _, ok := fields[tagWidth]; ok || len(exif) > 200 {
		t.Errorf("EXIF of %d bytes with %d fields holds the picture too", len(exif), len(fields))
	}
	// A directory below is taken along; the thumbnail of a camera's file is not.
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		exif := exifOfTIFF(camera(order, 6))
		d := firstDirectory(exif)
		if got := string(d.fields[0x010f].value); got != "a maker\x00" {
			t.Errorf("the maker is %q", got)
		}
		below := directoryAt(exif, d.number(byteOrder(exif), tagExif))
		if got := below.fields[0x9003].value; len(got) != 4 || len(below.fields) != 1 {
			t.Errorf("below there are %v", below.fields)
		}
		if bytes.Contains(exif, []byte("THUMB")) || byteOrder(exif).Uint32(d.next) != 0 {
			t.Errorf("there is a thumbnail in %q", exif)
		}
	}
}
