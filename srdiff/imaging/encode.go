// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package imaging

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"io"
	"iter"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/srdiff/srlab/srdiff/internal/atomicfile"
)

// Format is a format that pictures are written in.
type Format string

// The formats.
const (
	PNG  Format = "PNG"
	JPEG Format = "JPEG" // 8 bits a channel, on white where the picture is transparent
	TIFF Format = "TIFF"
	WebP Format = "WebP" // 8 bits a channel
)

// FormatOf returns the format that goes with the end of a file's name, "" for none.
func FormatOf(name string) Format {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".png":
		return PNG
	case ".jpg", ".jpeg", ".jpe", ".jfif":
		return JPEG
	case ".tif", ".tiff":
		return TIFF
	case ".webp":
		return WebP
	}
	return ""
}

// CheckSize returns an error for a picture that is too large for the format.
func (f Format) CheckSize(size image.Point) error {
	if most := map[Format]int{JPEG: 1<<16 - 1, WebP: maxWebP}[f]; most > 0 && max(size.X, size.Y) > most {
		return fmt.Errorf("the result would be %dx%d, and a %s has at most %d pixels a side: want a PNG or a TIFF", size.X, size.Y, f, most)
	}
	return nil
}

// Output describes a picture that is to be written.
type Output struct {
	Format        Format
	Width, Height int
	Like          image.Image // the result is of its kind: see Picture.As
	Quality       int         // of a JPEG or WebP, 1 to 100

	// Chunks are what a PNG carries before its pixels. The other formats carry the same EXIF, XMP,
	// density and ICC profile, and the first text as a comment or as the software.
	Chunks []Chunk
}

// Memory returns about how many bytes Encode takes for what it holds of the whole picture: 0 where
// it writes some rows after the other.
func (o Output) Memory() int64 {
	pixels := int64(o.Width) * int64(o.Height)
	switch {
	case o.Format == WebP:
		return webpMemory * pixels
	case o.Format == JPEG && isGrey(o.Like):
		return pixels
	}
	return 0
}

// Write writes a picture to a file whole or not at all: see atomicfile.Write.
func (o Output) Write(path string, strips Strips) error {
	return atomicfile.Write(path, func(w io.Writer) error { return o.Encode(w, strips) })
}

// Encode writes a picture whose strips have o.Width and, together, o.Height. It returns the first
// error of w or of the strips. A TIFF needs a w that is an io.WriteSeeker, such as a file.
func (o Output) Encode(w io.Writer, strips Strips) (err error) {
	next, stop := iter.Pull2(strips)
	defer stop()
	img := &streamed{kind: o.kind(), size: image.Rect(0, 0, o.Width, o.Height), next: next}
	defer func() {
		switch v := recover().(type) {
		case nil:
		case stripError:
			err = v.error
		default:
			panic(v)
		}
	}()
	switch o.Format {
	case PNG:
		return EncodePNG(w, img, o.Chunks...)
	case JPEG:
		return o.encodeJPEG(w, img)
	case TIFF:
		return o.encodeTIFF(w, img)
	case WebP:
		return o.encodeWebP(w, img)
	}
	return fmt.Errorf("the format %q cannot be written", o.Format)
}

// kind is the kind of the pixels that are written.
func (o Output) kind() *kind {
	k := kindOf(o.Like, o.Width, o.Height)
	if o.Format == JPEG || o.Format == WebP {
		k.deep = false
	}
	return k
}

// Rows returns a function that converts strips, in their order, to rows of the picture with the values
// that Encode writes. A transparent picture stays transparent for a JPEG too.
func (o Output) Rows() func(strip Picture) image.Image {
	k, top := o.kind(), 0
	return func(strip Picture) image.Image {
		rows := k.image(strip, top)
		top += strip.Height
		return rows
	}
}

// streamed is an image whose rows are made when an encoder asks for them, from the top down. The last
// rows stay, as many as the encoders read together.
type streamed struct {
	kind *kind
	size image.Rectangle
	next func() (Picture, error, bool)
	rows []image.Image
	end  int // of the rows
}

// stripError is the error of a strip, on its way through an encoder.
type stripError struct{ error }

// keptRows is how many rows an encoder reads together: JPEG's blocks with halved chroma have 16.
const keptRows = 16

func (s *streamed) ColorModel() color.Model { return s.kind.model() }
func (s *streamed) Bounds() image.Rectangle { return s.size }
func (s *streamed) Opaque() bool            { return s.kind.opaque || s.kind.grey }

// At implements image.Image.
func (s *streamed) At(x, y int) color.Color { return s.row(y).At(x, y) }

// row returns rows that y is among.
func (s *streamed) row(y int) image.Image {
	for y >= s.end {
		strip, err, ok := s.next()
		if err == nil && (!ok || strip.Width != s.size.Dx() || s.end+strip.Height > s.size.Dy()) {
			err = fmt.Errorf("the strips of a picture of %v are not its rows: one has %dx%d after %d rows", s.size.Size(), strip.Width, strip.Height, s.end)
		}
		if err != nil {
			panic(stripError{err})
		}
		s.rows = slices.DeleteFunc(s.rows, func(rows image.Image) bool { return rows.Bounds().Max.Y <= y-keptRows })
		s.rows = append(s.rows, s.kind.image(strip, s.end))
		s.end += strip.Height
	}
	for _, rows := range slices.Backward(s.rows) {
		if y >= rows.Bounds().Min.Y {
			return rows
		}
	}
	panic(fmt.Sprintf("row %d is asked for after row %d", y, s.end))
}

// onWhite is an image without transparency.
type onWhite struct{ *streamed }

func (w onWhite) ColorModel() color.Model { return color.RGBAModel }
func (w onWhite) At(x, y int) color.Color {
	r, g, b, a := w.streamed.At(x, y).RGBA()
	over := func(v uint32) uint8 { return uint8((v + 0xffff - a) >> 8) }
	return color.RGBA{over(r), over(g), over(b), 0xff}
}

func (o Output) encodeJPEG(w io.Writer, img *streamed) error {
	var source image.Image = img
	switch {
	case img.kind.grey: // The encoder stores grey as such for this type alone.
		grey := image.NewGray(img.size)
		for y := 0; y < img.size.Dy(); y = img.end {
			draw.Draw(grey, img.row(y).Bounds(), img.row(y), img.row(y).Bounds().Min, draw.Src)
		}
		source = grey
	case !img.kind.opaque:
		source = onWhite{img}
	}
	buffered := bufio.NewWriter(&jpegInserter{w: w, segments: jpegSegments(o.Chunks)})
	if err := jpeg.Encode(buffered, source, &jpeg.Options{Quality: o.Quality}); err != nil {
		return err
	}
	return buffered.Flush()
}

// jpegInserter passes a JPEG file on, with segments after its first marker, of two bytes.
type jpegInserter struct {
	w        io.Writer
	segments []byte
	passed   int
}

// Write implements io.Writer.
func (i *jpegInserter) Write(p []byte) (n int, err error) {
	if i.passed < 2 && i.passed+len(p) >= 2 {
		first := 2 - i.passed
		if n, err = i.w.Write(p[:first]); err != nil {
			return n, err
		}
		if _, err = i.w.Write(i.segments); err != nil {
			return n, err
		}
		i.passed, p = i.passed+n, p[first:]
	}
	rest, err := i.w.Write(p)
	i.passed += rest
	return n + rest, err
}

// about is what chunks say, for formats without chunks.
type about struct {
	comment       string // "KEY\x00TEXT"
	exif, profile []byte
	xmp           string
	density       density
}

func aboutOf(chunks []Chunk) (a about) {
	for _, c := range chunks {
		switch c.Type {
		case "iTXt":
			key, text, ok := textIn(c)
			switch {
			case ok && key == xmpKey:
				a.xmp = text
			case ok && a.comment == "":
				a.comment = key + "\x00" + text
			}
		case "eXIf":
			a.exif = c.Data
		case "iCCP":
			a.profile = inflateProfile(c.Data)
		case "pHYs":
			a.density = density{binary.BigEndian.Uint32(c.Data), binary.BigEndian.Uint32(c.Data[4:]), c.Data[8] == 1}
		}
	}
	return a
}

// maxSegment is how much a segment of a JPEG file holds.
const maxSegment = 65533

// Omitted returns a line for each part of the chunks that the format cannot carry.
func (o Output) Omitted() (remarks []string) {
	a := aboutOf(o.Chunks)
	if o.Format == JPEG && len(jpegXMP)+len(a.xmp) > maxSegment {
		remarks = append(remarks, "its XMP is too long for a JPEG, and left out")
	}
	if o.Format == JPEG && len(jpegExif)+len(a.exif) > maxSegment {
		remarks = append(remarks, "its EXIF is too long for a JPEG, and left out")
	}
	if o.Format == JPEG && !isOpaque(o.Like) {
		remarks = append(remarks, "a JPEG has no transparency: the picture is put on white")
	}
	return remarks
}

const jpegExif, jpegXMP, jpegICC = "Exif\x00\x00", "http://ns.adobe.com/xap/1.0/\x00", "ICC_PROFILE\x00"

// jpegSegments returns the segments of what the chunks say.
func jpegSegments(chunks []Chunk) (b []byte) {
	add := func(marker byte, parts ...string) {
		data := strings.Join(parts, "")
		if len(data) > maxSegment {
			return
		}
		b = append(b, 0xff, marker)
		b = binary.BigEndian.AppendUint16(b, uint16(len(data)+2))
		b = append(b, data...)
	}
	a := aboutOf(chunks)
	jfif := []byte("JFIF\x00\x01\x02\x00\x00\x01\x00\x01\x00\x00")
	if d := a.density; d.x > 0 {
		unit, scale := byte(0), 1.
		if d.metre {
			unit, scale = 1, inch
		}
		x, y := float64(d.x)*scale+0.5, float64(d.y)*scale+0.5
		if x >= 1 && x < 1<<16 && y >= 1 && y < 1<<16 {
			jfif[7] = unit
			binary.BigEndian.PutUint16(jfif[8:], uint16(x))
			binary.BigEndian.PutUint16(jfif[10:], uint16(y))
		}
	}
	add(0xe0, string(jfif))
	if a.comment != "" {
		add(0xfe, a.comment)
	}
	if a.exif != nil {
		add(0xe1, jpegExif, string(a.exif))
	}
	if a.xmp != "" {
		add(0xe1, jpegXMP, a.xmp)
	}
	const piece = maxSegment - len(jpegICC) - 2
	pieces := slices.Collect(slices.Chunk(a.profile, piece))
	for i, p := range pieces {
		add(0xe2, jpegICC, string([]byte{byte(i + 1), byte(len(pieces))}), string(p))
	}
	return b
}

// Tags of a TIFF directory that say what a picture is.
const (
	tagSoftware = 305
	tagXMP      = 700
	tagICC      = 34675
)

// tiffRows is how many rows of a TIFF are compressed together.
const tiffRows = 64

// encodeTIFF writes strips, compressed by deflate after the horizontal predictor, and then their
// directory.
func (o Output) encodeTIFF(w io.Writer, img *streamed) error {
	file, ok := w.(io.WriteSeeker)
	if !ok {
		return fmt.Errorf("a TIFF needs a file: name one")
	}
	a := aboutOf(o.Chunks)
	order := byteOrder(a.exif)
	if order == nil {
		order = binary.LittleEndian
	}
	head := []byte("II*\x00\x00\x00\x00\x00")
	if order == binary.BigEndian {
		head = []byte("MM\x00*\x00\x00\x00\x00")
	}
	if _, err := file.Write(head); err != nil {
		return err
	}
	at := int64(len(head))
	var offsets, sizes []byte
	for top := 0; top < o.Height; top += tiffRows {
		packed := tiffStrip(img, top, min(o.Height, top+tiffRows), order)
		packed = append(packed, make([]byte, len(packed)%2)...)
		offsets, sizes = appendUint32(order, offsets, uint32(at)), appendUint32(order, sizes, uint32(len(packed)))
		if _, err := file.Write(packed); err != nil {
			return err
		}
		if at += int64(len(packed)); at > 1<<32-1<<28 { // the directory and a profile follow
			return fmt.Errorf("a picture of %dx%d is too large for a TIFF, which ends at 4 GB: want a PNG", o.Width, o.Height)
		}
	}
	fields, below := o.tiffFields(img.kind, a, order)
	fields[tagStrips], fields[tagStripBytes] = field{long, offsets}, field{long, sizes}
	if _, err := file.Write(appendDirectory(nil, int(at), order, fields, below)); err != nil {
		return err
	}
	order.PutUint32(head[4:], uint32(at))
	_, err := file.Seek(0, io.SeekStart)
	if err == nil {
		_, err = file.Write(head)
	}
	return err
}

func appendUint32(order binary.ByteOrder, b []byte, v uint32) []byte {
	b = append(b, 0, 0, 0, 0)
	order.PutUint32(b[len(b)-4:], v)
	return b
}

// shortsIn is a field of numbers of 2 bytes.
func shortsIn(order binary.ByteOrder, values ...int) field {
	f := field{kind: short}
	for _, v := range values {
		f.value = append(f.value, 0, 0)
		order.PutUint16(f.value[len(f.value)-2:], uint16(v))
	}
	return f
}

// fields returns the density as fields of a TIFF directory, none for no density.
func (d density) fields(order binary.ByteOrder) map[uint16]field {
	unit, below := 1, uint32(1) // a ratio alone
	if d.metre {
		unit, below = 3, 100 // centimetres
	}
	ratio := func(v uint32) field { return field{rational, appendUint32(order, appendUint32(order, nil, v), below)} }
	if d.x == 0 {
		return nil
	}
	return map[uint16]field{tagXResolution: ratio(d.x), tagYResolution: ratio(d.y), tagUnit: shortsIn(order, unit)}
}

// samples are the channels of a TIFF's pixel.
func (k *kind) samples() int {
	switch {
	case k.grey:
		return 1
	case k.opaque:
		return 3
	}
	return 4
}

// tiffStrip returns rows of the image, each with the differences of neighbours, compressed.
func tiffStrip(img *streamed, top, bottom int, order binary.ByteOrder) []byte {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	n := img.kind.samples()
	var raw []byte
	for y := top; y < bottom; y++ {
		raw = raw[:0]
		var before [4]uint16
		for x := range img.size.Dx() {
			now := sampleAt(img, x, y)
			for c := range n {
				d := now[c] - before[c]
				if img.kind.deep {
					raw = append(raw, 0, 0)
					order.PutUint16(raw[len(raw)-2:], d)
				} else {
					raw = append(raw, byte(d))
				}
			}
			before = now
		}
		z.Write(raw) // Writes to memory do not fail.
	}
	z.Close()
	return b.Bytes()
}

// sampleAt returns the channels of a pixel, in 8 or 16 bits.
func sampleAt(img *streamed, x, y int) [4]uint16 {
	switch c := img.At(x, y).(type) {
	case color.Gray:
		return [4]uint16{uint16(c.Y)}
	case color.Gray16:
		return [4]uint16{c.Y}
	case color.NRGBA:
		return [4]uint16{uint16(c.R), uint16(c.G), uint16(c.B), uint16(c.A)}
	case color.NRGBA64:
		return [4]uint16{c.R, c.G, c.B, c.A}
	}
	panic("a kind has one of these colours")
}

// tiffFields returns the directory of a TIFF without its strips.
func (o Output) tiffFields(k *kind, a about, order binary.ByteOrder) (fields map[uint16]field, below map[uint16]map[uint16]field) {
	shorts := func(values ...int) field { return shortsIn(order, values...) }
	number := func(v uint32) field { return field{long, appendUint32(order, nil, v)} }
	fields, below = map[uint16]field{}, map[uint16]map[uint16]field{}
	if a.exif != nil {
		fields, below = describing(a.exif)
	}
	bits, photometric := 8, 2
	if k.deep {
		bits = 16
	}
	if k.grey {
		photometric = 1
	}
	fields[tagWidth], fields[tagHeight] = number(uint32(o.Width)), number(uint32(o.Height))
	fields[tagBits] = shorts(slices.Repeat([]int{bits}, k.samples())...)
	fields[tagCompression], fields[tagPredictor] = shorts(packDeflate), shorts(2)
	fields[tagPhotometric], fields[tagSamples] = shorts(photometric), shorts(k.samples())
	fields[tagRows] = number(tiffRows)
	if k.samples() == 4 {
		fields[tagExtra] = shorts(2) // opacity that colours are not multiplied with
	}
	maps.Copy(fields, a.density.fields(order))
	if key, text, ok := strings.Cut(a.comment, "\x00"); ok {
		fields[tagSoftware] = field{2, []byte(key + " " + text + "\x00")}
	}
	if a.xmp != "" {
		fields[tagXMP] = field{1, []byte(a.xmp)}
	}
	if a.profile != nil {
		fields[tagICC] = field{undefined, a.profile}
	}
	return fields, below
}
