// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package dataset

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	websafe "image/color/palette"
	"image/draw"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/srdiff/srlab/srdiff/imaging"
)

// noise is an opaque picture in which every pixel is random.
func noise(width, height int, seed uint64) *image.NRGBA {
	rng := rand.New(rand.NewPCG(seed, 0))
	img := image.NewNRGBA(image.Rect(0, 0, width, height))
	for i := range img.Pix {
		img.Pix[i] = uint8(rng.IntN(256))
		if i%4 == 3 {
			img.Pix[i] = 255
		}
	}
	return img
}

func pngBytes(t *testing.T, img image.Image) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := png.Encode(&out, img); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// orientationTIFF is EXIF data that holds an orientation alone.
func orientationTIFF(orientation byte) []byte {
	return []byte{'M', 'M', 0, '*', 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0}
}

// withEXIF puts an orientation into a PNG file, right behind its header.
func withEXIF(data []byte, orientation byte) []byte {
	const header = 8 + 25
	chunk := append([]byte("eXIf"), orientationTIFF(orientation)...)
	out := binary.BigEndian.AppendUint32(bytes.Clone(data[:header]), uint32(len(chunk)-4))
	out = append(out, chunk...)
	out = binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(chunk))
	return append(out, data[header:]...)
}

// jpegWithEXIF puts an orientation into a JPEG file.
func jpegWithEXIF(data []byte, orientation byte) []byte {
	body := append([]byte("Exif\x00\x00"), orientationTIFF(orientation)...)
	segment := append([]byte{0xff, 0xe1, 0, byte(len(body) + 2)}, body...)
	return slices.Concat(data[:2], segment, data[2:])
}

// upright turns a stored picture as each EXIF orientation asks: the place in the stored picture, of
// width w and height h, that is seen at x, y (EXIF 2.32, tag 274).
var upright = map[byte]func(x, y, w, h int) (int, int){
	2: func(x, y, w, h int) (int, int) { return w - 1 - x, y },
	3: func(x, y, w, h int) (int, int) { return w - 1 - x, h - 1 - y },
	4: func(x, y, w, h int) (int, int) { return x, h - 1 - y },
	5: func(x, y, w, h int) (int, int) { return y, x },
	6: func(x, y, w, h int) (int, int) { return y, h - 1 - x },
	7: func(x, y, w, h int) (int, int) { return w - 1 - y, h - 1 - x },
	8: func(x, y, w, h int) (int, int) { return w - 1 - y, x },
}

func turnedUpright(stored image.Image, orientation byte) *image.NRGBA {
	w, h := stored.Bounds().Dx(), stored.Bounds().Dy()
	out := image.NewNRGBA(image.Rect(0, 0, w, h))
	if orientation >= 5 {
		out = image.NewNRGBA(image.Rect(0, 0, h, w))
	}
	for y := range out.Rect.Dy() {
		for x := range out.Rect.Dx() {
			fromX, fromY := upright[orientation](x, y, w, h)
			out.Set(x, y, stored.At(fromX, fromY))
		}
	}
	return out
}

// sameCrops compares the first crops of two folders.
func sameCrops(t *testing.T, what, dir, want string) {
	t.Helper()
	a, b := open(t, "images:"+dir, Options{Size: 16}), open(t, "images:"+want, Options{Size: 16})
	for i := range uint64(20) {
		if !slices.Equal(picture(t, a, i), picture(t, b, i)) {
			t.Errorf("%s: crop %d differs from that of the upright picture", what, i)
			return
		}
	}
}

// A photograph that the camera stored turned gives the crops of the upright one.
func TestFolderTurnsPicturesUpright(t *testing.T) {
	stored := noise(40, 24, 1)
	var photo bytes.Buffer
	if err := jpeg.Encode(&photo, stored, nil); err != nil {
		t.Fatal(err)
	}
	decoded, err := jpeg.Decode(bytes.NewReader(photo.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	for orientation := range upright {
		turned, want := t.TempDir(), t.TempDir()
		writeFile(t, filepath.Join(turned, "a.png"), withEXIF(pngBytes(t, stored), orientation))
		writePNG(t, filepath.Join(want, "a.png"), turnedUpright(stored, orientation))
		sameCrops(t, "PNG", turned, want)

		turned, want = t.TempDir(), t.TempDir()
		writeFile(t, filepath.Join(turned, "a.jpg"), jpegWithEXIF(photo.Bytes(), orientation))
		writePNG(t, filepath.Join(want, "a.png"), turnedUpright(decoded, orientation))
		sameCrops(t, "JPEG", turned, want)
	}
}

// transparent is a picture with a hole of hidden noise in a grey that grows to the right.
func transparent() *image.NRGBA {
	img := noise(64, 64, 2)
	for y := range 64 {
		for x := range 64 {
			c := img.NRGBAAt(x, y)
			c.A = 0
			if x < 12 || x >= 52 || y < 12 || y >= 52 {
				c = color.NRGBA{uint8(2 * x), uint8(2 * x), uint8(2 * x), uint8(255 - y)}
			}
			img.SetNRGBA(x, y, c)
		}
	}
	return img
}

// Colours that nobody sees are replaced as they are before upscaling, in crops that lie wholly
// among them too.
func TestFolderReplacesHiddenColours(t *testing.T) {
	deep := image.NewNRGBA64(image.Rect(0, 0, 64, 64))
	draw.Draw(deep, deep.Rect, transparent(), image.Point{}, draw.Src)
	for y := range 64 {
		for x := range 64 {
			if c := deep.NRGBA64At(x, y); c.A == 0 {
				deep.SetNRGBA64(x, y, color.NRGBA64{R: uint16(x * y * 7919), G: 0xabcd})
			}
		}
	}
	paletted := image.NewPaletted(image.Rect(0, 0, 64, 64), append(slices.Clone(websafe.WebSafe), color.Transparent))
	draw.Draw(paletted, paletted.Rect, transparent(), image.Point{}, draw.Src)
	var movie bytes.Buffer
	if err := gif.Encode(&movie, paletted, nil); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"a.png": pngBytes(t, transparent()), "deep.png": pngBytes(t, deep), "p.png": pngBytes(t, paletted), "a.gif": movie.Bytes(),
		"opaque.png": pngBytes(t, noise(64, 64, 3)),
	} {
		dir := t.TempDir()
		writeFile(t, filepath.Join(dir, name), data)
		img, err := imaging.Decode(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		visible := imaging.Visible(img)
		want := func(x, y, size int) []float32 {
			var out []float32
			for row := range size {
				out = append(out, visible.Pix[3*((y+row)*64+x):][:3*size]...)
			}
			return out
		}
		p, err := findPictures(t.Context(), dir, "", 16, folderCache)
		if err != nil {
			t.Fatal(err)
		}
		d, err := p.decoded(0)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range []image.Point{{0, 0}, {24, 24}, {5, 40}, {48, 48}} {
			got := make([]float32, 16*16*3)
			d.crop(at.X, at.Y, 16, got)
			if !slices.Equal(got, want(at.X, at.Y, 16)) {
				t.Errorf("%s: the crop at %v is not that of the visible picture", name, at)
			}
		}
	}
}

// Each picture that a folder does not give is named: at the start as far as it can be seen then, at
// the end with those that could not be decoded.
func TestFolderNamesWhatItSkips(t *testing.T) {
	dir := t.TempDir()
	whole := pngBytes(t, noise(40, 40, 1))
	writeFile(t, filepath.Join(dir, "good.png"), whole)
	writeFile(t, filepath.Join(dir, "damaged1.png"), whole[:len(whole)/2])
	writeFile(t, filepath.Join(dir, "below", "damaged2.png"), whole[:len(whole)/3])
	writeFile(t, filepath.Join(dir, "text.jpg"), []byte("text"))
	writeFile(t, filepath.Join(dir, "empty.gif"), nil)
	writeFile(t, filepath.Join(dir, "phone.HEIC"), []byte("\x00\x00\x00\x18ftypheic"))
	writeFile(t, filepath.Join(dir, "bell\a.png"), []byte("text"))
	writePNG(t, filepath.Join(dir, "small.png"), noise(31, 99, 1))
	writeFile(t, filepath.Join(dir, "private", "secret.png"), whole)
	if err := os.Symlink("nowhere", filepath.Join(dir, "broken.png")); err != nil {
		t.Fatal(err)
	}
	forbid(t, filepath.Join(dir, "private"))

	src := open(t, "images:"+dir, Options{})
	if want := "the 3 pictures under"; !strings.Contains(src.Name(), want) {
		t.Errorf("name %q, want %q", src.Name(), want)
	}
	if want := `(skipped: 1 smaller than 32x32, 6 unreadable: `; !strings.Contains(src.Name(), want) {
		t.Errorf("name %q, want %q", src.Name(), want)
	}
	atStart := []string{"private: permission denied", "phone.HEIC: the format is not read", "text.jpg: ", "empty.gif: ",
		`"bell\a.png": `, "broken.png: no such file", "small.png: 31x99 pixels are less than 32x32"}
	names(t, src, atStart)
	for i := range uint64(3) {
		picture(t, src, i)
	}
	atEnd := append(slices.Clone(atStart), "damaged1.png: ", filepath.Join("below", "damaged2.png")+": ")
	names(t, src, atEnd)
	names(t, Flip(src, 1), atEnd)
	line := SkippedLine(src)
	if !strings.HasPrefix(line, "9 files were skipped: ") || !strings.HasSuffix(line, "and 6 more") || strings.Count(line, "; ") != 3 {
		t.Errorf("line %q, want 9 files of which 3 are named", line)
	}
	if line := SkippedLine(open(t, "generated", Options{})); line != "" {
		t.Errorf("generated pictures: %q", line)
	}
}

// forbid makes one folder fail to be listed, for every user.
func forbid(t *testing.T, folder string) {
	t.Helper()
	before := readDir
	t.Cleanup(func() { readDir = before })
	readDir = func(name string) ([]os.DirEntry, error) {
		if name == folder {
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
		}
		return before(name)
	}
}

// names checks that a source has skipped exactly these, each in one line.
func names(t *testing.T, src Source, want []string) {
	t.Helper()
	skipped := Skipped(src)
	if len(skipped) != len(want) {
		t.Errorf("%d files are skipped, want %d: %v", len(skipped), len(want), skipped)
	}
	for _, w := range want {
		named := func(err error) bool {
			return strings.HasPrefix(err.Error(), w) && !strings.ContainsAny(err.Error(), "\n\a")
		}
		if !slices.ContainsFunc(skipped, named) {
			t.Errorf("%v does not name %q", skipped, w)
		}
	}
}

func TestFolderThatCannotBeListed(t *testing.T) {
	dir := writePictures(t)
	forbid(t, dir)
	_, err := Open(context.Background(), "images:"+dir, Options{})
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), dir) {
		t.Errorf("error %v, want one that names the folder", err)
	}
}

// Training and held-out crops of one folder share a cache, which keeps its bound under both.
func TestFolderIsCachedOnce(t *testing.T) {
	dir := writePictures(t) // 54 kB
	const limit = 40_000
	openShared := func(o Options) *folder {
		o.Size = 32
		src, err := openFolder(t.Context(), dir, o, limit)
		if err != nil {
			t.Fatal(err)
		}
		return src.(*folder)
	}
	training := openShared(Options{})
	heldOut := openShared(Options{HeldOut: true, Share: training})
	alone := openShared(Options{HeldOut: true})
	if heldOut.pictures != training.pictures || alone.pictures == training.pictures {
		t.Error("the cache is not the one that was asked for")
	}
	if other, err := Open(t.Context(), "images:"+dir, Options{Size: 16, Share: training}); err != nil || other.(*folder).pictures == training.pictures {
		t.Errorf("crops of another size share the cache (%v)", err)
	}
	if flipped, err := Open(t.Context(), "images:"+dir, Options{Share: Flip(training, 1)}); err != nil || flipped.(*folder).pictures != training.pictures {
		t.Errorf("mirrored pictures do not share the cache (%v)", err)
	}
	var both sync.WaitGroup
	for _, src := range []*folder{training, heldOut} {
		both.Go(func() {
			dst := make([]float32, 32*32*3)
			for i := range uint64(300) {
				if err := src.Picture(i, dst); err != nil {
					t.Error(err)
				}
			}
		})
	}
	both.Wait()
	var kept int64
	for _, c := range training.cache {
		kept += c.bytes
	}
	if kept != training.bytes || kept > limit {
		t.Errorf("%d bytes are kept and %d counted, the limit is %d", kept, training.bytes, limit)
	}
	same := 0
	for i := range uint64(50) {
		if !slices.Equal(picture(t, heldOut, i), picture(t, alone, i)) {
			t.Fatalf("held-out crop %d depends on what shares its cache", i)
		}
		if slices.Equal(picture(t, heldOut, i), picture(t, training, i)) {
			same++
		}
	}
	if same > 2 {
		t.Errorf("%d of 50 held-out crops are training crops", same)
	}
}
