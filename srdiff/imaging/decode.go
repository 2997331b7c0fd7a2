// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package imaging

import (
	"bytes"
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

// Open decodes the picture in a file. Its errors name the file; otherwise they are Decode's.
func Open(path string) (image.Image, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err // It already names the file.
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, fmt.Errorf("%s is a folder, not a picture", path)
	}
	img, err := Decode(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return img, nil
}

// Decode reads one PNG, JPEG, GIF (its first frame), BMP, TIFF (its first page) or WebP picture. A JPEG photograph is
// turned upright as its EXIF orientation says. The size is read first: a picture without pixels or above MaxPixels is
// a *SizeError, before any memory is taken for it. Data in no known format is ErrFormat.
func Decode(r io.Reader) (img image.Image, err error) {
	defer func() {
		// The decoders read hostile bytes. A fault in one must not end a long run over a folder of pictures.
		if v := recover(); v != nil {
			img, err = nil, fmt.Errorf("picture cannot be decoded: %v", v)
		}
	}()
	r = io.LimitReader(r, maxBytes)
	var head bytes.Buffer
	config, format, err := image.DecodeConfig(io.TeeReader(r, &head))
	if err != nil {
		if head.Len() == 0 {
			return nil, fmt.Errorf("empty: %w", ErrFormat)
		}
		return nil, explain(err)
	}
	if err := checkSize(config.Width, config.Height); err != nil {
		return nil, err
	}
	img, _, err = image.Decode(io.MultiReader(bytes.NewReader(head.Bytes()), r))
	if err != nil {
		return nil, explain(err)
	}
	if err := checkSize(img.Bounds().Dx(), img.Bounds().Dy()); err != nil {
		return nil, err // The head speaks of a GIF's screen, and its first frame may be empty.
	}
	switch format {
	case "jpeg":
		// DecodeConfig has read up to the frame header, and EXIF comes before it.
		return upright(img, orientation(exif(head.Bytes()))), nil
	case "webp":
		return studioRange(img), nil
	}
	return img, nil
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
func explain(err error) error {
	if errors.Is(err, image.ErrFormat) {
		return ErrFormat
	}
	// The decoders do not tell these cases apart reliably.
	return fmt.Errorf("picture is damaged, cut short or of an unusual kind: %w", err)
}
