// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package dataset

import (
	"context"
	"fmt"
	"image"
	"strings"

	"github.com/srdiff/srlab/srdiff/imaging"
)

const (
	// Decoded pictures are kept up to this many bytes.
	folderCache = 512 << 20
	// From a folder that does not fit, this many crops are taken from a picture before the next one
	// is decoded.
	cropsPerPicture = 16
)

// folder takes random crops from the pictures of a folder, at the scale that they have.
type folder struct {
	*pictures // shared by sources of the same folder
	name      string
	options   Options
	order     order

	// As in generated: the number of files that crops come from at a time, and the number of crops
	// of each. If all pictures fit into the cache, each file is used once in turn.
	slots, crops int
}

// openFolder opens the pictures of at least o.Size pixels under dir. It keeps up to limit bytes of
// decoded pictures, which it shares with o.Share if that is the same folder.
func openFolder(ctx context.Context, dir string, o Options, limit int64) (Source, error) {
	if f, ok := o.Share.(flipped); ok {
		o.Share = f.Source
	}
	shared, _ := o.Share.(*folder)
	if shared != nil && shared.dir == dir && shared.size == o.Size {
		return newFolder(shared.pictures, o), nil
	}
	p, err := findPictures(ctx, dir, o.Exclude, o.Size, limit)
	if err != nil {
		return nil, err
	}
	return newFolder(p, o), nil
}

func newFolder(p *pictures, o Options) *folder {
	o.Share = nil // it is of no use any more, and must not be kept in memory
	f := &folder{pictures: p, options: o, slots: 1, crops: 1}
	if p.total > p.limit {
		// Half of the cache, as pictures differ in size.
		f.slots = int(min(max(p.limit/2/(p.total/int64(len(p.files))), 1), 64))
		f.crops = cropsPerPicture
	}
	f.name = fmt.Sprintf("%dx%d crops of the %s pictures under %s", o.Size, o.Size, grouped(len(p.files)), shown(p.dir))
	if o.HeldOut {
		f.name += ", at other places than for training"
	}
	if skipped := p.skippedCounts(); skipped != "" {
		f.name += fmt.Sprintf(" (skipped: %s)", skipped)
	}
	f.order = order{n: len(p.files), stream: orderStream.of(o), seed: o.Seed}
	return f
}

func (f *folder) Name() string { return f.name }
func (f *folder) Size() int    { return f.options.Size }

// Picture implements Source: a random crop of the file whose turn it is. If that file cannot be
// decoded, the next one takes its place; see Skipped.
func (f *folder) Picture(i uint64, dst []float32) error {
	if err := checkLength(dst, f.size); err != nil {
		return err
	}
	item, _ := turn(i, f.slots, f.crops)
	first := f.order.at(item)
	var d *decodedPicture
	var err error
	for k := range f.files {
		if d, err = f.decoded((first + k) % len(f.files)); err == nil {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("none of the %s pictures under %s can be read any more: %w", grouped(len(f.files)), shown(f.dir), err)
	}
	rng := cropStream.of(f.options).rand(f.options.Seed, i)
	d.crop(rng.IntN(d.width-f.size+1), rng.IntN(d.height-f.size+1), f.size, dst)
	return nil
}

// decodedPicture is a picture with the colours that can be seen in it.
type decodedPicture struct {
	width, height int
	img           subImager       // an opaque picture as it was decoded, which takes less memory; or nil and
	visible       imaging.Picture // any other picture
}

// subImager is a picture with parts, as those of the standard library.
type subImager interface {
	image.Image
	SubImage(r image.Rectangle) image.Image
}

// newDecodedPicture fills in the colours of transparent pixels from the whole picture, since a crop
// may lie among such pixels.
func newDecodedPicture(img image.Image) *decodedPicture {
	size := img.Bounds().Size()
	d := &decodedPicture{width: size.X, height: size.Y}
	opaque, _ := img.(interface{ Opaque() bool })
	if sub, ok := img.(subImager); ok && opaque != nil && opaque.Opaque() {
		d.img = sub
	} else {
		d.visible = imaging.Visible(img)
	}
	return d
}

// crop writes the square of size pixels at x, y to dst.
func (d *decodedPicture) crop(x, y, size int, dst []float32) {
	if d.img != nil {
		corner := d.img.Bounds().Min.Add(image.Pt(x, y))
		part := d.img.SubImage(image.Rectangle{corner, corner.Add(image.Pt(size, size))})
		copy(dst, imaging.FromImage(part).Pix)
		return
	}
	for row := range size {
		copy(dst[3*row*size:3*(row+1)*size], d.visible.Pix[3*((y+row)*d.width+x):])
	}
}

// bytes estimates the memory that the picture takes.
func (d *decodedPicture) bytes() int64 {
	pixels := int64(d.width) * int64(d.height)
	switch d.img.(type) {
	case nil:
		return 12 * pixels
	case *image.NRGBA64, *image.RGBA64:
		return 8 * pixels
	case *image.YCbCr:
		return 3 * pixels
	case *image.Gray, *image.Paletted:
		return pixels
	}
	return 4 * pixels
}

// skippedCounts lists how many files of the folder were left out when it was opened and why, "" for
// none.
func (p *pictures) skippedCounts() string {
	var parts []string
	if p.small > 0 {
		parts = append(parts, fmt.Sprintf("%s smaller than %dx%d", grouped(p.small), p.size, p.size))
	}
	if n := len(p.skipped) - p.small; n > 0 {
		parts = append(parts, fmt.Sprintf("%s unreadable: %s", grouped(n), firstFew(p.skippedNames[:n])))
	}
	return strings.Join(parts, ", ")
}
