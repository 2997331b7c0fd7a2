// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package imaging

import (
	"errors"
	"io"
	"os"
	"strings"
)

// formatOfFile returns the format that a file begins as, "" for another one.
func formatOfFile(f *os.File) Format {
	head := make([]byte, 16)
	n, _ := f.ReadAt(head, 0)
	switch format, _ := formatOf(head[:n]); {
	case format == "png":
		return PNG
	case format == "jpeg":
		return JPEG
	case format == "tiff" && byteOrder(head[:n]) != nil: // no BigTIFF, which Output does not write
		return TIFF
	case format == "webp":
		return WebP
	}
	return ""
}

// comment returns "KEY\x00TEXT" of a JPEG's comment or of a TIFF's or WebP's software, "" if there
// is none or the file is another one.
func comment(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	switch formatOfFile(f) {
	case JPEG:
		head, _ := io.ReadAll(io.LimitReader(f, 1<<17)) // Output's comment is the second segment.
		for marker, body := range segments(head) {
			if marker == 0xfe {
				return string(body)
			}
		}
	case TIFF:
		fields, err := lastDirectory(f)
		if err != nil {
			return ""
		}
		key, text, _ := strings.Cut(strings.TrimRight(string(fields[tagSoftware].value), "\x00"), " ")
		return key + "\x00" + text
	case WebP:
		text, _ := softwareOfWebP(f)
		return text
	}
	return ""
}

var (
	errNoEnd       = errors.New("cut short: the file lacks its end")
	errNoDirectory = errors.New("cut short: a TIFF without its directory")
)

func endOfJPEG(f *os.File) error {
	end := make([]byte, 2)
	info, err := f.Stat()
	if err != nil || info.Size() < 4 {
		return errNoEnd
	}
	if _, err := f.ReadAt(end, info.Size()-2); err != nil {
		return err
	}
	if end[0] != 0xff || end[1] != 0xd9 {
		return errNoEnd
	}
	return nil
}

// lastDirectory reads the first directory of a TIFF file, if it is behind the pixels, as Output
// writes it, and whole with all of its values. Only this part of the file is read.
func lastDirectory(f *os.File) (map[uint16]field, error) {
	head := make([]byte, 8)
	if _, err := f.ReadAt(head, 0); err != nil {
		return nil, errNoDirectory
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	order := byteOrder(head)
	place := int64(order.Uint32(head[4:]))
	// The last value ends at an even place: one byte less is missing, even if it is padding.
	if size := info.Size() - place; place < 8 || size < 2 || size > 4*maxText || info.Size()%2 != 0 {
		return nil, errNoDirectory
	}
	tail := make([]byte, info.Size()-place)
	if _, err := f.ReadAt(tail, place); err != nil {
		return nil, err
	}
	d, whole := readDirectory(tail, uint64(place), uint64(place), order)
	if !whole {
		return nil, errNoDirectory
	}
	return d.fields, nil
}
