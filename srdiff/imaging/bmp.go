// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package imaging

import (
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"io"
	"math/bits"
)

// This package reads BMP files itself: the maintained libraries read neither 16 bits a pixel, nor
// run lengths, nor OS/2's headers.

// bmpHeaders are the lengths of all kinds of headers: OS/2's 12, 16 and 64, and Windows's.
var bmpHeaders = []uint32{12, 16, 40, 52, 56, 64, 108, 124}

// How a BMP file's pixels are stored.
const (
	bmpPlain = 0
	bmpRuns8 = 1
	bmpRuns4 = 2
	bmpMasks = 3
	bmpAlpha = 6 // as bmpMasks, with a fourth mask
)

// bmpFile is a BMP file with the values of its header.
type bmpFile struct {
	data          []byte
	width, height int
	topDown       bool
	bits          int // a pixel
	kind          uint32
	masks         [4]uint32 // of red, green, blue and alpha, where a pixel has more than 8 bits
	palette       color.Palette
	pixels        int // where they begin
}

func bmpConfig(r io.Reader) (image.Config, error) {
	const most = 14 + 124 + 4*256 // the headers, and 256 colours
	data, err := io.ReadAll(io.LimitReader(r, most))
	if err != nil {
		return image.Config{}, err
	}
	b, err := readBMP(data)
	return image.Config{Width: b.width, Height: b.height}, err
}

// readBMP reads the headers and the palette.
func readBMP(data []byte) (b bmpFile, err error) {
	b.data = data
	u16 := func(at int) int { return int(binary.LittleEndian.Uint16(data[at:])) }
	u32 := func(at int) uint32 { return binary.LittleEndian.Uint32(data[at:]) }
	if len(data) < 26 || len(data) < 14+int(u32(14)) {
		return b, io.ErrUnexpectedEOF
	}
	header, end := u32(14), 14+int(u32(14))
	colourBytes, used := 4, 0
	if header == 12 {
		colourBytes = 3
		b.width, b.height, b.bits = u16(18), u16(20), u16(24)
	} else {
		b.width, b.height, b.bits = int(int32(u32(18))), int(int32(u32(22))), u16(28)
		if header >= 40 {
			b.kind, used = u32(30), int(u32(46))
		}
	}
	if b.height < 0 {
		b.height, b.topDown = -b.height, true
	}
	if err := b.check(header); err != nil {
		return b, err
	}
	if end, err = b.readMasks(header, end); err != nil {
		return b, err
	}
	b.pixels = int(u32(10))
	if b.bits <= 8 {
		if end, err = b.readPalette(end, colourBytes, used); err != nil {
			return b, err
		}
	}
	b.pixels = max(b.pixels, end)
	return b, nil
}

// readMasks sets the channels' masks, by default or from the file. It returns where they end:
// beyond end, the header's, or in the header.
func (b *bmpFile) readMasks(header uint32, end int) (int, error) {
	u32 := func(at int) uint32 { return binary.LittleEndian.Uint32(b.data[at:]) }
	switch {
	case b.bits == 16:
		b.masks = [4]uint32{0x7c00, 0x3e0, 0x1f, 0}
	case b.bits > 8:
		b.masks = [4]uint32{0xff0000, 0xff00, 0xff, 0}
	}
	if header >= 56 && header != 64 {
		b.masks[3] = u32(66)
	}
	count := 3
	if b.kind == bmpAlpha {
		count = 4
	}
	if b.kind != bmpMasks && b.kind != bmpAlpha {
		return end, nil
	}
	if len(b.data) < 54+4*count { // Larger headers contain the masks, at the same place.
		return end, io.ErrUnexpectedEOF
	}
	for i := range count {
		b.masks[i] = u32(54 + 4*i)
	}
	if header == 40 {
		end += 4 * count
	}
	return end, nil
}

// readPalette reads the palette at a place of the file, of used colours or, for 0, of all. It
// returns where the palette ends. Missing colours are black.
func (b *bmpFile) readPalette(at, colourBytes, used int) (end int, err error) {
	most := 1 << b.bits
	if used == 0 || used > most {
		used = most
	}
	if b.pixels > at {
		used = min(used, (b.pixels-at)/colourBytes) // Some files have fewer colours than their header says.
	}
	end = at + used*colourBytes
	if len(b.data) < end {
		return end, io.ErrUnexpectedEOF
	}
	for i := range most {
		c := color.RGBA{A: 0xff}
		if i < used {
			stored := b.data[at+i*colourBytes:]
			c.R, c.G, c.B = stored[2], stored[1], stored[0]
		}
		b.palette = append(b.palette, c)
	}
	return end, nil
}

// check returns the error for a kind that is not read.
func (b bmpFile) check(header uint32) error {
	ok := false
	switch b.kind {
	case bmpPlain:
		ok = b.bits == 1 || b.bits == 2 || b.bits == 4 || b.bits == 8 || b.bits == 16 || b.bits == 24 || b.bits == 32
	case bmpRuns8:
		ok = b.bits == 8
	case bmpRuns4:
		ok = b.bits == 4
	case bmpMasks, bmpAlpha:
		ok = (b.bits == 16 || b.bits == 32) && header != 64 // OS/2 means other things by these numbers.
	}
	if !ok {
		return &kindError{fmt.Sprintf("a BMP of %d bits a pixel with compression %d", b.bits, b.kind)}
	}
	return nil
}

// decodeBMP returns an *image.Paletted of up to 8 bits a pixel, else an *image.NRGBA.
func decodeBMP(data []byte) (image.Image, error) {
	b, err := readBMP(data)
	switch {
	case err != nil:
		return nil, err
	case b.pixels > len(data):
		return nil, io.ErrUnexpectedEOF
	case b.kind == bmpRuns8 || b.kind == bmpRuns4:
		return b.decodeRuns()
	}
	stride := (b.width*b.bits + 31) / 32 * 4
	row, pixels := (b.width*b.bits+7)/8, data[b.pixels:]
	if len(pixels) < (b.height-1)*stride+row {
		return nil, io.ErrUnexpectedEOF
	}
	rect := image.Rect(0, 0, b.width, b.height)
	if b.bits <= 8 {
		img := image.NewPaletted(rect, b.palette)
		for y := range b.height {
			to := img.Pix[b.row(y)*img.Stride:]
			for x := range b.width {
				at := x * b.bits
				to[x] = pixels[y*stride+at/8] >> (8 - b.bits - at%8) & (1<<b.bits - 1)
			}
		}
		return img, nil
	}
	img := image.NewNRGBA(rect)
	visible := b.masks[3] == 0
	for y := range b.height {
		to := img.Pix[b.row(y)*img.Stride:]
		for x := range b.width {
			from, v := pixels[y*stride+x*b.bits/8:], uint32(0)
			for i := range b.bits / 8 {
				v |= uint32(from[i]) << (8 * i)
			}
			for c, mask := range b.masks {
				to[4*x+c] = masked(v, mask)
			}
			if b.masks[3] == 0 {
				to[4*x+3] = 0xff
			}
			visible = visible || to[4*x+3] > 0
		}
	}
	if !visible { // An alpha that is 0 everywhere was not meant, as browsers see it.
		for i := 3; i < len(img.Pix); i += 4 {
			img.Pix[i] = 0xff
		}
	}
	return img, nil
}

// row returns the row of the picture that is stored as row y.
func (b bmpFile) row(y int) int {
	if b.topDown {
		return y
	}
	return b.height - 1 - y
}

// masked returns the bits under a mask, as one of 256 levels.
func masked(v, mask uint32) uint8 {
	if mask == 0 {
		return 0
	}
	low := bits.TrailingZeros32(mask)
	most := uint64(mask >> low)
	return uint8((uint64(v&mask>>low)*0xff + most/2) / most)
}

// decodeRuns decodes run lengths. Omitted pixels are transparent, as in browsers.
func (b bmpFile) decodeRuns() (image.Image, error) {
	img := image.NewPaletted(image.Rect(0, 0, b.width, b.height), b.palette)
	set := make([]bool, len(img.Pix))
	x, y, count := 0, 0, 0
	put := func(index byte) {
		if x < b.width && y < b.height {
			i := b.row(y)*img.Stride + x
			if !set[i] {
				count++
			}
			img.Pix[i], set[i] = index, true
		}
		x++
	}
	puts := func(i int, pair byte) { // number i of pixels in bytes that hold one or two
		if b.bits == 4 {
			pair = pair >> (4 - 4*(i%2)) & 0xf
		}
		put(pair)
	}
	for at := b.pixels; ; {
		if at+2 > len(b.data) {
			if count < len(set) {
				return nil, io.ErrUnexpectedEOF
			}
			return img, nil // Only the end's mark is missing.
		}
		n, v := int(b.data[at]), int(b.data[at+1])
		at += 2
		switch {
		case n > 0:
			for i := range n {
				puts(i, byte(v))
			}
		case v == 0: // the row's end
			x, y = 0, y+1
		case v == 1: // the picture's end
			return b.holes(img, set, count), nil
		case v == 2: // a step
			if at+2 > len(b.data) {
				return nil, io.ErrUnexpectedEOF
			}
			x, y, at = x+int(b.data[at]), y+int(b.data[at+1]), at+2
		default: // so many pixels as they are
			size := (v*b.bits + 7) / 8
			if at+size > len(b.data) {
				return nil, io.ErrUnexpectedEOF
			}
			for i := range v {
				puts(i, b.data[at+i*b.bits/8])
			}
			at += size + size%2
		}
	}
}

// holes makes pixels that were not set transparent.
func (b bmpFile) holes(img *image.Paletted, set []bool, count int) image.Image {
	if count == len(set) {
		return img
	}
	out := image.NewNRGBA(img.Rect)
	for i, is := range set {
		if is {
			c := b.palette[img.Pix[i]].(color.RGBA)
			copy(out.Pix[4*i:], []byte{c.R, c.G, c.B, 0xff})
		}
	}
	return out
}
