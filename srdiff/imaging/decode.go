// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package imaging

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/image/webp"
)

// Suffixes are the suffixes of picture files' names, in lower case.
var Suffixes = []string{".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".gif", ".bmp", ".dib", ".tif", ".tiff", ".webp"}

// MaxPixels is the greatest number of pixels of a picture that is read: 8192x8192. Nearly all
// cameras' photographs are smaller, and a Picture of that size still fits into memory: it takes 12
// bytes a pixel, 768 MiB.
const MaxPixels = 64 << 20

// MaxBytes is the greatest size of a file that is read: twice the size of MaxPixels pixels of
// uncompressed 16-bit RGBA.
const MaxBytes = 16 * MaxPixels

// ErrFormat is the error for data in a format that Decode does not read.
var ErrFormat = errors.New("not a picture that can be read (PNG, JPEG, GIF, BMP, TIFF or WebP)")

// SizeError is the error for a picture without pixels or with more than MaxPixels.
type SizeError struct{ Width, Height int }

// Error states the picture's size and the limit.
func (e *SizeError) Error() string {
	if e.Width <= 0 || e.Height <= 0 {
		return fmt.Sprintf("picture of %dx%d has no pixels", e.Width, e.Height)
	}
	return fmt.Sprintf("picture of %dx%d is too large: at most %d pixels (8192x8192) are read; scale it down or crop it",
		e.Width, e.Height, MaxPixels)
}

// File is a picture file that was read.
type File struct {
	Image    image.Image // the first picture in it, upright and with its whole canvas, of one of the standard library's types
	SHA256   string      // of the file's bytes, in hexadecimal
	Colour   []Chunk     // what its colours mean, for WritePNG: an ICC profile, or what a PNG file says in its place
	Metadata []Chunk     // its density (DPI), EXIF and XMP, for WritePNG; the orientation in them is that of Image
	Remarks  []string    // one line each: what of the file is not in the above though its owner may look for it
}

// Open decodes the picture in a file. Its errors name the file; otherwise they are Decode's.
func Open(path string) (image.Image, error) {
	file, err := Read(path)
	if err != nil {
		return nil, err
	}
	return file.Image, nil
}

// Read is Open with the file's metadata.
func Read(path string) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err // It already names the file.
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, fmt.Errorf("%s is a folder, not a picture", path)
	}
	file, err := decode(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return file, nil
}

// Decode reads a PNG, JPEG, GIF, BMP, TIFF or WebP picture: the first one in the data, on its whole
// canvas, turned upright by its EXIF orientation. It reads the size before it allocates memory: a
// picture without pixels or with more than MaxPixels is a *SizeError. Data of an unknown format is
// ErrFormat.
func Decode(r io.Reader) (image.Image, error) {
	file, err := decode(r)
	if err != nil {
		return nil, err
	}
	return file.Image, nil
}

func decode(r io.Reader) (file *File, err error) {
	defer guard(&err)
	data, err := io.ReadAll(io.LimitReader(r, MaxBytes))
	if err != nil {
		return nil, err
	}
	format, err := formatOf(data)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	if data, err = usual(format, data); err != nil {
		return nil, explain(err, data)
	}
	config, err := configs[format](bytes.NewReader(data))
	if err != nil {
		return nil, explain(err, data)
	}
	if err := checkSize(config.Width, config.Height); err != nil {
		return nil, err
	}
	img, err := decoders[format](data)
	if err != nil {
		return nil, explain(err, data)
	}
	if err := checkSize(img.Bounds().Dx(), img.Bounds().Dy()); err != nil {
		return nil, err
	}
	about := metadata(format, data)
	file = &File{
		Image:    upright(img, orientation(about.exif)),
		SHA256:   fmt.Sprintf("%x", sum),
		Metadata: about.about(format),
	}
	if about.frames > 1 {
		file.Remarks = append(file.Remarks, "it holds several pictures: only the first one is used")
	}
	if len(about.damaged) > 0 {
		file.Remarks = append(file.Remarks, fmt.Sprintf("its parts %q are damaged, and left out", about.damaged))
	}
	file.Colour, err = about.colour(img)
	if err != nil {
		file.Remarks = append(file.Remarks, err.Error())
	}
	return file, nil
}

// DecodeSize returns the width and height of Decode's picture, upright and with its whole canvas,
// without decoding the pixels. It returns the errors of Decode that do not depend on the pixels.
func DecodeSize(r io.Reader) (width, height int, err error) {
	defer guard(&err)
	data, format, err := head(r)
	if err != nil {
		return 0, 0, err
	}
	if data, err = usual(format, data); err != nil {
		return 0, 0, explain(err, data)
	}
	config, err := configs[format](bytes.NewReader(data))
	if err != nil {
		return 0, 0, explain(err, data)
	}
	if err := checkSize(config.Width, config.Height); err != nil {
		return 0, 0, err
	}
	if orientation(metadata(format, data).exif) >= 5 {
		return config.Height, config.Width, nil
	}
	return config.Width, config.Height, nil
}

// head reads the part of a file that holds its picture's size and orientation.
func head(r io.Reader) (data []byte, format string, err error) {
	r = io.LimitReader(r, MaxBytes)
	for room := 64 << 10; ; room *= 2 {
		more, err := io.ReadAll(io.LimitReader(r, int64(room-len(data))))
		data = append(data, more...)
		if err != nil {
			return nil, "", err
		}
		if format, err = formatOf(data); err != nil {
			return nil, "", err
		}
		ended := len(data) < room
		switch format {
		case "bmp":
			ended = true
		case "jpeg":
			ended = ended || scanBegins(data)
		case "png":
			data, err = withoutPixels(io.MultiReader(bytes.NewReader(data), r))
			return data, format, err
		}
		if ended {
			return data, format, nil
		}
	}
}

// Size returns the width and height of the picture in a file, as DecodeSize does. The errors name
// the file.
func Size(path string) (size image.Point, err error) {
	f, err := os.Open(path)
	if err != nil {
		return image.Point{}, err
	}
	defer f.Close()
	width, height, err := DecodeSize(f)
	if err != nil {
		return image.Point{}, fmt.Errorf("%s: %w", path, err)
	}
	return image.Pt(width, height), nil
}

// formatOf returns a file's format, which it recognises by the first bytes.
func formatOf(data []byte) (string, error) {
	has := func(at int, text string) bool { return len(data) >= at && bytes.HasPrefix(data[at:], []byte(text)) }
	switch {
	case len(data) == 0:
		return "", fmt.Errorf("empty: %w", ErrFormat)
	case has(0, pngSignature):
		return "png", nil
	case has(0, "\xff\xd8"):
		return "jpeg", nil
	case has(0, "GIF87a"), has(0, "GIF89a"):
		return "gif", nil
	case has(0, "RIFF") && has(8, "WEBPVP8"):
		return "webp", nil
	case has(0, "BM") && len(data) >= 18 && slices.Contains(bmpHeaders, binary.LittleEndian.Uint32(data[14:])):
		return "bmp", nil
	case has(0, "II*\x00"), has(0, "MM\x00*"), has(0, "II+\x00"), has(0, "MM\x00+"):
		return "tiff", nil
	}
	for _, other := range []struct {
		at         int
		magic, was string
	}{
		{4, "ftypavif", "AVIF"}, {4, "ftypavis", "AVIF"}, {4, "ftyphei", "HEIC"}, {4, "ftypmif1", "HEIF"}, {4, "ftypmsf1", "HEIF"},
		{4, "jP  \r\n", "JPEG 2000"}, {0, "\xff\x4f\xff\x51", "JPEG 2000"},
		{4, "JXL \r\n", "JPEG XL"}, {0, "\xff\x0a", "JPEG XL"},
		{0, "8BPS", "Photoshop"}, {0, "<svg", "SVG"}, {0, "%PDF", "PDF"}, {0, "\x00\x00\x01\x00", "icon (ICO)"},
	} {
		if has(other.at, other.magic) {
			return "", fmt.Errorf("the file is a %s: convert it to PNG; it is %w", other.was, ErrFormat)
		}
	}
	return "", ErrFormat
}

// usual converts a file of an unusual kind to one that the decoders read.
func usual(format string, data []byte) ([]byte, error) {
	switch {
	case format == "gif":
		return gifScreen(data), nil
	case format == "tiff" && byteOrder(data) == nil:
		return classicTIFF(data)
	}
	return data, nil
}

// configs read the canvas of each format, and decoders the first picture on it.
var configs = map[string]func(io.Reader) (image.Config, error){
	"png": pngConfig, "jpeg": jpeg.DecodeConfig, "gif": gif.DecodeConfig, "webp": webp.DecodeConfig,
	"bmp": bmpConfig, "tiff": tiffConfig,
}

var decoders = map[string]func(data []byte) (image.Image, error){
	"png":  decodePNG,
	"jpeg": func(data []byte) (image.Image, error) { return jpeg.Decode(bytes.NewReader(data)) },
	"gif":  decodeGIF,
	"webp": decodeWebP,
	"bmp":  decodeBMP,
	"tiff": decodeTIFF,
}

func decodeGIF(data []byte) (image.Image, error) {
	config, err := gif.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	img, err := gif.Decode(bytes.NewReader(data))
	if err != nil {
		repacked, ok := repackedGIF(data)
		if !ok {
			return nil, err
		}
		if img, err = gif.Decode(bytes.NewReader(repacked)); err != nil {
			return nil, err
		}
	}
	if b := img.Bounds(); b.Empty() {
		return nil, &SizeError{b.Dx(), b.Dy()}
	}
	return onCanvas(img, img.Bounds().Min, image.Pt(config.Width, config.Height)), nil
}

func decodeWebP(data []byte) (image.Image, error) {
	f, animated := firstFrame(data)
	if !animated {
		img, err := webp.Decode(bytes.NewReader(data))
		return studioRange(img), err
	}
	config, err := webp.DecodeConfig(bytes.NewReader(f.still))
	if err != nil {
		return nil, err
	}
	if err := checkSize(config.Width, config.Height); err != nil {
		return nil, err
	}
	if !image.Rect(0, 0, config.Width, config.Height).Add(f.at).In(image.Rectangle{Max: f.canvas}) {
		return nil, errors.New("a frame reaches beyond the canvas")
	}
	img, err := webp.Decode(bytes.NewReader(f.still))
	if err != nil {
		return nil, err
	}
	return onCanvas(studioRange(img), f.at, f.canvas), nil
}

// guard turns a panic into an error. The decoders read hostile bytes, and a fault in one must not
// end a long run over a folder of pictures.
func guard(err *error) {
	if v := recover(); v != nil {
		*err = fmt.Errorf("picture cannot be decoded: %v", v)
	}
}

// studioRange corrects the colours of a lossy WebP picture. The format stores luma in 16..235 and
// chroma in 16..240 (ITU-R BT.601), but the decoder's image types mean 0..255, as in JPEG. Without
// the correction, black would be a dark grey and all colours pale.
func studioRange(img image.Image) image.Image {
	var ycc *image.YCbCr
	alpha := func(x, y int) uint8 { return 0xff }
	switch img := img.(type) {
	case *image.YCbCr:
		ycc = img
	case *image.NYCbCrA:
		ycc = &img.YCbCr
		alpha = func(x, y int) uint8 { return img.A[img.AOffset(x, y)] }
	default:
		return img // Lossless WebP stores RGB.
	}
	out := image.NewNRGBA(ycc.Rect)
	for y := ycc.Rect.Min.Y; y < ycc.Rect.Max.Y; y++ {
		for x := ycc.Rect.Min.X; x < ycc.Rect.Max.X; x++ {
			c := ycc.YCbCrAt(x, y)
			luma := (float32(c.Y) - 16) * 255 / 219
			cb, cr := (float32(c.Cb)-128)*255/224, (float32(c.Cr)-128)*255/224
			out.SetNRGBA(x, y, color.NRGBA{
				R: round8(luma + 1.402*cr),
				G: round8(luma - 0.344136*cb - 0.714136*cr),
				B: round8(luma + 1.772*cb),
				A: alpha(x, y),
			})
		}
	}
	return out
}

// round8 rounds to the nearest of 0..255.
func round8(v float32) uint8 { return uint8(min(max(v, 0), 255) + 0.5) }

// checkSize divides, because a product of two sides from a file may overflow.
func checkSize(width, height int) error {
	if width <= 0 || height <= 0 || width > MaxPixels/height {
		return &SizeError{width, height}
	}
	return nil
}

// explain turns a decoder's error into a message for the owner of the picture.
func explain(err error, data []byte) error {
	if _, ok := errors.AsType[*SizeError](err); ok {
		return err
	}
	for marker, body := range segments(data) {
		kind := ""
		switch { // the kinds of frames (ITU-T T.81, table B.1)
		case marker == 0xc3:
			kind = "a lossless JPEG"
		case marker >= 0xc5 && marker <= 0xc7:
			kind = "a hierarchical JPEG"
		case marker >= 0xc9 && marker <= 0xcf && marker != 0xcc:
			kind = "an arithmetic-coded JPEG"
		case marker >= 0xc0 && marker <= 0xc2 && len(body) > 0 && body[0] != 8:
			kind = fmt.Sprintf("a JPEG of %d bits a channel", body[0])
		}
		if kind != "" {
			return &kindError{kind}
		}
	}
	if _, ok := errors.AsType[*kindError](err); ok {
		return err
	}
	// The decoders do not distinguish these cases reliably.
	return fmt.Errorf("picture is damaged, cut short or of an unusual kind: %w", err)
}

// kindError is the error for a picture of a kind that is not read.
type kindError struct{ kind string }

// Error names the kind.
func (e *kindError) Error() string {
	return strings.TrimSpace(e.kind) + ", which is not read: convert it to an ordinary JPEG or PNG"
}
