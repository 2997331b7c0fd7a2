// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package imaging

import (
	"bytes"
	"encoding/binary"
	"iter"
)

// extras are what a picture file holds beside its pixels. The slices are parts of the file, as it has them.
type extras struct {
	exif    []byte   // a TIFF structure
	profile [][]byte // the ICC profile in its pieces; see colour
	png     []Chunk  // a PNG's colour chunks
	frames  int      // how many pictures there are; two stand for more
}

// metadata walks through the file's parts. What is broken is left out: the decoders judge the file as a whole.
func metadata(format string, data []byte) extras {
	x := extras{frames: 1}
	switch format {
	case "png":
		for chunk := range pngChunks(data) {
			switch chunk.Type {
			case "eXIf":
				x.exif = chunk.Data
			case "acTL": // the animation's number of frames, and of its rounds
				if len(chunk.Data) == 8 {
					x.frames = int(binary.BigEndian.Uint32(chunk.Data))
				}
			case "iCCP", "sRGB", "gAMA", "cHRM", "cICP":
				x.png = append(x.png, chunk)
			}
		}
	case "jpeg":
		x.exif = exif(data)
		x.profile = jpegProfile(data)
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
			case "ICCP":
				x.profile = [][]byte{body}
			}
		}
	case "tiff":
		x.exif = data
		fields, next := directory(data)
		if next != 0 {
			x.frames = 2
		}
		const profile = 34675
		if f, ok := fields[profile]; ok && f.kind == undefined {
			x.profile = [][]byte{f.value}
		}
	case "gif":
		x.frames = gifFrames(data)
	}
	return x
}

// pngChunks are the chunks of a PNG file, up to the first one that is cut short. Checksums are the decoder's business.
func pngChunks(data []byte) iter.Seq[Chunk] {
	return func(yield func(Chunk) bool) {
		rest, ok := bytes.CutPrefix(data, []byte("\x89PNG\r\n\x1a\n"))
		for ok && len(rest) >= 12 {
			size := uint64(binary.BigEndian.Uint32(rest))
			if size > uint64(len(rest)-12) || !yield(Chunk{string(rest[4:8]), rest[8 : 8+size]}) {
				return
			}
			rest = rest[12+size:]
		}
	}
}

// segments are the markers at the head of a JPEG file, up to the scan, with their contents.
func segments(data []byte) iter.Seq2[byte, []byte] {
	return func(yield func(byte, []byte) bool) {
		const startOfScan = 0xda
		rest, ok := bytes.CutPrefix(data, []byte{0xff, 0xd8}) // the start-of-image marker
		for ok && len(rest) >= 4 && rest[0] == 0xff {
			marker := rest[1]
			if marker == 0xff { // a fill byte
				rest = rest[1:]
				continue
			}
			size := int(binary.BigEndian.Uint16(rest[2:])) // It counts itself but not the marker.
			if marker == startOfScan || size < 2 || len(rest) < 2+size || !yield(marker, rest[4:2+size]) {
				return
			}
			rest = rest[2+size:]
		}
	}
}

// riffChunks are the chunks of a WebP file with their names.
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

// firstFrame makes a still WebP file of an animated one's first frame, which the decoder does not read: that frame's
// chunks are those of a still picture. Data without a frame stays as it is.
func firstFrame(data []byte) []byte {
	for id, body := range riffChunks(data) {
		const header = 16 // x, y, width-1 and height-1 in 3 bytes each, the duration in 3, flags
		if id != "ANMF" || len(body) < header {
			continue
		}
		chunks := body[header:]
		if bytes.HasPrefix(chunks, []byte("ALPH")) { // which must follow a header that announces it
			const alpha = 1 << 4
			extended := append([]byte("VP8X\x0a\x00\x00\x00"), alpha, 0, 0, 0)
			chunks = append(append(extended, body[6:12]...), chunks...)
		}
		still := binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(4+len(chunks)))
		return append(append(still, "WEBP"...), chunks...)
	}
	return data
}

// gifFrames counts the pictures in a GIF file, and ends at the second.
func gifFrames(data []byte) (n int) {
	colours := func(flags byte) int { // bytes of a colour table
		if flags&0x80 == 0 {
			return 0
		}
		return 3 << (flags&7 + 1)
	}
	at := 13
	if len(data) < at {
		return 0
	}
	for at += colours(data[10]); at+10 <= len(data) && n < 2; {
		switch data[at] {
		case 0x21: // an extension and its label
			at += 2
		case 0x2c: // a picture: place, size and flags, then colours and the codes' width
			n++
			at += 10 + colours(data[at+9]) + 1
		default:
			return n
		}
		for at < len(data) && data[at] != 0 { // blocks, the last of which is empty
			at += 1 + int(data[at])
		}
		at++
	}
	return n
}
