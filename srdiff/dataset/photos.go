// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package dataset

import (
	"context"
	"fmt"
	"image"
	"io/fs"
	"math"
	"slices"
	"sync"

	"golang.org/x/image/draw"
)

var (
	// photoSizes are the sizes at which photographs are used: in smaller ones, a crop holds more of a
	// thing.
	photoSizes = []float64{1, 0.7, 0.5, 0.35, 0.25}

	// photoSoft is the number of pixels above which a photograph is not used at size 1, since its
	// pixels are soft there.
	photoSoft int64 = 500_000

	// photoMemory is how many bytes all photographs may take in memory.
	photoMemory int64 = 6 << 30
)

// photoCandidates is the number of random crops from which the most textured one is chosen. A
// network learns little from flat crops.
const photoCandidates = 3

// photoShare is the power of a photograph's number of pixels to which its share of the crops is
// proportional. With 1, few large photographs would give most crops; with 0, small ones would give
// as many as large ones.
const photoShare = 0.3

// photos takes crops from the photographs of a folder for training super-resolution: at several
// sizes, the more textured ones more often, mirrored and turned. All photographs stay in memory.
type photos struct {
	*pictures
	name    string
	options Options
	ends    []float64 // shares of the files up to each one
	loaded  []photoFile
}

// photoFile is a file of photos, decoded when it is first used.
type photoFile struct {
	once  sync.Once
	sizes []photo
	err   error
}

// photo is a photograph at one of its sizes.
type photo struct {
	width, height int
	pix           []uint8 // rows of red, green and blue
}

// openPhotos opens the photographs of at least o.Size pixels under dir.
func openPhotos(ctx context.Context, dir string, o Options) (Source, error) {
	if shared, ok := o.Share.(*photos); ok && shared.dir == dir && shared.size == o.Size {
		p := *shared // with the photographs that are in memory
		p.options = o
		p.options.Share = nil
		p.name += ", at other places than for training"
		return &p, nil
	}
	found, err := findPictures(ctx, dir, o.Exclude, o.Size, folderCache)
	if err != nil {
		return nil, err
	}
	return newPhotos(found, o)
}

// RegisterPhotos makes [Open], and so the command, know the spec "photos" without a folder: the JPEG
// files of one folder to train on, and those of another one that are held out. It panics if the spec
// is known already.
func RegisterPhotos(training, heldOut fs.FS) {
	open := func(ctx context.Context, _ string, o Options) (Source, error) {
		folder, dir := training, "photos/train"
		if o.HeldOut {
			folder, dir = heldOut, "photos/test"
		}
		found, err := findEmbedded(ctx, folder, dir, o.Size, folderCache)
		if err != nil {
			return nil, err
		}
		return newPhotos(found, o)
	}
	if slices.ContainsFunc(kinds, func(k kind) bool { return k.name == "photos" && !k.takesPath }) {
		panic("the photographs are registered twice")
	}
	kinds = slices.Insert(kinds, 0, kind{name: "photos", open: open})
}

// newPhotos makes the source of photographs that were found.
func newPhotos(found *pictures, o Options) (Source, error) {
	o.Share = nil
	dir := found.dir
	p := &photos{pictures: found, options: o, loaded: make([]photoFile, len(found.files))}
	shares, bytes := 0., 0.
	for _, n := range found.pixels {
		shares += math.Pow(float64(n), photoShare)
		p.ends = append(p.ends, shares)
		for _, size := range sizesOf(n) {
			bytes += 3 * size * size * float64(n)
		}
	}
	if need := int64(bytes); need > photoMemory {
		return nil, fmt.Errorf("the photographs under %s take %.1f GB of memory, at most %.1f GB are allowed: use images:%s",
			shown(dir), float64(need)/1e9, float64(photoMemory)/1e9, shown(dir))
	}
	p.name = fmt.Sprintf("%dx%d crops of %s photographs under %s at up to %d sizes", o.Size, o.Size, grouped(len(found.files)), shown(dir), len(photoSizes))
	if skipped := found.skippedCounts(); skipped != "" {
		p.name += fmt.Sprintf(" (skipped: %s)", skipped)
	}
	return p, nil
}

func (p *photos) Name() string { return p.name }
func (p *photos) Size() int    { return p.options.Size }

// sizesOf returns the sizes at which a photograph of so many pixels is used.
func sizesOf(pixels int64) []float64 {
	if pixels > photoSoft {
		return photoSizes[1:]
	}
	return photoSizes
}

// Picture implements Source. Files are drawn by their shares, and the sizes of one that hold a crop
// equally often. A file that cannot be decoded is replaced by the next one: see Skipped.
func (p *photos) Picture(i uint64, dst []float32) error {
	size := p.options.Size
	if err := checkLength(dst, size); err != nil {
		return err
	}
	rng := cropStream.of(p.options).rand(p.options.Seed, i)
	first, _ := slices.BinarySearch(p.ends, rng.Float64()*p.ends[len(p.ends)-1])
	var sizes []photo
	var err error
	for k := range p.files {
		if sizes, err = p.load((first + k) % len(p.files)); err == nil {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("none of the %s photographs under %s can be read any more: %w", grouped(len(p.files)), shown(p.dir), err)
	}
	f := sizes[int(rng.Float64()*float64(len(sizes)))]
	best, bestX, bestY := -1, 0, 0
	for range photoCandidates {
		x, y := rng.IntN(f.width-size+1), rng.IntN(f.height-size+1)
		if texture := f.texture(x, y, size); texture > best {
			best, bestX, bestY = texture, x, y
		}
	}
	f.crop(bestX, bestY, size, rng.IntN(8), dst)
	return nil
}

// load returns a file at all its sizes that hold a crop, or at size 1 if none does.
func (p *photos) load(file int) ([]photo, error) {
	f := &p.loaded[file]
	f.once.Do(func() {
		var d *decodedPicture
		if d, f.err = p.open(file); f.err != nil {
			p.lock.Lock()
			p.broken[file] = f.err
			p.lock.Unlock()
			return
		}
		for _, size := range sizesOf(int64(d.width) * int64(d.height)) {
			width, height := int(math.Round(size*float64(d.width))), int(math.Round(size*float64(d.height)))
			if min(width, height) >= p.options.Size {
				f.sizes = append(f.sizes, newPhoto(d.image(), width, height))
			}
		}
		if len(f.sizes) == 0 {
			f.sizes = []photo{newPhoto(d.image(), d.width, d.height)}
		}
	})
	return f.sizes, f.err
}

// newPhoto reduces an opaque picture to the given size.
func newPhoto(img image.Image, width, height int) photo {
	scaled := image.NewNRGBA(image.Rect(0, 0, width, height))
	draw.CatmullRom.Scale(scaled, scaled.Rect, img, img.Bounds(), draw.Src, nil)
	f := photo{width, height, make([]uint8, 0, 3*width*height)}
	for i := 0; i < len(scaled.Pix); i += 4 {
		f.pix = append(f.pix, scaled.Pix[i:i+3]...)
	}
	return f
}

// image returns the picture as an image, with the colours that can be seen in it.
func (d *decodedPicture) image() image.Image {
	if d.img != nil {
		return d.img
	}
	return d.visible.Image()
}

// texture sums the differences of neighbours in green, on every second row and column.
func (f photo) texture(left, top, size int) int {
	sum := 0
	for y := top; y < top+size-2; y += 2 {
		row, below := f.pix[3*(y*f.width+left)+1:], f.pix[3*((y+2)*f.width+left)+1:]
		for x := 0; x < 3*(size-2); x += 6 {
			sum += distance(row[x], row[x+6]) + distance(row[x], below[x])
		}
	}
	return sum
}

func distance(a, b uint8) int { return int(max(a, b)) - int(min(a, b)) }

// crop fills dst with a crop in one of the eight ways to mirror and turn it.
func (f photo) crop(left, top, size, turned int, dst []float32) {
	for v := range size {
		for u := range size {
			x, y := u, v
			if turned&4 != 0 {
				x, y = y, x
			}
			if turned&1 != 0 {
				x = size - 1 - x
			}
			if turned&2 != 0 {
				y = size - 1 - y
			}
			from, to := f.pix[3*((top+y)*f.width+left+x):][:3], dst[3*(v*size+u):][:3]
			for c, b := range from {
				to[c] = float32(b)/127.5 - 1
			}
		}
	}
}
