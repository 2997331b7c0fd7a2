// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package serve

import (
	"errors"
	"image"
	"image/draw"
	"io/fs"
	"os"
	"sync/atomic"
)

// tileSide is the side of the tiles that the page asks for.
const tileSide = 256

// raster is a picture in a file, at its own size and halved again and again until it fits into a
// tile. Its rows come from the top down. Tiles can be read meanwhile.
type raster struct {
	file   *os.File
	levels []rasterLevel
}

// rasterLevel is the picture at one of the sizes, as rows of NRGBA in the file.
type rasterLevel struct {
	width, height int
	at            int64        // where it begins in the file
	rows          atomic.Int64 // how many are written
	upper         []byte       // a row that waits for the one below it, to be halved
}

// newRaster makes a file for a picture of the given size.
func newRaster(path string, size image.Point) (*raster, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	r := &raster{file: file, levels: make([]rasterLevel, 1)}
	r.levels[0].width, r.levels[0].height = size.X, size.Y
	for l := &r.levels[0]; max(l.width, l.height) > tileSide; l = &r.levels[len(r.levels)-1] {
		r.levels = append(r.levels, rasterLevel{width: (l.width + 1) / 2, height: (l.height + 1) / 2, at: l.at + 4*int64(l.width)*int64(l.height)})
	}
	return r, nil
}

// rasterBytes is about the size of a raster's file: each level has a quarter of the one before.
func rasterBytes(size image.Point) int64 { return 4 * int64(size.X) * int64(size.Y) * 4 / 3 }

// rows returns how many rows of the picture are there.
func (r *raster) rows() int { return int(r.levels[0].rows.Load()) }

// add appends rows of the picture.
func (r *raster) add(rows image.Image) error {
	img := asNRGBA(rows)
	for y := range img.Rect.Dy() {
		if err := r.put(0, img.Pix[y*img.Stride:][:4*img.Rect.Dx()]); err != nil {
			return err
		}
	}
	return nil
}

// addAll adds a whole picture, some rows at a time.
func (r *raster) addAll(img image.Image) error {
	b := img.Bounds()
	for top := b.Min.Y; top < b.Max.Y; top += tileSide {
		band := image.NewNRGBA(image.Rect(b.Min.X, top, b.Max.X, min(b.Max.Y, top+tileSide)))
		copyInto(band, img)
		if err := r.add(band); err != nil {
			return err
		}
	}
	return nil
}

// put appends a row to a level, and to the next one when it has two.
func (r *raster) put(level int, row []byte) error {
	l := &r.levels[level]
	n := l.rows.Load()
	if _, err := r.file.WriteAt(row, l.at+4*n*int64(l.width)); err != nil {
		return diskError(err)
	}
	l.rows.Store(n + 1)
	switch last := n+1 == int64(l.height); {
	case level+1 == len(r.levels):
	case n%2 == 1:
		return r.put(level+1, halved(l.upper, row))
	case last:
		return r.put(level+1, halved(row, row))
	default:
		l.upper = append(l.upper[:0], row...)
	}
	return nil
}

// halved returns the mean of each 2x2 pixels of two rows, weighted by their opacity.
func halved(upper, lower []byte) []byte {
	n := len(upper) / 4
	out := make([]byte, 0, 4*((n+1)/2))
	for x := 0; x < n; x += 2 {
		next := min(x+1, n-1)
		var sum [3]int
		opacity := 0
		for _, p := range [4][]byte{upper[4*x:], upper[4*next:], lower[4*x:], lower[4*next:]} {
			a := int(p[3])
			opacity += a
			for c := range sum {
				sum[c] += a * int(p[c])
			}
		}
		for _, s := range sum {
			out = append(out, byte((s+opacity/2)/max(1, opacity)))
		}
		out = append(out, byte((opacity+2)/4))
	}
	return out
}

// tile returns tile x, y of a level, smaller at the right and the bottom. Rows that are not there
// yet are transparent. A tile outside the picture is an error.
func (r *raster) tile(level, x, y int) (*image.NRGBA, error) {
	if level < 0 || level >= len(r.levels) || x < 0 || y < 0 {
		return nil, fs.ErrNotExist
	}
	l := &r.levels[level]
	if x > (l.width-1)/tileSide || y > (l.height-1)/tileSide {
		return nil, fs.ErrNotExist
	}
	place := image.Rect(0, 0, tileSide, tileSide).Add(image.Pt(x, y).Mul(tileSide)).Intersect(image.Rect(0, 0, l.width, l.height))
	img := image.NewNRGBA(image.Rectangle{Max: place.Size()})
	for row := place.Min.Y; row < min(place.Max.Y, int(l.rows.Load())); row++ {
		to := img.Pix[(row-place.Min.Y)*img.Stride:][:4*place.Dx()]
		if _, err := r.file.ReadAt(to, l.at+4*(int64(row)*int64(l.width)+int64(place.Min.X))); err != nil {
			return nil, err
		}
	}
	return img, nil
}

func (r *raster) close() error { return r.file.Close() }

// asNRGBA returns a picture with 8 bits a channel.
func asNRGBA(img image.Image) *image.NRGBA {
	if n, ok := img.(*image.NRGBA); ok {
		return n
	}
	n := image.NewNRGBA(img.Bounds())
	copyInto(n, img)
	return n
}

// copyInto copies the part of a picture that to covers. Colours of transparent pixels, which
// draw.Draw would round, stay as they are.
func copyInto(to *image.NRGBA, from image.Image) {
	if n, ok := from.(*image.NRGBA); ok {
		for y := to.Rect.Min.Y; y < to.Rect.Max.Y; y++ {
			copy(to.Pix[to.PixOffset(to.Rect.Min.X, y):][:4*to.Rect.Dx()], n.Pix[n.PixOffset(to.Rect.Min.X, y):])
		}
		return
	}
	draw.Draw(to, to.Rect, from, to.Rect.Min, draw.Src)
}

// diskError omits the path of a temporary file from an error.
func diskError(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err
	}
	return errors.New("the folder for temporary files cannot be written to: " + err.Error())
}
