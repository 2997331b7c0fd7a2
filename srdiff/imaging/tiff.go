// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package imaging

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"slices"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/image/tiff"
	"golang.org/x/image/tiff/lzw"
)

// Tags of a TIFF directory for the storage of pixels (TIFF 6.0 and its supplements).
const (
	tagWidth        = 256
	tagHeight       = 257
	tagBits         = 258
	tagCompression  = 259
	tagPhotometric  = 262
	tagStrips       = 273
	tagSamples      = 277
	tagRows         = 278
	tagStripBytes   = 279
	tagPlanar       = 284
	tagPredictor    = 317
	tagPalette      = 320
	tagTileWidth    = 322
	tagTileHeight   = 323
	tagTiles        = 324
	tagTileBytes    = 325
	tagExtra        = 338
	tagSampleFormat = 339
	tagJPEGTables   = 347
)

// The values of tagCompression and tagPhotometric that the code below uses.
const (
	packNone, packLZW, packJPEG, packDeflate, packDeflateOld, packBits, packZSTD = 1, 5, 7, 8, 32946, 32773, 50000

	lightIsZero, darkIsZero, inRGB, inPalette, inCMYK, inYCbCr = 0, 1, 2, 3, 5, 6
)

// Names of kinds that are not read.
var (
	tiffPackings = map[uint32]string{
		2: "modified Huffman", 6: "old-style JPEG", 34712: "JPEG 2000", 34887: "LERC", 34925: "LZMA", 50001: "WebP", 50002: "JPEG XL",
	}
	tiffColours = map[uint32]string{
		4: "a mask", 8: "CIE Lab", 9: "ICC Lab", 10: "ITU Lab", 32803: "the raw data of a camera", 34892: "the raw data of a camera",
	}
)

// numbers returns a field's whole numbers.
func (d directory) numbers(order binary.ByteOrder, tag uint16) (list []uint32) {
	f := d.fields[tag]
	switch f.kind {
	case 1: // bytes
		for _, b := range f.value {
			list = append(list, uint32(b))
		}
	case short:
		for b := range slices.Chunk(f.value, 2) {
			list = append(list, uint32(order.Uint16(b)))
		}
	case long:
		for b := range slices.Chunk(f.value, 4) {
			list = append(list, order.Uint32(b))
		}
	}
	return list
}

// classicTIFF converts a BigTIFF to a classic TIFF file: the same data with a new first directory
// at its end. It omits subdirectories.
func classicTIFF(data []byte) ([]byte, error) {
	var order binary.ByteOrder = binary.LittleEndian
	if data[0] == 'M' {
		order = binary.BigEndian
	}
	if len(data) < 16 {
		return nil, io.ErrUnexpectedEOF
	}
	size := uint64(len(data))
	at := order.Uint64(data[8:])
	if at < 16 || at > size-8 {
		return nil, io.ErrUnexpectedEOF
	}
	count := order.Uint64(data[at:])
	at += 8
	if count > (size-at)/20 {
		return nil, io.ErrUnexpectedEOF
	}
	fields, total := map[uint16]field{}, uint64(0)
	for ; count > 0; count-- {
		entry := data[at : at+20]
		at += 20
		tag, f := order.Uint16(entry), field{kind: order.Uint16(entry[2:])}
		const long8, signed8, directory8 = 16, 17, 18
		wide := f.kind == long8 || f.kind == signed8 || f.kind == directory8
		bytes := uint64(8)
		if !wide {
			if int(f.kind) >= len(sizes) {
				continue
			}
			bytes = sizes[f.kind]
		}
		n := order.Uint64(entry[4:])
		if bytes == 0 || n > size/bytes || tag == tagExif || tag == tagGPS {
			continue
		}
		if total += n * bytes; total > size { // They lie over each other, and would take much more than the file.
			return nil, errors.New("a BigTIFF whose values are larger than the file")
		}
		if f.value = entry[12:]; n*bytes > 8 {
			place := order.Uint64(entry[12:])
			if place > size || n*bytes > size-place {
				continue
			}
			f.value = data[place:]
		}
		f.value = f.value[:n*bytes]
		if wide {
			var narrow []byte
			for v := range slices.Chunk(f.value, 8) {
				number := make([]byte, 4)
				order.PutUint32(number, uint32(min(order.Uint64(v), 1<<32-1)))
				narrow = append(narrow, number...)
			}
			f = field{long, narrow}
		}
		fields[tag] = f
	}
	d := directory{fields: fields}
	for offsets, counts := range map[uint16]uint16{tagStrips: tagStripBytes, tagTiles: tagTileBytes} {
		bytes := d.numbers(order, counts)
		for i, offset := range d.numbers(order, offsets) { // A block must not reach into the new directory.
			if i < len(bytes) && uint64(offset)+uint64(bytes[i]) > size {
				return nil, io.ErrUnexpectedEOF
			}
		}
	}
	classic := append([]byte{data[0], data[1], 0, 0, 0, 0, 0, 0}, data[8:]...)
	order.PutUint16(classic[2:], 42)
	order.PutUint32(classic[4:], uint32(len(classic)))
	return appendDirectory(classic, 0, order, fields, nil), nil
}

// tiffPicture is the first picture in a TIFF file.
type tiffPicture struct {
	data  []byte
	order binary.ByteOrder
	directory
	width, height  int
	bits           int // a sample
	samples        int // a pixel
	packing, light uint32
	planes         bool // each sample has blocks of its own
}

// readTIFF reads the first directory. The error for a kind that is not read names the kind.
func readTIFF(data []byte) (p tiffPicture, err error) {
	p = tiffPicture{data: data, order: byteOrder(data), directory: firstDirectory(data)}
	value := func(tag uint16, otherwise uint32) uint32 {
		if list := p.numbers(p.order, tag); len(list) > 0 {
			return list[0]
		}
		return otherwise
	}
	p.width, p.height = int(value(tagWidth, 0)), int(value(tagHeight, 0))
	p.bits, p.samples = int(value(tagBits, 1)), int(value(tagSamples, 1))
	p.packing, p.light = value(tagCompression, packNone), value(tagPhotometric, 0)
	p.planes = value(tagPlanar, 1) == 2
	if p.fields == nil || p.width == 0 || p.height == 0 {
		return p, io.ErrUnexpectedEOF
	}
	format, kind := value(tagSampleFormat, 1), ""
	switch name, known := tiffPackings[p.packing]; {
	case known:
		kind = fmt.Sprintf("with %s compression", name)
	case tiffColours[p.light] != "":
		kind = "that holds " + tiffColours[p.light]
	case format == 3:
		kind = "in floating point"
	case format == 2:
		kind = "of signed numbers"
	case p.bits > 16 || p.bits > 8 && p.bits < 16:
		kind = fmt.Sprintf("of %d bits a channel", p.bits)
	case p.light == inCMYK && p.packing == packJPEG:
		kind = "in CMYK with JPEG compression"
	case p.light == inYCbCr && p.packing != packJPEG:
		kind = "in YCbCr without JPEG compression"
	}
	if kind != "" {
		return p, &kindError{"a TIFF " + kind}
	}
	return p, nil
}

func tiffConfig(r io.Reader) (image.Config, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return image.Config{}, err
	}
	p, err := readTIFF(data)
	return image.Config{Width: p.width, Height: p.height}, err
}

// decodeTIFF uses the library for the kinds that it reads, and decodes other kinds itself: JPEG and
// ZSTD compression, grey with alpha, CMYK and separate planes.
func decodeTIFF(data []byte) (image.Image, error) {
	p, err := readTIFF(data)
	if err != nil {
		return nil, err
	}
	if p.packing != packJPEG && p.packing != packZSTD && p.light != inCMYK && !p.planes && (p.light > darkIsZero || p.samples == 1) {
		return tiff.Decode(bytes.NewReader(data))
	}
	if p.bits != 8 && p.bits != 16 {
		return nil, &kindError{fmt.Sprintf("a TIFF of %d bits a channel with compression %d", p.bits, p.packing)}
	}
	return p.decode()
}

// colours returns the number of samples without alpha.
func (p tiffPicture) colours() int {
	switch p.light {
	case inRGB, inYCbCr:
		return 3
	case inCMYK:
		return 4
	}
	return 1
}

// decode reads all blocks and returns their samples as a picture.
func (p tiffPicture) decode() (image.Image, error) {
	colours, alpha := p.colours(), uint32(0)
	if extra := p.numbers(p.order, tagExtra); len(extra) > 0 && p.samples > colours && p.light != inCMYK {
		alpha = extra[0] // 1 for premultiplied, 2 for plain, 0 for something else
	}
	if p.samples < colours {
		return nil, errors.New("a TIFF with too few samples")
	}
	channels, bytes := 4, p.bits/8
	if colours == 1 && alpha == 0 {
		channels = 1
	}
	pix := make([]byte, p.width*p.height*channels*bytes)
	err := p.blocks(func(b image.Rectangle, first int, samples []byte) {
		ofPixel := p.samples
		if p.planes {
			ofPixel = 1
		}
		whole := image.Rect(0, 0, p.width, p.height)
		each(b.Intersect(whole), func(x, y int) {
			from := samples[((y-b.Min.Y)*b.Dx()+x-b.Min.X)*ofPixel*bytes:]
			for s := range ofPixel {
				to := first + s
				if to == colours && alpha != 0 {
					to = 3
				} else if to >= colours {
					continue
				}
				copy(pix[((y*p.width+x)*channels+to)*bytes:][:bytes], from[s*bytes:])
			}
		})
	})
	if err != nil {
		return nil, err
	}
	return p.picture(pix, channels, alpha)
}

// picture returns pixels with 1 or 4 channels as a picture.
func (p tiffPicture) picture(pix []byte, channels int, alpha uint32) (image.Image, error) {
	if p.bits == 16 && p.order == binary.LittleEndian { // The standard library's types are the other way round.
		for i := 0; i < len(pix); i += 2 {
			pix[i], pix[i+1] = pix[i+1], pix[i]
		}
	}
	bytes, most := p.bits/8, 1<<p.bits-1
	get := func(i int) int {
		if bytes == 2 {
			return int(pix[2*i])<<8 | int(pix[2*i+1])
		}
		return int(pix[i])
	}
	put := func(i, v int) {
		if bytes == 2 {
			binary.BigEndian.PutUint16(pix[2*i:], uint16(v))
		} else {
			pix[i] = byte(v)
		}
	}
	for i := 0; i < len(pix)/bytes; i += channels {
		if p.light == lightIsZero {
			put(i, most-get(i))
		}
		if channels == 1 {
			continue
		}
		switch {
		case p.light == inCMYK:
			for c := range 3 {
				put(i+c, ((most-get(i+c))*(most-get(i+3))+most/2)/most)
			}
		case p.colours() == 1:
			put(i+1, get(i))
			put(i+2, get(i))
		}
		if alpha == 0 {
			put(i+3, most)
		}
	}
	rect, stride := image.Rect(0, 0, p.width, p.height), p.width*channels*bytes
	const premultiplied = 1
	switch {
	case p.light == inPalette:
		return p.paletted(pix)
	case channels == 1 && bytes == 2:
		return &image.Gray16{Pix: pix, Stride: stride, Rect: rect}, nil
	case channels == 1:
		return &image.Gray{Pix: pix, Stride: stride, Rect: rect}, nil
	case alpha == premultiplied && bytes == 2:
		return &image.RGBA64{Pix: pix, Stride: stride, Rect: rect}, nil
	case alpha == premultiplied:
		return &image.RGBA{Pix: pix, Stride: stride, Rect: rect}, nil
	case bytes == 2:
		return &image.NRGBA64{Pix: pix, Stride: stride, Rect: rect}, nil
	}
	return &image.NRGBA{Pix: pix, Stride: stride, Rect: rect}, nil
}

func (p tiffPicture) paletted(pix []byte) (image.Image, error) {
	list := p.numbers(p.order, tagPalette)
	if p.bits != 8 || len(list) != 3*256 || len(pix) != p.width*p.height {
		return nil, &kindError{"a TIFF with an unusual palette"}
	}
	palette := make(color.Palette, 256)
	for i := range palette {
		palette[i] = color.RGBA64{uint16(list[i]), uint16(list[256+i]), uint16(list[512+i]), 0xffff}
	}
	return &image.Paletted{Pix: pix, Stride: p.width, Rect: image.Rect(0, 0, p.width, p.height), Palette: palette}, nil
}

// blocks calls put for each strip or tile, with its place, the number of its first sample, and its
// decompressed samples.
func (p tiffPicture) blocks(put func(b image.Rectangle, first int, samples []byte)) error {
	value := func(tag uint16, otherwise int) int {
		if list := p.numbers(p.order, tag); len(list) > 0 {
			return int(list[0])
		}
		return otherwise
	}
	width, height := p.width, min(value(tagRows, p.height), p.height)
	offsets, counts := p.numbers(p.order, tagStrips), p.numbers(p.order, tagStripBytes)
	tiled := value(tagTileWidth, 0) > 0
	if tiled {
		width, height = value(tagTileWidth, 0), value(tagTileHeight, 0)
		offsets, counts = p.numbers(p.order, tagTiles), p.numbers(p.order, tagTileBytes)
	}
	if err := checkSize(width, height); err != nil {
		return err
	}
	planes := 1
	if p.planes {
		planes = p.samples
	}
	across := (p.width + width - 1) / width
	each := across * ((p.height + height - 1) / height)
	if planes > len(offsets) || each > len(offsets)/planes || len(counts) < each*planes {
		return errors.New("a TIFF without some of its blocks")
	}
	for i := range each * planes {
		b := image.Rect(0, 0, width, height).Add(image.Pt(i%each%across*width, i%each/across*height))
		if !tiled {
			b.Max.Y = min(b.Max.Y, p.height)
		}
		from, n := uint64(offsets[i]), uint64(counts[i])
		if from+n > uint64(len(p.data)) {
			return io.ErrUnexpectedEOF
		}
		samples, err := p.unpack(p.data[from:from+n], b)
		if err != nil {
			return err
		}
		put(b, i/each, samples)
	}
	return nil
}

// unpack returns a block's samples.
func (p tiffPicture) unpack(data []byte, b image.Rectangle) ([]byte, error) {
	if p.packing == packJPEG {
		return p.fromJPEG(data, b)
	}
	row := b.Dx() * p.bits / 8
	ofPixel := p.samples
	if p.planes {
		ofPixel = 1
	}
	row *= ofPixel
	var r io.Reader
	switch p.packing {
	case 0, packNone:
		r = bytes.NewReader(data)
	case packLZW:
		r = lzw.NewReader(bytes.NewReader(data), lzw.MSB, 8)
	case packDeflate, packDeflateOld:
		z, err := zlib.NewReader(bytes.NewReader(data))
		if err != nil {
			return nil, err
		}
		r = z
	case packZSTD:
		z, err := zstd.NewReader(bytes.NewReader(data), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(MaxBytes))
		if err != nil {
			return nil, err
		}
		defer z.Close()
		r = z
	case packBits:
		r = bytes.NewReader(unpackBits(data, row*b.Dy()))
	default:
		return nil, &kindError{fmt.Sprintf("a TIFF with compression %d", p.packing)}
	}
	samples, err := io.ReadAll(io.LimitReader(r, int64(row*b.Dy())))
	if err == nil && len(samples) < row*b.Dy() {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, err
	}
	switch predictor := p.numbers(p.order, tagPredictor); {
	case len(predictor) == 0 || predictor[0] == 1:
	case predictor[0] == 2: // Samples are differences to their left neighbours.
		if p.packing == packNone {
			samples = slices.Clone(samples)
		}
		for line := range slices.Chunk(samples, row) {
			step := ofPixel * p.bits / 8
			for i := step; i < row; i += p.bits / 8 {
				if p.bits == 8 {
					line[i] += line[i-step]
				} else {
					p.order.PutUint16(line[i:], p.order.Uint16(line[i:])+p.order.Uint16(line[i-step:]))
				}
			}
		}
	default:
		return nil, &kindError{fmt.Sprintf("a TIFF with predictor %d", predictor[0])}
	}
	return samples, nil
}

// unpackBits decodes PackBits runs (TIFF 6.0, section 9), up to the given number of bytes.
func unpackBits(data []byte, most int) (out []byte) {
	for len(data) > 1 && len(out) < most {
		n := int(int8(data[0]))
		switch {
		case n >= 0:
			end := min(n+2, len(data))
			out, data = append(out, data[1:end]...), data[end:]
		case n > -128:
			out, data = append(out, bytes.Repeat(data[1:2], 1-n)...), data[2:]
		default:
			data = data[1:]
		}
	}
	return out
}

// fromJPEG decodes a block that is a JPEG file without tables. All blocks share the tables.
func (p tiffPicture) fromJPEG(data []byte, b image.Rectangle) ([]byte, error) {
	if len(data) < 2 || p.bits != 8 {
		return nil, io.ErrUnexpectedEOF
	}
	whole := []byte{0xff, 0xd8}
	if p.light == inRGB { // The decoder takes three channels for YCbCr unless it is told so.
		whole = append(whole, "\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00"...)
	}
	if tables := p.fields[tagJPEGTables].value; len(tables) >= 4 {
		whole = append(whole, tables[2:len(tables)-2]...) // without the marks of start and end
	}
	whole = append(whole, data[2:]...)
	config, err := jpeg.DecodeConfig(bytes.NewReader(whole))
	if err != nil {
		return nil, err
	}
	if err := checkSize(config.Width, config.Height); err != nil {
		return nil, err
	}
	img, err := jpeg.Decode(bytes.NewReader(whole))
	if err != nil {
		return nil, err
	}
	samples := p.samples
	if p.planes {
		samples = 1
	}
	if size := img.Bounds().Size(); size.X < b.Dx() || size.Y < b.Dy() || samples != 1 && samples != 3 {
		return nil, errors.New("a block of a TIFF has another size than it should")
	}
	out := make([]byte, 0, b.Dx()*b.Dy()*samples)
	for y := range b.Dy() {
		for x := range b.Dx() {
			c := color.NRGBAModel.Convert(img.At(x, y)).(color.NRGBA)
			out = append(out, []byte{c.R, c.G, c.B}[:samples]...)
		}
	}
	return out, nil
}
