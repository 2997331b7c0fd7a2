// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package dataset

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/srdiff/srlab/srdiff/imaging"
)

// pictures are the pictures of a folder. The most recently used ones stay decoded. All methods may
// be called by several goroutines.
type pictures struct {
	dir         string
	openFile    func(name string) (pictureFile, error) // opens a file by its path below dir
	size        int                                    // pixels that each side must have
	files       []string                               // paths below dir, sorted
	total       int64                                  // bytes that all would take decoded
	pixels      []int64                                // of each file
	fingerprint func() string

	// Skipped files: unreadable files and folders first, then small pictures.
	skipped      []error
	skippedNames []string
	small        int

	lock   sync.Mutex
	clock  uint64
	cache  map[int]*cachedPicture
	bytes  int64 // of all in cache
	limit  int64 // for bytes
	broken map[int]error
}

// cachedPicture is a file's place in the cache.
type cachedPicture struct {
	once    sync.Once
	picture *decodedPicture
	err     error
	bytes   int64
	used    uint64 // the clock's time of the last use
}

// pictureFile is an open file of a picture.
type pictureFile interface {
	fs.File
	io.ReaderAt
}

// findPictures checks every picture under dir, without decoding its pixels. It omits the folder
// exclude.
func findPictures(ctx context.Context, dir, exclude string, size int, limit int64) (*pictures, error) {
	found, unreadable, err := pictureFiles(dir, exclude)
	if err != nil {
		return nil, fmt.Errorf("pictures: %w", err)
	}
	p := &pictures{
		dir: dir, size: size, limit: limit,
		openFile: func(name string) (pictureFile, error) { return openRegular(filepath.Join(dir, name)) },
	}
	return p, p.measure(ctx, found, unreadable)
}

// findEmbedded is findPictures for the pictures directly in a folder that a program embeds; dir is its
// name for people.
func findEmbedded(ctx context.Context, folder fs.FS, dir string, size int, limit int64) (*pictures, error) {
	found, err := fs.Glob(folder, "*.jpg")
	if err != nil {
		return nil, fmt.Errorf("pictures: %w", err)
	}
	p := &pictures{dir: dir, size: size, limit: limit, openFile: func(name string) (pictureFile, error) {
		file, err := folder.Open(name)
		if err != nil {
			return nil, bare(err)
		}
		picture, ok := file.(pictureFile)
		if !ok {
			return nil, errors.New("not a file that can be read at any place")
		}
		return picture, nil
	}}
	return p, p.measure(ctx, found, nil)
}

// measure fills p in from the files that were found, without decoding their pixels.
func (p *pictures) measure(ctx context.Context, found []string, unreadable []fileError) error {
	p.cache, p.broken = make(map[int]*cachedPicture), make(map[int]error)
	var small []fileError
	for _, name := range found {
		if err := ctx.Err(); err != nil {
			return err
		}
		width, height, err := p.pictureSize(name)
		switch {
		case err != nil:
			unreadable = append(unreadable, fileError{name, err})
		case min(width, height) < p.size:
			small = append(small, fileError{name, tooSmall(width, height, p.size)})
		default:
			p.files = append(p.files, name)
			p.pixels = append(p.pixels, int64(width)*int64(height))
			p.total += 4 * int64(width) * int64(height)
		}
	}
	p.small = len(small)
	for _, e := range append(unreadable, small...) {
		p.skipped, p.skippedNames = append(p.skipped, e), append(p.skippedNames, shown(e.name))
	}
	if len(p.files) == 0 {
		return p.nothingUsable(len(found))
	}
	p.fingerprint = sync.OnceValue(p.hash)
	return nil
}

func (p *pictures) nothingUsable(found int) error {
	err := fmt.Errorf("no usable picture among the %s PNG, JPEG, GIF, BMP, TIFF and WebP files under %s", grouped(found), shown(p.dir))
	if len(p.skipped) > 0 {
		err = fmt.Errorf("%w: %s (%w)", err, p.skippedCounts(), p.skipped[0])
	}
	return err
}

func tooSmall(width, height, size int) error {
	return fmt.Errorf("%dx%d pixels are less than %dx%d", width, height, size, size)
}

// fileError is what is wrong with a file, or a folder, of a name below the folder that was opened.
type fileError struct {
	name string
	err  error
}

func (e fileError) Error() string { return shown(e.name) + ": " + e.err.Error() }
func (e fileError) Unwrap() error { return e.err }

// foreign are the suffixes of pictures in formats that are not read. They are named, so that nobody
// waits for a training on them.
var foreign = []string{
	".heic", ".heif", ".avif", ".jxl", ".jp2", ".psd", ".tga",
	".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".raf", ".rw2",
}

// readDir lists a folder; tests make it fail.
var readDir = os.ReadDir

// pictureFiles lists the files under dir with a picture's suffix, as sorted paths below dir, and
// what cannot be read. Hidden files and folders and the folder exclude are left out, and links to
// folders are not followed.
func pictureFiles(dir, exclude string) (names []string, unreadable []fileError, err error) {
	if info, err := os.Stat(dir); err != nil {
		return nil, nil, err
	} else if !info.IsDir() {
		return nil, nil, fmt.Errorf("%s is not a folder", shown(dir))
	}
	var walk func(folder string) error
	walk = func(folder string) error {
		entries, err := readDir(filepath.Join(dir, folder))
		for _, entry := range entries {
			name := filepath.Join(folder, entry.Name())
			suffix := strings.ToLower(filepath.Ext(name))
			switch {
			case strings.HasPrefix(entry.Name(), "."):
			case entry.IsDir() && isSameFolder(filepath.Join(dir, name), exclude):
			case entry.IsDir():
				if err := walk(name); err != nil {
					unreadable = append(unreadable, fileError{name, err})
				}
			case slices.Contains(imaging.Suffixes, suffix):
				names = append(names, name)
			case slices.Contains(foreign, suffix):
				unreadable = append(unreadable, fileError{name, errors.New("the format is not read: convert it to PNG or JPEG")})
			}
		}
		return bare(err)
	}
	if err := walk(""); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", shown(dir), err)
	}
	slices.Sort(names)
	return names, unreadable, nil
}

func isSameFolder(a, b string) bool {
	infoA, err := os.Stat(a)
	if err != nil || b == "" {
		return false
	}
	infoB, err := os.Stat(b)
	return err == nil && os.SameFile(infoA, infoB)
}

// bare removes the path from a system's error, because the message names the file in another way.
func bare(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

// openRegular opens a regular file. Opening a pipe would wait for ever.
func openRegular(name string) (pictureFile, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, bare(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, bare(err)
	}
	return file, nil
}

// pictureSize reads the size of an upright picture without its pixels.
func (p *pictures) pictureSize(name string) (width, height int, err error) {
	file, err := p.openFile(name)
	if err != nil {
		return 0, 0, err
	}
	defer file.Close()
	return imaging.DecodeSize(file)
}

// Skipped implements Skipper.
func (p *pictures) Skipped() []error {
	p.lock.Lock()
	defer p.lock.Unlock()
	skipped := slices.Clone(p.skipped[:len(p.skipped)-p.small])
	for k, name := range p.files {
		if err := p.broken[k]; err != nil {
			skipped = append(skipped, fileError{name, err})
		}
	}
	return append(skipped, p.skipped[len(p.skipped)-p.small:]...)
}

// Fingerprint implements Fingerprinter: see hash.
func (p *pictures) Fingerprint() string { return p.fingerprint() }

// Of a file with more bytes than wholeFile the fingerprint covers three parts of partOfFile bytes.
const (
	wholeFile  = 64 << 10
	partOfFile = 8 << 10
)

// hash hashes the names of the files below the folder, their sizes, and the content of small files.
// Of a large file it takes the beginning, the middle and the end, which is quick in a folder of
// photographs: a change of size, or of the picture, shows there.
func (p *pictures) hash() string {
	hash := sha256.New()
	fmt.Fprintf(hash, "images %d\n", len(p.files))
	for _, name := range p.files {
		fmt.Fprintf(hash, "%q ", filepath.ToSlash(name))
		if err := p.hashFile(hash, name); err != nil {
			fmt.Fprint(hash, "unreadable\n")
		}
	}
	return fmt.Sprintf("%x", hash.Sum(nil))
}

func (p *pictures) hashFile(hash io.Writer, name string) error {
	file, err := p.openFile(name)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	size := info.Size()
	fmt.Fprintf(hash, "%d\n", size)
	if size <= wholeFile {
		_, err = io.Copy(hash, io.LimitReader(file, wholeFile))
		return err
	}
	for _, offset := range []int64{0, size/2 - partOfFile/2, size - partOfFile} {
		if _, err := io.Copy(hash, io.NewSectionReader(file, offset, partOfFile)); err != nil {
			return err
		}
	}
	return nil
}

// decoded returns a file's picture, from the cache if it is there. A file that failed once is not
// tried again, so that the same picture takes its place for the rest of the run.
func (p *pictures) decoded(file int) (*decodedPicture, error) {
	p.lock.Lock()
	if err := p.broken[file]; err != nil {
		p.lock.Unlock()
		return nil, err
	}
	c := p.cache[file]
	if c == nil {
		c = &cachedPicture{}
		p.cache[file] = c
	}
	p.clock++
	c.used = p.clock
	p.lock.Unlock()

	c.once.Do(func() { p.decode(file, c) })
	return c.picture, c.err
}

// decode fills c, and makes room in the cache by dropping the pictures whose last use is longest
// ago.
func (p *pictures) decode(file int, c *cachedPicture) {
	c.picture, c.err = p.open(file)
	p.lock.Lock()
	defer p.lock.Unlock()
	if c.err != nil {
		p.broken[file] = c.err
		delete(p.cache, file)
		return
	}
	c.bytes = c.picture.bytes()
	p.bytes += c.bytes
	for p.bytes > p.limit {
		oldest := -1
		for k, other := range p.cache {
			if other != c && other.bytes > 0 && (oldest < 0 || other.used < p.cache[oldest].used) {
				oldest = k
			}
		}
		if oldest < 0 {
			return
		}
		p.bytes -= p.cache[oldest].bytes
		delete(p.cache, oldest)
	}
}

// open decodes a file. It may have changed since its size was read.
func (p *pictures) open(file int) (*decodedPicture, error) {
	f, err := p.openFile(p.files[file])
	if err != nil {
		return nil, err
	}
	defer f.Close()
	img, err := imaging.Decode(f)
	if err != nil {
		return nil, err
	}
	if b := img.Bounds(); min(b.Dx(), b.Dy()) < p.size {
		return nil, tooSmall(b.Dx(), b.Dy(), p.size)
	}
	return newDecodedPicture(img), nil
}
