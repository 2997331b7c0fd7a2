// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package imaging

import (
	"bytes"
	"encoding/binary"
	"maps"
	"slices"
)

// This package reads and writes EXIF data itself: libraries only read values, and srdiff also
// writes the EXIF data of the upright picture (see docs/contributing.md).

// field is an entry of a TIFF directory.
type field struct {
	kind  uint16
	value []byte // in the file's byte order
}

// Kinds of fields whose values are read.
const (
	short     = 3 // 2 bytes
	long      = 4 // 4 bytes
	rational  = 5 // two of 4 bytes
	undefined = 7 // bytes
)

// sizes are the bytes of one value of each kind (TIFF 6.0, section 2), and 0 for none.
var sizes = [...]uint64{0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8}

// Tags of a TIFF directory (TIFF 6.0, EXIF 3.0).
const (
	tagOrientation = 0x0112
	tagXResolution = 0x011a
	tagYResolution = 0x011b
	tagUnit        = 0x0128
	tagThumbnail   = 0x0201
	tagThumbBytes  = 0x0202
	tagExif        = 0x8769
	tagGPS         = 0x8825
)

// directory is a directory of a TIFF structure. Its slices are parts of the structure.
type directory struct {
	fields map[uint16]field // those that are whole
	next   []byte           // the 4 bytes that say where the next one is, nil if they are missing
}

// firstDirectory returns a TIFF structure's first directory, an empty one if the data is broken.
func firstDirectory(tiff []byte) directory {
	order := byteOrder(tiff)
	if order == nil || len(tiff) < 8 {
		return directory{}
	}
	return directoryAt(tiff, order.Uint32(tiff[4:]))
}

func directoryAt(tiff []byte, place uint32) directory {
	d, _ := readDirectory(tiff, 0, uint64(place), byteOrder(tiff))
	return d
}

// readDirectory reads the directory at a place of a TIFF structure, of which data is what follows the
// first base bytes. It reports whether data holds all of the directory and its values.
func readDirectory(data []byte, base, place uint64, order binary.ByteOrder) (d directory, whole bool) {
	offset, length := place-base, uint64(len(data))
	if place < 8 || place < base || offset+2 > length {
		return directory{}, false
	}
	d, whole = directory{fields: map[uint16]field{}}, true
	entries := data[offset+2:]
	for range order.Uint16(data[offset:]) {
		if len(entries) < 12 {
			return d, false
		}
		f := field{kind: order.Uint16(entries[2:])}
		if int(f.kind) < len(sizes) && sizes[f.kind] > 0 {
			size := uint64(order.Uint32(entries[4:])) * sizes[f.kind]
			if at := uint64(order.Uint32(entries[8:])); size <= 4 {
				f.value = entries[8 : 8+size]
			} else if at >= base && at-base+size <= length {
				f.value = data[at-base : at-base+size]
			} else {
				whole = false
			}
		}
		if f.value != nil {
			d.fields[order.Uint16(entries)] = f
		}
		entries = entries[12:]
	}
	if len(entries) >= 4 {
		d.next = entries[:4]
	}
	return d, whole && d.next != nil
}

// number returns a field's first value, or 0 if it is not a whole number.
func (d directory) number(order binary.ByteOrder, tag uint16) uint32 {
	switch f := d.fields[tag]; {
	case f.kind == short && len(f.value) >= 2:
		return uint32(order.Uint16(f.value))
	case f.kind == long && len(f.value) >= 4:
		return order.Uint32(f.value)
	}
	return 0
}

// byteOrder returns the byte order of a TIFF structure, or nil for other data.
func byteOrder(tiff []byte) binary.ByteOrder {
	switch {
	case bytes.HasPrefix(tiff, []byte("II*\x00")):
		return binary.LittleEndian
	case bytes.HasPrefix(tiff, []byte("MM\x00*")):
		return binary.BigEndian
	}
	return nil
}

// uprightExif returns the EXIF data of the upright picture, or nil for damaged data. It moves
// nothing, since cameras store offsets in unknown places. It removes the thumbnail, which is not
// upright.
func uprightExif(exif []byte) []byte {
	exif = slices.Clone(exif)
	d := firstDirectory(exif)
	if len(d.fields) == 0 {
		return nil
	}
	order := byteOrder(exif)
	if f := d.fields[tagOrientation]; f.kind == short && len(f.value) >= 2 {
		order.PutUint16(f.value, 1)
	}
	if d.next != nil {
		second := directoryAt(exif, order.Uint32(d.next))
		from, n := uint64(second.number(order, tagThumbnail)), uint64(second.number(order, tagThumbBytes))
		if from >= 8 && from+n <= uint64(len(exif)) {
			clear(exif[from : from+n])
		}
		order.PutUint32(d.next, 0)
	}
	return exif
}

// exifOfTIFF returns a TIFF file's fields about the picture as EXIF data, or nil if it has none.
func exifOfTIFF(tiff []byte) []byte {
	order := byteOrder(tiff)
	kept, below := describing(tiff)
	total := 0 // Values of a hostile file lie over each other, and would take much more than it does.
	for _, fields := range append(slices.Collect(maps.Values(below)), kept) {
		for _, f := range fields {
			total += len(f.value)
		}
	}
	if len(kept)+len(below) == 0 || total > maxText {
		return nil
	}
	head := slices.Clone(tiff[:8])
	order.PutUint32(head[4:], 8)
	return appendDirectory(head, 0, order, kept, below)
}

// describing returns what a TIFF structure says about its picture rather than its pixels: some fields,
// and the directories of EXIF and GPS.
func describing(tiff []byte) (kept map[uint16]field, below map[uint16]map[uint16]field) {
	order, d := byteOrder(tiff), firstDirectory(tiff)
	kept = map[uint16]field{}
	for _, tag := range []uint16{0x010e, 0x010f, 0x0110, 0x0131, 0x0132, 0x013b, 0x8298} { // from the description to the copyright
		if f, ok := d.fields[tag]; ok {
			kept[tag] = f
		}
	}
	below = map[uint16]map[uint16]field{}
	for _, tag := range []uint16{tagExif, tagGPS} {
		if place := d.number(order, tag); place > 0 {
			fields := directoryAt(tiff, place).fields
			delete(fields, 0x927c) // the maker's note, which holds offsets into the file
			delete(fields, 0xa005) // a directory below
			if len(fields) > 0 {
				below[tag] = fields
			}
		}
	}
	return kept, below
}

// appendDirectory writes a directory with those below it to the end of a TIFF structure, of which b is
// what follows the first base bytes.
func appendDirectory(b []byte, base int, order binary.ByteOrder, fields map[uint16]field, below map[uint16]map[uint16]field) []byte {
	tags := slices.Sorted(maps.Keys(fields))
	tags = append(tags, slices.Collect(maps.Keys(below))...)
	slices.Sort(tags)
	at := len(b) + 2
	b = append(b, make([]byte, 2+12*len(tags)+4)...)
	order.PutUint16(b[at-2:], uint16(len(tags)))
	for _, tag := range tags {
		f, plain := fields[tag]
		if !plain {
			f.kind = long
		}
		order.PutUint16(b[at:], tag)
		order.PutUint16(b[at+2:], f.kind)
		end := uint32(base + len(b))
		switch {
		case !plain:
			order.PutUint32(b[at+4:], 1)
			order.PutUint32(b[at+8:], end)
			b = appendDirectory(b, base, order, below[tag], nil)
		default:
			order.PutUint32(b[at+4:], uint32(uint64(len(f.value))/sizes[f.kind]))
			if len(f.value) <= 4 {
				copy(b[at+8:], f.value)
				break
			}
			order.PutUint32(b[at+8:], end)
			b = append(b, f.value...)
			b = append(b, make([]byte, len(b)%2)...) // Values begin at even places.
		}
		at += 12
	}
	return b
}
