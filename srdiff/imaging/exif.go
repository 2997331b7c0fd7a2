// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package imaging

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/draw"
)

// exif returns the EXIF data (a TIFF structure) among the segments at the head of a JPEG file, nil if there is none.
func exif(jpeg []byte) []byte {
	const app1 = 0xe1
	for marker, body := range segments(jpeg) {
		if body, ok := bytes.CutPrefix(body, []byte("Exif\x00\x00")); ok && marker == app1 {
			return body
		}
	}
	return nil
}

// field is an entry of a TIFF directory.
type field struct {
	kind  uint16
	value []byte // in the file's byte order
}

// Kinds of fields whose values are read.
const (
	short     = 3 // 2 bytes
	undefined = 7 // bytes
)

// directory returns the fields of a TIFF structure's first directory, as far as they are of the kinds above and whole,
// and where the next directory is, 0 for nowhere.
func directory(tiff []byte) (fields map[uint16]field, next uint32) {
	order := byteOrder(tiff)
	if order == nil || len(tiff) < 8 {
		return nil, 0
	}
	offset := uint64(order.Uint32(tiff[4:]))
	if offset+2 > uint64(len(tiff)) {
		return nil, 0
	}
	fields = map[uint16]field{}
	entries := tiff[offset+2:]
	for range order.Uint16(tiff[offset:]) {
		if len(entries) < 12 {
			return fields, 0
		}
		f := field{kind: order.Uint16(entries[2:])}
		size := uint64(order.Uint32(entries[4:]))
		if f.kind == short {
			size *= 2
		}
		if place := uint64(order.Uint32(entries[8:])); size <= 4 {
			f.value = entries[8 : 8+size]
		} else if place+size <= uint64(len(tiff)) {
			f.value = tiff[place : place+size]
		}
		if f.kind == short || f.kind == undefined {
			fields[order.Uint16(entries)] = f
		}
		entries = entries[12:]
	}
	if len(entries) >= 4 {
		next = order.Uint32(entries)
	}
	return fields, next
}

// byteOrder returns how a TIFF structure writes its numbers, nil if it is none.
func byteOrder(tiff []byte) binary.ByteOrder {
	switch {
	case bytes.HasPrefix(tiff, []byte("II*\x00")):
		return binary.LittleEndian
	case bytes.HasPrefix(tiff, []byte("MM\x00*")):
		return binary.BigEndian
	}
	return nil
}

// orientation returns the EXIF orientation, 1 to 8, from a TIFF structure's first directory. It returns 1 (upright)
// where there is none or the data is broken: a photograph on its side is better than none.
func orientation(tiff []byte) int {
	const tag = 0x0112
	fields, _ := directory(tiff)
	if f := fields[tag]; f.kind == short && len(f.value) >= 2 {
		if o := byteOrder(tiff).Uint16(f.value); 1 <= o && o <= 8 {
			return int(o)
		}
	}
	return 1
}

// upright undoes an EXIF orientation, which says how the camera was held.
func upright(img image.Image, orientation int) image.Image {
	if orientation == 1 {
		return img
	}
	if _, ok := img.(*image.YCbCr); ok { // a photograph, most likely: RGBA is read faster
		rgba := image.NewRGBA(img.Bounds())
		draw.Draw(rgba, rgba.Rect, img, img.Bounds().Min, draw.Src)
		img = rgba
	}
	w, h := img.Bounds().Dx(), img.Bounds().Dy()
	t := &turned{stored: img, size: image.Rect(0, 0, w, h)}
	if orientation >= 5 {
		t.size = image.Rect(0, 0, h, w)
	}
	switch orientation {
	case 2: // mirrored left to right
		t.from = func(x, y int) (int, int) { return w - 1 - x, y }
	case 3: // half a turn
		t.from = func(x, y int) (int, int) { return w - 1 - x, h - 1 - y }
	case 4: // mirrored top to bottom
		t.from = func(x, y int) (int, int) { return x, h - 1 - y }
	case 5: // transposed
		t.from = func(x, y int) (int, int) { return y, x }
	case 6: // to be turned clockwise
		t.from = func(x, y int) (int, int) { return y, h - 1 - x }
	case 7: // transposed along the other diagonal
		t.from = func(x, y int) (int, int) { return w - 1 - y, h - 1 - x }
	case 8: // to be turned anticlockwise
		t.from = func(x, y int) (int, int) { return w - 1 - y, x }
	}
	return t
}

// turned is a stored picture seen upright, with the colours that it has.
type turned struct {
	stored image.Image
	size   image.Rectangle
	from   func(x, y int) (int, int) // the place in the stored picture, from its corner, that is seen at x, y
}

// ColorModel, Bounds and At implement image.Image.
func (t *turned) ColorModel() color.Model { return t.stored.ColorModel() }
func (t *turned) Bounds() image.Rectangle { return t.size }
func (t *turned) At(x, y int) color.Color {
	x, y = t.from(x, y)
	corner := t.stored.Bounds().Min
	return t.stored.At(corner.X+x, corner.Y+y)
}
