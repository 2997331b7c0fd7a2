// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package imaging

import (
	"encoding/binary"
	"hash/crc32"
	"image"
	"io"
	"strings"

	"github.com/srdiff/srlab/srdiff/internal/atomicfile"
)

// Chunk is a part of a PNG file: a type of four letters, and its contents.
type Chunk struct {
	Type string
	Data []byte
}

// TextChunk returns a chunk with a text under a keyword of up to 79 Latin letters (PNG 3rd ed.,
// 11.3.3.4).
func TextChunk(key, text string) Chunk {
	// After the key: not compressed, by no method, in no language, and the key in no translation.
	return Chunk{"iTXt", []byte(key + "\x00\x00\x00\x00\x00" + text)}
}

// Text returns the text under a keyword before a PNG file's pixels, or in the comment that Output
// wrote to another format. It is "" if there is none. See ReadText.
func Text(path, key string) (string, error) {
	if text := comment(path); strings.HasPrefix(text, key+"\x00") {
		return text[len(key)+1:], nil
	}
	texts, err := ReadText(path)
	return texts[key], err
}

// WritePNG writes img to a file whole or not at all: after an error, an existing file is unchanged
// and no other file is left. The chunks stand before the pixels.
func WritePNG(path string, img image.Image, chunks ...Chunk) error {
	return atomicfile.Write(path, func(w io.Writer) error { return EncodePNG(w, img, chunks...) })
}

// inserter forwards a PNG file and inserts chunks after its header.
type inserter struct {
	w      io.Writer
	chunks []Chunk // still to be written
	passed int     // bytes of the file's own
}

// Write implements io.Writer.
func (i *inserter) Write(p []byte) (n int, err error) {
	const header = 8 + 12 + 13 // the signature and IHDR
	if len(i.chunks) > 0 && i.passed+len(p) >= header {
		first := header - i.passed
		if n, err = i.w.Write(p[:first]); err != nil {
			return n, err
		}
		i.passed, p = header, p[first:]
		for _, c := range i.chunks {
			if _, err := i.w.Write(c.encoded()); err != nil {
				return n, err
			}
		}
		i.chunks = nil
	}
	rest, err := i.w.Write(p)
	i.passed += rest
	return n + rest, err
}

// encoded returns the chunk with its length and checksum.
func (c Chunk) encoded() []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(c.Data)))
	b = append(append(b, c.Type...), c.Data...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
}
