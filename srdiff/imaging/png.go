// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package imaging

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/png"
	"io"
	"os"
	"slices"
)

const pngSignature = "\x89PNG\r\n\x1a\n"

// errEnd is the error for a PNG file without its last chunk.
var errEnd = errors.New("PNG without its end")

// chunkHead is the head of a chunk: its type and its number of bytes.
type chunkHead struct {
	kind string
	size uint32
}

// ancillary reports whether decoders may ignore the chunk (PNG 3rd ed., 5.4).
func (h chunkHead) ancillary() bool { return h.kind[0]&0x20 != 0 }

// chunkReader reads a PNG file chunk by chunk, so that a large one need not be in memory.
type chunkReader struct {
	r io.Reader
	s io.Seeker // r itself, nil where it cannot seek
}

// newChunkReader reads the signature. The error for other data is ErrFormat.
func newChunkReader(r io.Reader) (*chunkReader, error) {
	signature := make([]byte, len(pngSignature))
	if _, err := io.ReadFull(r, signature); err != nil && !cutShort(err) {
		return nil, err
	}
	if string(signature) != pngSignature {
		return nil, ErrFormat
	}
	s, _ := r.(io.Seeker)
	return &chunkReader{r, s}, nil
}

// next reads the head of the next chunk.
func (c *chunkReader) next() (chunkHead, error) {
	b := make([]byte, 8)
	if _, err := io.ReadFull(c.r, b); err != nil {
		return chunkHead{}, err
	}
	return chunkHead{string(b[4:]), binary.BigEndian.Uint32(b)}, nil
}

// body returns the chunk's contents, and whether its checksum is right.
func (c *chunkReader) body(h chunkHead) (data []byte, whole bool, err error) {
	data, err = io.ReadAll(io.LimitReader(c.r, int64(h.size))) // It takes no more memory than there is data.
	if err != nil {
		return nil, false, err
	}
	sum := make([]byte, 4)
	if _, err := io.ReadFull(c.r, sum); err != nil {
		return nil, false, err
	}
	return data, binary.BigEndian.Uint32(sum) == sumOf(h.kind, data), nil
}

// skip skips the chunk's contents and its checksum.
func (c *chunkReader) skip(h chunkHead) error {
	n := int64(h.size) + 4
	if c.s != nil {
		if _, err := c.s.Seek(n, io.SeekCurrent); err == nil {
			return nil
		}
		c.s = nil // a pipe
	}
	_, err := io.CopyN(io.Discard, c.r, n)
	return err
}

func sumOf(kind string, data []byte) uint32 {
	return crc32.Update(crc32.ChecksumIEEE([]byte(kind)), crc32.IEEETable, data)
}

// cutShort reports whether an error means the end of a file.
func cutShort(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }

// withoutPixels reads all chunks of a PNG file except for the pixels, up to the end or to the place
// where the file is truncated.
func withoutPixels(r io.Reader) ([]byte, error) {
	c, err := newChunkReader(r)
	if err != nil {
		return nil, err
	}
	data := []byte(pngSignature)
	for len(data) < MaxBytes {
		h, err := c.next()
		if err == nil && (h.kind == "IDAT" || h.kind == "fdAT") {
			err = c.skip(h)
			data = append(data, Chunk{Type: h.kind}.encoded()...) // The order tells what comes before the pixels.
		} else if err == nil {
			var body []byte
			var whole bool
			if body, whole, err = c.body(h); whole {
				data = append(data, Chunk{h.kind, body}.encoded()...)
			}
		}
		if cutShort(err) || h.kind == "IEND" {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	return data, nil
}

// ReadText returns the texts before a PNG file's pixels by their keywords. If a keyword occurs
// several times, the first text counts. ReadText reads only that part of the file. It skips damaged
// chunks, and stops where the file is truncated. Other files have no texts. It returns only errors
// of reading.
func ReadText(path string) (map[string]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	texts := map[string]string{}
	c, err := newChunkReader(bufio.NewReader(f))
	for err == nil {
		var h chunkHead
		if h, err = c.next(); err != nil || h.kind == "IDAT" || h.kind == "IEND" {
			break
		}
		if !slices.Contains([]string{"tEXt", "zTXt", "iTXt"}, h.kind) || h.size > maxText {
			err = c.skip(h)
			continue
		}
		var data []byte
		var whole bool
		if data, whole, err = c.body(h); whole {
			key, text, ok := textIn(Chunk{h.kind, data})
			if _, before := texts[key]; ok && !before {
				texts[key] = text
			}
		}
	}
	if err != nil && !cutShort(err) && !errors.Is(err, ErrFormat) {
		return texts, err
	}
	return texts, nil
}

// maxText is the greatest number of bytes of a text that is read.
const maxText = 8 << 20

// textIn returns the key and text of a tEXt, zTXt or iTXt chunk (PNG 3rd ed., 11.3.3), and whether
// it is one of those and whole.
func textIn(c Chunk) (key, text string, ok bool) {
	name, rest, ok := bytes.Cut(c.Data, []byte{0})
	compressed := false
	switch {
	case !ok:
		return "", "", false
	case c.Type == "tEXt":
	case c.Type == "zTXt":
		ok = len(rest) > 0 && rest[0] == 0
		compressed, rest = true, rest[min(1, len(rest)):]
	case c.Type == "iTXt": // flag, method, language and translated key come before the text
		var parts [][]byte
		if len(rest) > 2 {
			parts = bytes.SplitN(rest[2:], []byte{0}, 3)
		}
		if ok = len(parts) == 3; ok {
			compressed, rest = rest[0] != 0, parts[2]
		}
	default:
		return "", "", false
	}
	if ok && compressed {
		rest = inflate(rest, maxText)
		ok = rest != nil && len(rest) <= maxText
	}
	return string(name), string(rest), ok
}

// Complete returns nil for a complete PNG file: all chunks are present, with the right checksums.
// For a JPEG, TIFF or WebP it checks the end, which Output writes last. It does not decode the
// pixels. Otherwise the error names the file and the fault.
func Complete(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	switch formatOfFile(f) {
	case JPEG:
		err = endOfJPEG(f)
	case TIFF:
		_, err = lastDirectory(f)
	case WebP:
		_, err = softwareOfWebP(f)
	default:
		err = complete(bufio.NewReaderSize(f, 1<<16))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func complete(r io.Reader) error {
	c, err := newChunkReader(r)
	if errors.Is(err, ErrFormat) {
		return errors.New("not a PNG file, or truncated")
	}
	first, pixels := true, false
	for err == nil {
		var h chunkHead
		if h, err = c.next(); err != nil {
			break
		}
		if first && h.kind != "IHDR" {
			return errors.New("damaged: the first chunk of a PNG file must be IHDR")
		}
		sum := crc32.NewIEEE()
		io.WriteString(sum, h.kind)
		if _, err = io.CopyN(sum, c.r, int64(h.size)); err != nil {
			break
		}
		want := make([]byte, 4)
		if _, err = io.ReadFull(c.r, want); err != nil {
			break
		}
		if sum.Sum32() != binary.BigEndian.Uint32(want) {
			return fmt.Errorf("damaged: the checksum of a chunk %q is wrong", h.kind)
		}
		first, pixels = false, pixels || h.kind == "IDAT"
		if h.kind == "IEND" {
			if !pixels {
				return errors.New("damaged: a PNG file without pixels")
			}
			return nil
		}
	}
	if cutShort(err) {
		return errors.New("truncated: " + errEnd.Error())
	}
	return err
}

// pngConfig reads the size in a PNG file's header. The decoder's own reading is as strict as the
// decoder.
func pngConfig(r io.Reader) (image.Config, error) {
	c, err := newChunkReader(r)
	if err != nil {
		return image.Config{}, err
	}
	h, err := c.next()
	if err != nil {
		return image.Config{}, err
	}
	header, whole, err := c.body(h)
	switch {
	case cutShort(err):
		return image.Config{}, io.ErrUnexpectedEOF
	case err != nil:
		return image.Config{}, err
	case h.kind != "IHDR" || h.size != 13 || !whole:
		return image.Config{}, errors.New("the header of the PNG is broken")
	}
	return image.Config{Width: int(binary.BigEndian.Uint32(header)), Height: int(binary.BigEndian.Uint32(header[4:]))}, nil
}

// pngFrame is the first picture in a PNG file, as browsers show it.
type pngFrame struct {
	header         []byte // IHDR, with the frame's size
	palette, alpha []byte // PLTE and tRNS, nil for none
	pixels         [][]byte
	canvas         image.Point
	place          image.Rectangle // of the frame on the canvas
}

// firstPNG returns the first picture. In an animation this is the first frame, which may differ
// from the picture that readers without animations show. Like libpng, it ignores ancillary chunks
// that are damaged, of a wrong length or in a wrong place. Damage to other chunks is an error.
func firstPNG(data []byte) (f pngFrame, err error) {
	var animated, ended, own bool // own: the frame has pixels of its own, in fdAT
	var frames int
	for c, whole := range pngChunks(data) {
		h := chunkHead{kind: c.Type}
		switch {
		case !whole && h.ancillary() && c.Type != "fdAT":
			continue
		case !whole:
			return f, fmt.Errorf("the checksum of a PNG's chunk %q is wrong", c.Type)
		case f.header == nil && (c.Type != "IHDR" || len(c.Data) != 13):
			return f, errors.New("a PNG that does not begin with IHDR")
		}
		switch c.Type {
		case "IHDR":
			if f.header != nil {
				return f, errors.New("a PNG with two IHDR")
			}
			f.header = slices.Clone(c.Data)
			f.canvas = image.Pt(int(binary.BigEndian.Uint32(c.Data)), int(binary.BigEndian.Uint32(c.Data[4:])))
			f.place = image.Rectangle{Max: f.canvas}
		case "PLTE":
			if f.palette == nil && f.pixels == nil && f.colourType() == 3 {
				f.palette = c.Data[:min(len(c.Data), 3<<min(f.header[8], 8))]
			}
		case "tRNS":
			if f.alpha == nil && f.pixels == nil && f.fits(c.Data) {
				f.alpha = c.Data
			}
		case "acTL":
			animated = animated || f.pixels == nil
		case "fcTL":
			if frames++; animated && frames == 1 && f.pixels != nil && len(c.Data) >= 20 {
				number := func(at int) int { return int(binary.BigEndian.Uint32(c.Data[at:])) }
				place := image.Rect(0, 0, number(4), number(8)).Add(image.Pt(number(12), number(16)))
				if !place.Empty() && place.In(f.place) {
					own, f.pixels, f.place = true, nil, place
					copy(f.header, c.Data[4:12])
				}
			}
		case "IDAT":
			if !own {
				f.pixels = append(f.pixels, c.Data)
			}
		case "fdAT":
			if own && frames == 1 && len(c.Data) >= 4 {
				f.pixels = append(f.pixels, c.Data[4:]) // A number of the chunk comes first.
			}
		case "IEND":
			ended = true
		default:
			if !h.ancillary() {
				return f, fmt.Errorf("a PNG with a chunk %q, which is essential to it and unknown", c.Type)
			}
		}
	}
	if !ended {
		return f, errEnd
	}
	return f, nil
}

func (f pngFrame) colourType() byte { return f.header[9] }

// fits reports whether the transparency chunk has the right length for the colour type.
func (f pngFrame) fits(alpha []byte) bool {
	switch f.colourType() {
	case 0:
		return len(alpha) == 2
	case 2:
		return len(alpha) == 6
	case 3:
		return len(alpha) > 0 && 3*len(alpha) <= len(f.palette)
	}
	return false
}

// file returns the frame as a separate PNG file.
func (f pngFrame) file() []byte {
	b := append([]byte(pngSignature), Chunk{"IHDR", f.header}.encoded()...)
	if f.palette != nil {
		b = append(b, Chunk{"PLTE", f.palette}.encoded()...)
	}
	if f.alpha != nil {
		b = append(b, Chunk{"tRNS", f.alpha}.encoded()...)
	}
	for _, p := range f.pixels {
		b = append(b, Chunk{"IDAT", p}.encoded()...)
	}
	return append(b, Chunk{Type: "IEND"}.encoded()...)
}

// decodePNG decodes the first picture in a PNG file, on its canvas.
func decodePNG(data []byte) (image.Image, error) {
	f, err := firstPNG(data)
	if err != nil {
		return nil, err
	}
	img, err := png.Decode(bytes.NewReader(f.file()))
	if err != nil {
		repacked, ok := f.repacked()
		if !ok {
			return nil, err
		}
		if img, err = png.Decode(bytes.NewReader(repacked.file())); err != nil {
			return nil, err
		}
	}
	return onCanvas(img, f.place.Min, f.canvas), nil
}

// repacked returns the frame with its pixels compressed again. Like libpng, it ignores data after
// the pixels, and a wrong checksum of the compressed pixels if the chunks' checksums are right. ok
// is false if pixels are missing.
func (f pngFrame) repacked() (pngFrame, bool) {
	r, err := zlib.NewReader(bytes.NewReader(slices.Concat(f.pixels...)))
	if err != nil {
		return f, false
	}
	raw := make([]byte, f.rawSize())
	if _, err := io.ReadFull(r, raw); err != nil {
		return f, false
	}
	var b bytes.Buffer
	w, _ := zlib.NewWriterLevel(&b, zlib.NoCompression) // The level exists.
	w.Write(raw)                                        // Writes to memory do not fail.
	w.Close()
	f.pixels = [][]byte{b.Bytes()}
	return f, true
}

// rawSize returns the number of bytes of the pixels and of each row's filter (PNG 3rd ed., 7.2 and
// 8.1).
func (f pngFrame) rawSize() (bytes int) {
	channels := map[byte]int{0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[f.colourType()]
	pass := func(x0, dx, y0, dy int) {
		w, h := (f.place.Dx()-x0+dx-1)/dx, (f.place.Dy()-y0+dy-1)/dy
		if w > 0 && h > 0 {
			bytes += h * (1 + (w*channels*int(f.header[8])+7)/8)
		}
	}
	if f.header[12] == 0 { // not interlaced
		pass(0, 1, 0, 1)
		return bytes
	}
	for _, p := range [][4]int{{0, 8, 0, 8}, {4, 8, 0, 8}, {0, 4, 4, 8}, {2, 4, 0, 4}, {0, 2, 2, 4}, {1, 2, 0, 2}, {0, 1, 1, 2}} {
		pass(p[0], p[1], p[2], p[3])
	}
	return bytes
}
