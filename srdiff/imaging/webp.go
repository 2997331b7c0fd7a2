// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package imaging

import (
	"bytes"
	"encoding/binary"
	"image"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/deepteams/webp"
)

// This package writes the container of WebP files itself, since the provenance has no place in the
// encoder's options. The pixels are the encoder's.

// maxWebP is the greatest side of a WebP picture in pixels.
const maxWebP = 16383

// webpMemory is how many bytes a pixel of an enlarged photograph takes while a WebP is encoded: the
// whole picture, the encoder's copies of it, and what is to be written of every pixel
// (TestWebPMemory). Noise takes up to 90 at a quality of 100.
const webpMemory = 24

// encodeWebP writes a lossy WebP, whose opacity is not lossy. The encoder needs the whole picture.
func (o Output) encodeWebP(w io.Writer, img *streamed) error {
	options := webp.DefaultOptions()
	options.Quality = float32(o.Quality)
	var pixels bytes.Buffer
	if err := webp.Encode(&pixels, img.whole(), options); err != nil {
		return err
	}
	parts := map[string][]byte{}
	for id, body := range riffChunks(pixels.Bytes()) {
		parts[id] = body
	}
	a := aboutOf(o.Chunks)
	parts["ICCP"], parts["EXIF"], parts["XMP "] = a.profile, withDensity(a.exif, a.density), []byte(a.xmp)
	if key, text, ok := strings.Cut(a.comment, "\x00"); ok { // RIFF's own place for the software
		parts["LIST"] = appendRIFF([]byte("INFO"), "ISFT", []byte(key+" "+text+"\x00"))
	}
	flags := byte(0)
	for id, flag := range map[string]byte{"XMP ": 1 << 2, "EXIF": 1 << 3, "ALPH": 1 << 4, "ICCP": 1 << 5} {
		if len(parts[id]) > 0 {
			flags |= flag
		}
	}
	parts["VP8X"] = slices.Concat([]byte{flags, 0, 0, 0}, uint24(o.Width-1), uint24(o.Height-1))
	var b []byte
	for _, id := range []string{"VP8X", "ICCP", "ALPH", "VP8 ", "EXIF", "XMP ", "LIST"} { // in RFC 9649's order
		if len(parts[id]) > 0 {
			b = appendRIFF(b, id, parts[id])
		}
	}
	head := binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(4+len(b)))
	_, err := w.Write(append(append(head, "WEBP"...), b...))
	return err
}

// whole returns all of the rows, of 8 bits a channel, as one image.
func (s *streamed) whole() *image.NRGBA {
	img := image.NewNRGBA(s.size)
	for y := 0; y < s.size.Dy(); y = s.end {
		to := img.Pix[img.PixOffset(0, y):]
		switch rows := s.row(y).(type) {
		case *image.NRGBA:
			copy(to, rows.Pix)
		case *image.Gray:
			for i, v := range rows.Pix {
				copy(to[4*i:], []byte{v, v, v, 0xff})
			}
		}
	}
	return img
}

// appendRIFF appends a chunk, which ends at an even place.
func appendRIFF(b []byte, id string, body []byte) []byte {
	b = binary.LittleEndian.AppendUint32(append(b, id...), uint32(len(body)))
	b = append(b, body...)
	return append(b, make([]byte, len(body)%2)...)
}

func uint24(n int) []byte { return []byte{byte(n), byte(n >> 8), byte(n >> 16)} }

// withDensity returns EXIF data that states the density, which a WebP has no other place for. EXIF
// data that states one stays as it is. The rest stays where it is, since cameras store offsets in
// unknown places: a new first directory follows it.
func withDensity(exif []byte, d density) []byte {
	if d == (density{}) || exifDensity(exif) != (density{}) {
		return exif
	}
	b := bytes.Clone(exif)
	if b == nil {
		b = []byte("II*\x00\x00\x00\x00\x00")
	}
	order, fields := byteOrder(b), maps.Clone(firstDirectory(b).fields)
	if fields == nil {
		fields = map[uint16]field{}
	}
	maps.Copy(fields, d.fields(order))
	b = append(b, make([]byte, len(b)%2)...)
	order.PutUint32(b[4:], uint32(len(b)))
	return appendDirectory(b, 0, order, fields, nil)
}

// softwareOfWebP returns "KEY\x00TEXT" of the software that Output wrote to a WebP file, "" if
// there is none. It reads no pixels.
func softwareOfWebP(f *os.File) (text string, err error) {
	head := make([]byte, 8)
	at := int64(12)
	for {
		if _, err := f.ReadAt(head, at); err != nil {
			break
		}
		size := int64(binary.LittleEndian.Uint32(head[4:]))
		if string(head[:4]) == "LIST" && size < maxText {
			body := make([]byte, size)
			if _, err := f.ReadAt(body, at+8); err != nil {
				return "", errNoEnd
			}
			if list, ok := bytes.CutPrefix(body, []byte("INFOISFT")); ok && len(list) > 4 {
				key, value, _ := strings.Cut(strings.TrimRight(string(list[4:]), "\x00"), " ")
				text = key + "\x00" + value
			}
		}
		at += 8 + size + size%2
	}
	info, err := f.Stat()
	if err == nil && info.Size() != at {
		err = errNoEnd
	}
	return text, err
}
