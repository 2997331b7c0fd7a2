// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package dataset

import (
	"image"
	"image/color"
	"image/png"
	"iter"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// writePhoto writes a picture whose red is its x, whose green is given by its place, and whose blue is its y.
func writePhoto(t *testing.T, path string, width, height int, green func(x, y int) uint8) {
	t.Helper()
	img := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			img.SetNRGBA(x, y, color.NRGBA{uint8(x), green(x, y), uint8(y), 255})
		}
	}
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := png.Encode(file, img); err != nil {
		t.Fatal(err)
	}
}

func openTestPhotos(t *testing.T, dir string, o Options) *photos {
	t.Helper()
	src, err := Open(t.Context(), "photos:"+dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return src.(*photos)
}

// crops returns the first pictures of p, in a slice that is used again.
func crops(t *testing.T, p *photos, n int) iter.Seq[[]float32] {
	return func(yield func([]float32) bool) {
		dst := make([]float32, 3*p.Size()*p.Size())
		for i := range n {
			if err := p.Picture(uint64(i), dst); err != nil {
				t.Fatal(err)
			}
			if !yield(dst) {
				return
			}
		}
	}
}

// Crops are squares of the photograph at one of five sizes, in all eight positions.
func TestPhotosCrops(t *testing.T) {
	dir := t.TempDir()
	writePhoto(t, filepath.Join(dir, "a.png"), 220, 170, func(x, y int) uint8 { return uint8(x ^ y) })
	p := openTestPhotos(t, dir, Options{Size: 32, Seed: 1})
	const at = 3 * 32 // to the pixel below
	steps := map[float64]int{}
	turns := map[[4]bool]bool{}
	for dst := range crops(t, p, 200) {
		right, down := float64(dst[3*31]-dst[0])*127.5/31, float64(dst[31*at]-dst[0])*127.5/31 // of red, a pixel
		step := math.Max(math.Abs(right), math.Abs(down))
		size := 1 / step
		nearest := slices.MinFunc(photoSizes, func(a, b float64) int {
			return int(1e6 * (math.Abs(a-size) - math.Abs(b-size)))
		})
		if math.Abs(nearest-size) > 0.05 {
			t.Fatalf("a picture is at size %.3f", size)
		}
		steps[nearest]++
		blue := float64(dst[3*31+2] - dst[2])
		turns[[4]bool{math.Abs(right) > math.Abs(down), right+down > 0, blue > 0.01, dst[31*at+2] > dst[2]}] = true
	}
	if len(steps) != 5 || len(turns) != 8 {
		t.Errorf("%d sizes and %d positions: want 5 and 8 (%v)", len(steps), len(turns), steps)
	}
}

// A photograph of many pixels is used at smaller sizes alone, unless these do not hold a crop.
func TestPhotosSoft(t *testing.T) {
	defer func(old int64) { photoSoft = old }(photoSoft)
	photoSoft = 100 * 80
	for _, test := range []struct {
		width, height, crop int
		want                []int // heights
	}{
		{100, 80, 30, []int{80, 56, 40}},
		{200, 100, 30, []int{70, 50, 35}},
		{200, 100, 80, []int{100}},
	} {
		dir := t.TempDir()
		writePhoto(t, filepath.Join(dir, "a.png"), test.width, test.height, func(x, y int) uint8 { return 0 })
		sizes, err := openTestPhotos(t, dir, Options{Size: test.crop}).load(0)
		if err != nil {
			t.Fatal(err)
		}
		var heights []int
		for _, f := range sizes {
			heights = append(heights, f.height)
		}
		if !slices.Equal(heights, test.want) {
			t.Errorf("crops of %d from %dx%d: heights %v, want %v", test.crop, test.width, test.height, heights, test.want)
		}
	}
}

// A large photograph does not crowd out small ones.
func TestPhotosShares(t *testing.T) {
	dir := t.TempDir()
	writePhoto(t, filepath.Join(dir, "large.png"), 640, 640, func(x, y int) uint8 { return 0 })
	writePhoto(t, filepath.Join(dir, "small.png"), 40, 40, func(x, y int) uint8 { return 255 })
	p := openTestPhotos(t, dir, Options{Size: 32})
	small := 0
	for dst := range crops(t, p, 400) {
		if dst[1] > 0.9 {
			small++
		}
	}
	if share := float64(small) / 400; math.Abs(share-1/(1+math.Pow(256, photoShare))) > 0.05 {
		t.Errorf("%.2f of the crops are of the small photograph: want 1/(1 + 256^%g)", share, photoShare)
	}
}

// Of a photograph with one textured half, most crops are of that half.
func TestPhotosTexture(t *testing.T) {
	dir := t.TempDir()
	writePhoto(t, filepath.Join(dir, "a.png"), 250, 60, func(x, y int) uint8 {
		if x < 125 {
			return 0
		}
		return uint8(40 * (x/2%2 ^ y/2%2))
	})
	p := openTestPhotos(t, dir, Options{Size: 16})
	textured := 0
	for dst := range crops(t, p, 300) {
		if slices.ContainsFunc(dst, func(v float32) bool { return v < -1 || v > 1 || v != v }) {
			t.Fatal("a value is out of range")
		}
		green := false
		for k := 1; k < len(dst); k += 3 {
			green = green || dst[k] > -0.9
		}
		if green {
			textured++
		}
	}
	if textured < 230 { // 150 of random crops, 262 of the best of three
		t.Errorf("%d of 300 crops are textured", textured)
	}
}

// A picture follows from its number and the seed; held-out ones are others; damaged files are named.
func TestPhotosOrder(t *testing.T) {
	dir := t.TempDir()
	writePhoto(t, filepath.Join(dir, "a.png"), 90, 80, func(x, y int) uint8 { return uint8(x * y) })
	whole, err := os.ReadFile(filepath.Join(dir, "a.png"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "b.png"), whole[:len(whole)/2], 0o666); err != nil {
		t.Fatal(err)
	}
	training := openTestPhotos(t, dir, Options{Size: 32, Seed: 7})
	again := openTestPhotos(t, dir, Options{Size: 32, Seed: 7})
	heldOut := openTestPhotos(t, dir, Options{Size: 32, Seed: 7, HeldOut: true, Share: training})
	if &heldOut.loaded[0] != &training.loaded[0] {
		t.Error("the held-out pictures are in memory once more")
	}
	same := 0
	for i := range uint64(20) {
		a, b, c := make([]float32, 32*32*3), make([]float32, 32*32*3), make([]float32, 32*32*3)
		for src, dst := range map[*photos][]float32{training: a, again: b, heldOut: c} {
			if err := src.Picture(i, dst); err != nil {
				t.Fatal(err)
			}
		}
		if !slices.Equal(a, b) {
			t.Fatalf("picture %d is another one the second time", i)
		}
		if slices.Equal(a, c) {
			same++
		}
	}
	if same > 0 {
		t.Errorf("%d held-out pictures are those of training", same)
	}
	if line := SkippedLine(training); !strings.Contains(line, "b.png") {
		t.Errorf("skipped: %q, want b.png", line)
	}
}

// Photographs that do not fit in memory are refused before any is decoded.
func TestPhotosMemory(t *testing.T) {
	defer func(old int64) { photoMemory = old }(photoMemory)
	photoMemory = 1000
	dir := t.TempDir()
	writePhoto(t, filepath.Join(dir, "a.png"), 90, 80, func(x, y int) uint8 { return 0 })
	_, err := Open(t.Context(), "photos:"+dir, Options{Size: 32})
	if err == nil || !strings.Contains(err.Error(), "of memory") || !strings.Contains(err.Error(), "use images:") {
		t.Errorf("error is %v", err)
	}
}
