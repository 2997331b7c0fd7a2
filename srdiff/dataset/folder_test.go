// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package dataset

import (
	"context"
	"errors"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
)

func TestFolderCrops(t *testing.T) {
	src := open(t, "images:"+writePictures(t), Options{Size: 16})
	blues := make(map[int]int)
	corners := make(map[[2]int]bool)
	for i := range uint64(60) {
		p := picture(t, src, i)
		at := func(x, y, k int) int { return int((p[(y*16+x)*3+k]+1)*127.5 + 0.5) }
		if at(15, 0, 0)-at(0, 0, 0) != 75 || at(0, 15, 1)-at(0, 0, 1) != 60 {
			t.Fatalf("picture %d is not a crop at the picture's own scale", i)
		}
		blues[at(0, 0, 2)]++
		corners[[2]int{at(0, 0, 0), at(0, 0, 1)}] = true
	}
	for n := range 6 {
		if blues[40*n] != 10 {
			t.Errorf("file %d came up %d times in 10 epochs", n, blues[40*n])
		}
	}
	if len(corners) < 50 {
		t.Errorf("60 crops were cut at only %d places", len(corners))
	}
}

func TestFolderReadsEveryFormat(t *testing.T) {
	dir := t.TempDir()
	grey := image.NewRGBA(image.Rect(0, 0, 20, 20))
	for i := range grey.Pix {
		grey.Pix[i] = 255
	}
	paletted := image.NewPaletted(grey.Rect, color.Palette{color.White, color.Black})
	writePNG(t, filepath.Join(dir, "a.PNG"), grey)
	encoders := map[string]func(f *os.File) error{
		"below/b.jpg": func(f *os.File) error { return jpeg.Encode(f, grey, nil) },
		"below/c.gif": func(f *os.File) error { return gif.Encode(f, paletted, nil) },
		"d.bmp":       func(f *os.File) error { return bmp.Encode(f, grey) },
		"e.tiff":      func(f *os.File) error { return tiff.Encode(f, grey, nil) },
	}
	for name, encode := range encoders {
		writeFile(t, filepath.Join(dir, name), nil)
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := encode(f); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	src := open(t, "images:"+dir, Options{Size: 8})
	if !strings.Contains(src.Name(), "8x8 crops of the 5 pictures under") {
		t.Errorf("name %q, want 5 pictures", src.Name())
	}
	for i := range uint64(5) {
		if p := picture(t, src, i); slices.Min(p) < 0.99 {
			t.Errorf("picture %d of an epoch has a value of %v, want white", i, slices.Min(p))
		}
	}
}

func writeFile(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestFolderSaysWhatItSkips(t *testing.T) {
	dir := writePictures(t)
	writePNG(t, filepath.Join(dir, "small.png"), image.NewGray(image.Rect(0, 0, 100, 31)))
	writePNG(t, filepath.Join(dir, ".hidden.png"), image.NewGray(image.Rect(0, 0, 99, 99)))
	writePNG(t, filepath.Join(dir, ".hidden", "b.png"), image.NewGray(image.Rect(0, 0, 99, 99)))
	writeFile(t, filepath.Join(dir, "text.png"), []byte("text"))
	writeFile(t, filepath.Join(dir, "notes.txt"), []byte("text"))
	elsewhere := writePictures(t)
	if err := os.Symlink(elsewhere, filepath.Join(dir, "elsewhere")); err != nil {
		t.Fatal(err)
	}
	src := open(t, "images:"+dir, Options{HeldOut: true})
	for _, want := range []string{"the 6 pictures", "1 smaller than 32x32", "1 unreadable", "at other places"} {
		if !strings.Contains(src.Name(), want) {
			t.Errorf("name %q, want it to say %q", src.Name(), want)
		}
	}

	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(elsewhere, link); err != nil {
		t.Fatal(err)
	}
	if src := open(t, "images:"+link, Options{}); !strings.Contains(src.Name(), "the 6 pictures") {
		t.Errorf("name %q, want the 6 pictures behind the link that was named", src.Name())
	}
}

func TestFolderWithoutUsablePictures(t *testing.T) {
	dir := t.TempDir()
	writePNG(t, filepath.Join(dir, "small.png"), image.NewGray(image.Rect(0, 0, 31, 100)))
	writeFile(t, filepath.Join(dir, "text.jpg"), []byte("text"))
	file := filepath.Join(dir, "text.jpg")
	for path, want := range map[string]string{
		dir:         "among the 2 PNG, JPEG, GIF, BMP, TIFF and WebP files",
		t.TempDir(): "among the 0 ",
		file:        "is not a folder",
	} {
		_, err := Open(context.Background(), "images:"+path, Options{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", path, err, want)
		}
	}
}

func TestFolderPassesOverFilesThatStopDecoding(t *testing.T) {
	dir := writePictures(t)
	src := open(t, "images:"+dir, Options{})
	names, _, err := pictureFiles(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	for i := range names {
		names[i] = filepath.Join(dir, names[i])
	}
	writeFile(t, names[2], []byte("no longer a picture"))
	writePNG(t, names[4], image.NewGray(image.Rect(0, 0, 9, 9))) // smaller now
	blues := make(map[float32]int)
	for i := range uint64(12) {
		blues[picture(t, src, i)[2]]++
	}
	// File 3 stands in for file 2, and file 5 for file 4.
	for n, want := range []int{2, 2, 0, 4, 0, 4} {
		if got := blues[fromByte(uint8(40*n))]; got != want {
			t.Errorf("file %d came up %d times in two epochs, want %d", n, got, want)
		}
	}
	fresh := open(t, "images:"+dir, Options{})
	for _, name := range names {
		writeFile(t, name, nil)
	}
	dst := make([]float32, 32*32*3)
	if err := fresh.Picture(0, dst); err == nil || !strings.Contains(err.Error(), "none of the 4 pictures") {
		t.Errorf("error %v, want that no picture can be read", err)
	}
	writePNG(t, names[0], image.NewGray(image.Rect(0, 0, 99, 99)))
	if err := fresh.Picture(1, dst); err == nil {
		t.Error("a file that had failed was tried again: the order of the pictures would depend on time")
	}
}

func TestFolderThatDoesNotFitIntoMemory(t *testing.T) {
	dir := writePictures(t) // 54 kB
	openSmall := func() *folder {
		src, err := openFolder(context.Background(), dir, Options{Size: 32}, 40_000)
		if err != nil {
			t.Fatal(err)
		}
		return src.(*folder)
	}
	src, again := openSmall(), openSmall()
	const n = 6 * cropsPerPicture * 2
	var pictures [][]float32
	changes, last := 0, [2]float32{}
	for i := range uint64(n) {
		p := picture(t, src, i)
		pictures = append(pictures, p)
		if src.bytes > 40_000 {
			t.Fatalf("%d pictures of %d bytes are kept, the limit is 40,000", len(src.cache), src.bytes)
		}
		if file := p[2]; file != last[i%2] {
			changes, last[i%2] = changes+1, file
		}
	}
	// Two epochs of six files, in two slots that change at different times.
	if changes < 12 || changes > 14 {
		t.Errorf("%d files were opened for %d crops, want 12 to 14", changes, n)
	}
	for i := n - 1; i >= 0; i-- {
		if !slices.Equal(picture(t, again, uint64(i)), pictures[i]) {
			t.Fatalf("picture %d depends on what was asked for before", i)
		}
	}
}

func TestFolderStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Open(ctx, "images:"+writePictures(t), Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
}
