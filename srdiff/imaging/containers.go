// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package imaging

import (
	"bytes"
	"cmp"
	"compress/lzw"
	"encoding/binary"
	"hash/crc32"
	"image"
	"io"
	"iter"
	"math"
	"slices"
)

// extras are the metadata of a picture file. The slices are unchanged parts of the file.
type extras struct {
	exif    []byte   // a TIFF structure
	xmp     []byte   // an XML document
	density density  // pixels a metre, or only their ratio
	profile [][]byte // the ICC profile in its pieces; see colour
	png     []Chunk  // a PNG's colour chunks
	damaged []string // a PNG's chunks that are omitted because their checksums are wrong
	frames  int      // how many pictures there are; two stand for more
}

// metadata reads the metadata of a file. It omits damaged parts; the decoders report a damaged
// file.
func metadata(format string, data []byte) extras {
	x := extras{frames: 1}
	switch format {
	case "png":
		x.addPNG(data)
	case "jpeg":
		x.addJPEG(data)
	case "webp":
		for id, body := range riffChunks(data) {
			switch id {
			case "VP8X":
				const animation = 1 << 1
				if len(body) > 0 && body[0]&animation != 0 {
					x.frames = 2
				}
			case "EXIF":
				x.exif = bytes.TrimPrefix(body, []byte("Exif\x00\x00")) // some writers put it there
			case "XMP ":
				x.xmp = body
			case "ICCP":
				x.profile = [][]byte{body}
			}
		}
	case "tiff":
		x.addTIFF(data)
	case "gif":
		x.frames = gifFrames(data)
	case "bmp":
		x.density = bmpDensity(data)
	}
	if x.density == (density{}) {
		x.density = exifDensity(x.exif)
	}
	return x
}

// addPNG reads the first chunk of each kind, as libpng does. Colour chunks count only before the
// pixels.
func (x *extras) addPNG(data []byte) {
	seen, pixels := map[string]bool{}, false
	for c, whole := range pngChunks(data) {
		pixels = pixels || c.Type == "IDAT"
		if key, text, ok := textIn(c); ok && whole && key == xmpKey && x.xmp == nil {
			x.xmp = []byte(text)
		}
		if !whole {
			x.damaged = append(x.damaged, c.Type)
			continue
		}
		if seen[c.Type] {
			continue
		}
		size, colour := map[string]int{"sRGB": 1, "gAMA": 4, "cHRM": 32, "cICP": 4, "pHYs": 9, "acTL": 8}[c.Type]
		if colour && len(c.Data) != size || pixels && (colour || c.Type == "iCCP") {
			continue
		}
		seen[c.Type] = true
		switch c.Type {
		case "eXIf":
			x.exif = c.Data
		case "acTL": // the animation's number of frames, and of its rounds
			x.frames = int(min(binary.BigEndian.Uint32(c.Data), 2))
		case "pHYs":
			x.density = density{binary.BigEndian.Uint32(c.Data), binary.BigEndian.Uint32(c.Data[4:]), c.Data[8] == 1}
		case "iCCP", "sRGB", "gAMA", "cHRM", "cICP":
			x.png = append(x.png, c)
		}
	}
}

func (x *extras) addJPEG(data []byte) {
	const app0, app1 = 0xe0, 0xe1
	for marker, body := range segments(data) {
		if b, ok := bytes.CutPrefix(body, []byte("JFIF\x00")); ok && marker == app0 && x.density == (density{}) {
			x.density = jfifDensity(b)
		}
		if b, ok := bytes.CutPrefix(body, []byte("Exif\x00\x00")); ok && marker == app1 && x.exif == nil {
			x.exif = b
		}
		if b, ok := bytes.CutPrefix(body, []byte("http://ns.adobe.com/xap/1.0/\x00")); ok && marker == app1 && x.xmp == nil {
			x.xmp = b
		}
	}
	x.profile = jpegProfile(data)
}

func (x *extras) addTIFF(data []byte) {
	x.exif = data
	d := firstDirectory(data)
	if d.next != nil && byteOrder(data).Uint32(d.next) != 0 {
		x.frames = 2
	}
	const profile, xmp = 34675, 700
	if f, ok := d.fields[profile]; ok && f.kind == undefined {
		x.profile = [][]byte{f.value}
	}
	x.xmp = d.fields[xmp].value
}

// pngChunks yields the chunks of a PNG file up to its end or to the first truncated chunk, each
// with whether its checksum is right.
func pngChunks(data []byte) iter.Seq2[Chunk, bool] {
	return func(yield func(Chunk, bool) bool) {
		rest, ok := bytes.CutPrefix(data, []byte(pngSignature))
		for ok && len(rest) >= 12 {
			size := uint64(binary.BigEndian.Uint32(rest))
			if size > uint64(len(rest)-12) {
				return
			}
			c := Chunk{string(rest[4:8]), rest[8 : 8+size]}
			whole := binary.BigEndian.Uint32(rest[8+size:]) == crc32.ChecksumIEEE(rest[4:8+size])
			if !yield(c, whole) || c.Type == "IEND" {
				return
			}
			rest = rest[12+size:]
		}
	}
}

// segments yields the markers at the head of a JPEG file, up to the scan's, with their contents.
// Like the decoder, it skips bytes between segments.
func segments(data []byte) iter.Seq2[byte, []byte] {
	return func(yield func(byte, []byte) bool) {
		rest, ok := bytes.CutPrefix(data, []byte{0xff, 0xd8}) // the start-of-image marker
		for ok && len(rest) >= 4 {
			marker := rest[1]
			if rest[0] != 0xff || marker == 0xff || marker == 0 { // neither that nor a fill byte begins a segment
				rest = rest[1:]
				continue
			}
			size := int(binary.BigEndian.Uint16(rest[2:])) // It counts itself but not the marker.
			if size < 2 || len(rest) < 2+size || !yield(marker, rest[4:2+size]) || marker == startOfScan {
				return
			}
			rest = rest[2+size:]
		}
	}
}

const startOfScan = 0xda

// scanBegins reports whether the head of a JPEG file is complete.
func scanBegins(data []byte) bool {
	for marker := range segments(data) {
		if marker == startOfScan {
			return true
		}
	}
	return false
}

// riffChunks yields the chunks of a WebP file with their names.
func riffChunks(data []byte) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for rest := data[min(12, len(data)):]; len(rest) >= 8; {
			size := uint64(binary.LittleEndian.Uint32(rest[4:]))
			if size > uint64(len(rest)-8) || !yield(string(rest[:4]), rest[8:8+size]) {
				return
			}
			size += size & 1 // Chunks begin at even places.
			rest = rest[min(8+size, uint64(len(rest))):]
		}
	}
}

// webpFrame is the first frame of an animated WebP file.
type webpFrame struct {
	still  []byte      // a still WebP file of it
	at     image.Point // its place on the canvas
	canvas image.Point
}

// firstFrame returns the first frame of an animated WebP file as a still WebP file, since the
// decoder reads no animations. The frame's chunks are the same as a still picture's. ok is false if
// the file has no frame.
func firstFrame(data []byte) (f webpFrame, ok bool) {
	number := func(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }
	for id, body := range riffChunks(data) {
		if id == "VP8X" && len(body) >= 10 { // flags and 3 bytes of nothing, width-1 and height-1 in 3 bytes each
			f.canvas = image.Pt(number(body[4:])+1, number(body[7:])+1)
		}
		const header = 16 // x/2, y/2, width-1 and height-1 in 3 bytes each, the duration in 3, flags
		if id != "ANMF" || len(body) < header {
			continue
		}
		f.at = image.Pt(2*number(body), 2*number(body[3:]))
		chunks := body[header:]
		if bytes.HasPrefix(chunks, []byte("ALPH")) { // which must follow a header that announces it
			const alpha = 1 << 4
			extended := append([]byte("VP8X\x0a\x00\x00\x00"), alpha, 0, 0, 0)
			chunks = append(append(extended, body[6:12]...), chunks...)
		}
		still := binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(4+len(chunks)))
		f.still = append(append(still, "WEBP"...), chunks...)
		return f, true
	}
	return f, false
}

// gifColours returns the number of bytes of a colour table.
func gifColours(flags byte) int {
	if flags&0x80 == 0 {
		return 0
	}
	return 3 << (flags&7 + 1)
}

// gifPictures calls f with the position of each picture's descriptor in a GIF file, until f returns
// false.
func gifPictures(data []byte, f func(at int) bool) {
	at := 13
	if len(data) < at {
		return
	}
	for at += gifColours(data[10]); at+10 <= len(data); {
		switch data[at] {
		case 0x21: // an extension and its label
			at += 2
		case 0x2c: // a picture: place, size and flags, then colours and the codes' width
			if !f(at) {
				return
			}
			at += 10 + gifColours(data[at+9]) + 1
		default:
			return
		}
		for at < len(data) && data[at] != 0 { // blocks, the last of which is empty
			at += 1 + int(data[at])
		}
		at++
	}
}

// gifFrames counts the pictures in a GIF file, up to two.
func gifFrames(data []byte) (n int) {
	gifPictures(data, func(int) bool {
		n++
		return n < 2
	})
	return n
}

// gifScreen returns a GIF file whose screen holds the first picture. Browsers, too, enlarge a
// screen that is too small.
func gifScreen(data []byte) []byte {
	gifPictures(data, func(at int) bool {
		number := binary.LittleEndian.Uint16
		for side := range 2 {
			end := int(number(data[at+1+2*side:])) + int(number(data[at+5+2*side:]))
			if end > int(number(data[6+2*side:])) && end <= math.MaxUint16 {
				data = slices.Clone(data)
				binary.LittleEndian.PutUint16(data[6+2*side:], uint16(end))
			}
		}
		return false
	})
	return data
}

// repackedGIF returns a GIF file with the first picture, compressed again. Like browsers, it
// ignores data after the pixels, and takes the first colour in place of one that the table lacks.
// ok is false if pixels are missing.
func repackedGIF(data []byte) (repacked []byte, ok bool) {
	gifPictures(data, func(at int) bool {
		codes := at + 10 + gifColours(data[at+9])
		if codes >= len(data) || data[codes] < 2 || data[codes] > 8 {
			return false
		}
		var joined []byte
		for rest := data[codes+1:]; len(rest) > 0 && rest[0] > 0 && int(rest[0]) < len(rest); {
			joined, rest = append(joined, rest[1:1+int(rest[0])]...), rest[1+int(rest[0]):]
		}
		width := int(data[codes])
		r := lzw.NewReader(bytes.NewReader(joined), lzw.LSB, width)
		pixels := make([]byte, int(binary.LittleEndian.Uint16(data[at+5:]))*int(binary.LittleEndian.Uint16(data[at+7:])))
		if _, err := io.ReadFull(r, pixels); err != nil {
			return false
		}
		colours := cmp.Or(gifColours(data[at+9]), gifColours(data[10])) / 3
		for i, index := range pixels {
			if int(index) >= colours {
				pixels[i] = 0
			}
		}
		var packed bytes.Buffer
		w := lzw.NewWriter(&packed, lzw.LSB, width)
		w.Write(pixels) // Writes to memory do not fail.
		w.Close()
		repacked = slices.Clone(data[:codes+1])
		for block := range slices.Chunk(packed.Bytes(), 255) {
			repacked = append(append(repacked, byte(len(block))), block...)
		}
		repacked, ok = append(repacked, 0, 0x3b), true
		return false
	})
	return repacked, ok
}
