// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package imaging

import (
	"bufio"
	"image"
	"image/png"
	"io"
)

// ReadFrom is Read for a stream, such as a pipe. It returns Decode's errors.
func ReadFrom(r io.Reader) (*File, error) { return decode(r) }

// EncodePNG writes img to w as WritePNG writes it to a file. It returns the first error of w.
func EncodePNG(w io.Writer, img image.Image, chunks ...Chunk) error {
	buffered := bufio.NewWriter(&inserter{w: w, chunks: chunks})
	if err := png.Encode(buffered, img); err != nil {
		return err
	}
	return buffered.Flush()
}
