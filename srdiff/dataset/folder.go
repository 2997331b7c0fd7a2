// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package dataset

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/srdiff/srlab/srdiff/imaging"
)

const (
	// Decoded pictures are kept up to this many bytes.
	folderCache = 512 << 20
	// From a folder that does not fit, this many crops are cut from a picture before the next one is decoded.
	cutsPerPicture = 16
)

// folder cuts random crops from the pictures of a folder, at the scale they have.
type folder struct {
	name    string
	files   []string
	options Options
	order   order

	// As in generated: pictures come from so many files at a time, and so many are cut from each. Where all fits into
	// the cache, one file after the other is used once.
	slots, cuts int

	lock    sync.Mutex
	clock   uint64
	decoded map[int]*decodedFile
	bytes   int64 // of all in decoded
	limit   int64 // for bytes
	bad     map[int]error
}

// decodedFile is a picture in the cache.
type decodedFile struct {
	once  sync.Once
	img   image.Image
	err   error
	bytes int64
	used  uint64 // the clock's time of the last use
}

// openFolder looks at every picture under dir and keeps decoded ones up to limit bytes.
func openFolder(ctx context.Context, dir string, o Options, limit int64) (Source, error) {
	names, err := pictureFiles(dir)
	if err != nil {
		return nil, fmt.Errorf("pictures: %w", err)
	}
	f := &folder{
		options: o, slots: 1, cuts: 1, limit: limit,
		decoded: make(map[int]*decodedFile), bad: make(map[int]error),
	}
	var bytes int64
	var small, unreadable int
	var because error
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		config, err := pictureConfig(name)
		switch {
		case err != nil:
			unreadable++
			because = fmt.Errorf("%s: %w", filepath.Base(name), err)
		case min(config.Width, config.Height) < o.Size:
			small++
		default:
			f.files = append(f.files, name)
			bytes += 4 * int64(config.Width) * int64(config.Height)
		}
	}
	skipped := fmt.Sprintf("%s smaller than %dx%d, %s unreadable", grouped(small), o.Size, o.Size, grouped(unreadable))
	if len(f.files) == 0 {
		err := fmt.Errorf("no usable picture among the %s PNG, JPEG, GIF, BMP, TIFF and WebP files under %s: %s",
			grouped(len(names)), dir, skipped)
		if because != nil {
			err = fmt.Errorf("%w (%w)", err, because)
		}
		return nil, err
	}
	if bytes > f.limit {
		// Half of the cache, as pictures differ in size.
		f.slots = int(min(max(f.limit/2/(bytes/int64(len(f.files))), 1), 64))
		f.cuts = cutsPerPicture
	}
	f.name = fmt.Sprintf("%dx%d crops of the %s pictures under %s", o.Size, o.Size, grouped(len(f.files)), dir)
	if o.HeldOut {
		f.name += ", cut elsewhere than for training"
	}
	if small+unreadable > 0 {
		f.name += fmt.Sprintf(" (skipped: %s)", skipped)
	}
	f.order = order{n: len(f.files), stream: orderStream.of(o), seed: o.Seed}
	return f, nil
}

// pictureFiles lists the files under dir that have a picture's suffix, sorted by path. Hidden files and folders are
// left out, and folders behind links are not entered.
func pictureFiles(dir string) ([]string, error) {
	dir, err := filepath.EvalSymlinks(dir) // WalkDir does not enter a link, not even the first one
	if err != nil {
		return nil, err
	}
	if !isFolder(dir) {
		return nil, fmt.Errorf("%s is not a folder", dir)
	}
	var names []string
	err = filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if strings.HasPrefix(entry.Name(), ".") && name != dir {
			if entry.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		if !entry.IsDir() && slices.Contains(imaging.Suffixes, strings.ToLower(filepath.Ext(name))) {
			names = append(names, name)
		}
		return nil
	})
	slices.Sort(names)
	return names, err
}

// pictureConfig reads a picture's size without its pixels. The formats are those that imaging registers.
func pictureConfig(name string) (config image.Config, err error) {
	info, err := os.Stat(name)
	if err != nil {
		return image.Config{}, err
	}
	if !info.Mode().IsRegular() {
		return image.Config{}, errors.New("not a regular file") // opening a pipe would wait for ever
	}
	file, err := os.Open(name)
	if err != nil {
		return image.Config{}, err
	}
	defer file.Close()
	defer func() {
		if v := recover(); v != nil { // a decoder's fault must not end the run
			err = fmt.Errorf("picture cannot be decoded: %v", v)
		}
	}()
	config, _, err = image.DecodeConfig(file)
	if err == nil && config.Width > imaging.MaxPixels/max(config.Height, 1) {
		err = &imaging.SizeError{Width: config.Width, Height: config.Height}
	}
	return config, err
}

func (f *folder) Name() string { return f.name }
func (f *folder) Size() int    { return f.options.Size }

// Picture implements Source: a random crop of the file whose turn it is. A file that cannot be decoded is passed over
// for the one after it.
func (f *folder) Picture(i uint64, dst []float32) error {
	size := f.options.Size
	if err := checkLength(dst, size); err != nil {
		return err
	}
	item, _ := turn(i, f.slots, f.cuts)
	first := f.order.at(item)
	var img image.Image
	var err error
	for k := range f.files {
		if img, err = f.picture((first + k) % len(f.files)); err == nil {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("none of the %s pictures can be read any more: %w", grouped(len(f.files)), err)
	}
	b := img.Bounds()
	rng := cutStream.of(f.options).rand(f.options.Seed, i)
	x, y := b.Min.X+rng.IntN(b.Dx()-size+1), b.Min.Y+rng.IntN(b.Dy()-size+1)
	crop := img.(subImager).SubImage(image.Rect(x, y, x+size, y+size))
	copy(dst, imaging.FromImage(crop).Pix)
	return nil
}

// subImager is what all of the standard library's decoded pictures are.
type subImager interface {
	SubImage(r image.Rectangle) image.Image
}

// picture returns a decoded file, from the cache if it is there. A file that failed once is not tried again, so that
// the same pictures take its place for the rest of the run.
func (f *folder) picture(file int) (image.Image, error) {
	f.lock.Lock()
	if err := f.bad[file]; err != nil {
		f.lock.Unlock()
		return nil, err
	}
	d := f.decoded[file]
	if d == nil {
		d = &decodedFile{}
		f.decoded[file] = d
	}
	f.clock++
	d.used = f.clock
	f.lock.Unlock()

	d.once.Do(func() { f.decode(file, d) })
	return d.img, d.err
}

// decode fills d, and makes room in the cache by dropping what has not been used for longest.
func (f *folder) decode(file int, d *decodedFile) {
	d.img, d.err = imaging.Open(f.files[file])
	if d.err == nil {
		d.err = f.usable(d.img)
	}
	f.lock.Lock()
	defer f.lock.Unlock()
	if d.err != nil {
		d.img = nil
		f.bad[file] = d.err
		delete(f.decoded, file)
		return
	}
	d.bytes = pictureBytes(d.img)
	f.bytes += d.bytes
	for f.bytes > f.limit {
		oldest := -1
		for k, other := range f.decoded {
			if other != d && other.bytes > 0 && (oldest < 0 || other.used < f.decoded[oldest].used) {
				oldest = k
			}
		}
		if oldest < 0 {
			return
		}
		f.bytes -= f.decoded[oldest].bytes
		delete(f.decoded, oldest)
	}
}

// usable says what is wrong with a picture that was decoded: it may have changed since Open, and a GIF's first frame
// may be smaller than its screen.
func (f *folder) usable(img image.Image) error {
	if b := img.Bounds(); min(b.Dx(), b.Dy()) < f.options.Size {
		return fmt.Errorf("%dx%d pixels are less than %dx%d", b.Dx(), b.Dy(), f.options.Size, f.options.Size)
	}
	if _, ok := img.(subImager); !ok {
		return fmt.Errorf("a picture of type %T cannot be cut", img)
	}
	return nil
}

// pictureBytes estimates the memory that a decoded picture takes.
func pictureBytes(img image.Image) int64 {
	pixels := int64(img.Bounds().Dx()) * int64(img.Bounds().Dy())
	switch img.(type) {
	case *image.NRGBA64, *image.RGBA64:
		return 8 * pixels
	case *image.YCbCr:
		return 3 * pixels
	case *image.Gray, *image.Paletted:
		return pixels
	}
	return 4 * pixels
}
