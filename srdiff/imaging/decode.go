// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package imaging

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"image"
	"image/color"
	_ "image/gif" // The blank imports register the formats that Decode reads.
	_ "image/jpeg"
	_ "image/png"
	"io"
	"os"

	_ "golang.org/x/image/bmp"
	_ "golang.org/x/image/tiff"
	_ "golang.org/x/image/webp"
)

// Suffixes are what the names of picture files end in, in lower case.
var Suffixes = []string{".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp"}

// MaxPixels is the largest picture that is read: 8192x8192, or 64 binary megapixels. That is more than nearly every
// camera's photograph, while a Picture of that size still fits into memory: it takes 12 bytes a pixel, 768 MiB.
const MaxPixels = 64 << 20

// maxBytes is the most of a file that is read: twice what MaxPixels of uncompressed 16-bit RGBA take.
const maxBytes = 16 * MaxPixels

// ErrFormat is the error for data in none of the formats that Decode reads.
var ErrFormat = errors.New("not a picture that can be read (PNG, JPEG, GIF, BMP, TIFF or WebP)")

// SizeError is the error for a picture without pixels or with more than MaxPixels.
type SizeError struct{ Width, Height int }

// Error gives the picture's size and the limit.
func (e *SizeError) Error() string {
	if e.Width <= 0 || e.Height <= 0 {
		return fmt.Sprintf("picture of %dx%d has no pixels", e.Width, e.Height)
	}
	return fmt.Sprintf("picture of %dx%d is too large: at most %d pixels (8192x8192) are read; scale it down or cut it",
		e.Width, e.Height, MaxPixels)
}

// File is a picture file that was read.
type File struct {
	Image   image.Image // the first picture in it, upright
	SHA256  string      // of the file's bytes, in hexadecimal
	Colour  []Chunk     // what its colours mean, for WritePNG: an ICC profile, or what a PNG file says in its place
	Remarks []string    // one line each: what of the file is not in the above though its owner may look for it
}

// Open decodes the picture in a file. Its errors name the file; otherwise they are Decode's.
func Open(path string) (image.Image, error) {
	file, err := Read(path)
	if err != nil {
		return nil, err
	}
	return file.Image, nil
}

// Read is Open with what else the file says.
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

// Decode reads one PNG, JPEG, GIF, BMP, TIFF or WebP picture: the first one in the data. It is turned upright as its
// EXIF orientation says. The size is read first: a picture without pixels or above MaxPixels is a *SizeError, before any
// memory is taken for it. Data in no known format is ErrFormat.
func Decode(r io.Reader) (image.Image, error) {
	file, err := decode(r)
	if err != nil {
		return nil, err
	}
	return file.Image, nil
}

func decode(r io.Reader) (file *File, err error) {
	defer guard(&err)
	r = io.LimitReader(r, maxBytes)
	var head bytes.Buffer
	config, format, err := image.DecodeConfig(io.TeeReader(r, &head))
	if err != nil {
		return nil, explain(err, head.Bytes())
	}
	if err := checkSize(config.Width, config.Height); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.MultiReader(&head, r))
	if err != nil {
		return nil, err
	}
	file = &File{SHA256: fmt.Sprintf("%x", sha256.Sum256(data))}
	about := metadata(format, data)
	if about.frames > 1 && format == "webp" {
		data = firstFrame(data)
		if config, _, err = image.DecodeConfig(bytes.NewReader(data)); err != nil {
			return nil, explain(err, data)
		}
		if err := checkSize(config.Width, config.Height); err != nil {
			return nil, err // The head speaks of the canvas.
		}
	}
	img, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, explain(err, data)
	}
	if err := checkSize(img.Bounds().Dx(), img.Bounds().Dy()); err != nil {
		return nil, err // The head speaks of a GIF's screen, and its first frame may be empty.
	}
	if format == "webp" {
		img = studioRange(img)
	}
	file.Image = upright(img, orientation(about.exif))
	if about.frames > 1 {
		file.Remarks = append(file.Remarks, "it holds several pictures, of which the first one is taken")
	}
	file.Colour, err = about.colour(img)
	if err != nil {
		file.Remarks = append(file.Remarks, err.Error())
	}
	return file, nil
}

// Size returns the width and height that a file claims, without decoding its pixels.
func Size(path string) (size image.Point, err error) {
	defer guard(&err)
	f, err := os.Open(path)
	if err != nil {
		return image.Point{}, err
	}
	defer f.Close()
	config, _, err := image.DecodeConfig(f)
	return image.Pt(config.Width, config.Height), err
}

// guard makes an error of a panic. The decoders read hostile bytes, and a fault in one must not end a long run over a
// folder of pictures.
func guard(err *error) {
	if v := recover(); v != nil {
		*err = fmt.Errorf("picture cannot be decoded: %v", v)
	}
}

// studioRange gives a lossy WebP picture its colours. The format stores luma in 16..235 and chroma in 16..240
// (ITU-R BT.601), but the decoder's image types stand for 0..255 as in JPEG: taken as they are, black is a dark grey
// and every colour pale.
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

// explain puts a decoder's error into words for the owner of the picture.
func explain(err error, data []byte) error {
	switch {
	case len(data) == 0:
		return fmt.Errorf("empty: %w", ErrFormat)
	case errors.Is(err, image.ErrFormat):
		return ErrFormat
	}
	for marker := range segments(data) {
		if marker >= 0xc9 && marker <= 0xcf && marker != 0xcc { // SOF9 to SOF15 (ITU-T T.81, table B.1)
			return errors.New("an arithmetic-coded JPEG, which is not read: save it as an ordinary JPEG or as a PNG")
		}
	}
	// The decoders do not tell these cases apart reliably.
	return fmt.Errorf("picture is damaged, cut short or of an unusual kind: %w", err)
}
