// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// scene draws discs of random places, sizes and greys.
func scene(seed uint64, width, height int) *image.Gray {
	random := rand.New(rand.NewPCG(seed, 1))
	img := image.NewGray(image.Rect(0, 0, width, height))
	for range 60 {
		x, y, r := random.IntN(width), random.IntN(height), 5+random.IntN(height/5)
		grey := color.Gray{uint8(random.IntN(256))}
		for j := max(y-r, 0); j < min(y+r, height); j++ {
			for i := max(x-r, 0); i < min(x+r, width); i++ {
				if (i-x)*(i-x)+(j-y)*(j-y) < r*r {
					img.SetGray(i, j, grey)
				}
			}
		}
	}
	return img
}

// changed returns a part of an image, mirrored if asked for, with width x height pixels.
func changed(img *image.Gray, at image.Rectangle, mirror bool, width, height int) *image.Gray {
	out := image.NewGray(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			from := x
			if mirror {
				from = width - 1 - x
			}
			out.SetGray(x, y, img.GrayAt(at.Min.X+from*at.Dx()/width, at.Min.Y+y*at.Dy()/height))
		}
	}
	return out
}

func save(t *testing.T, dir, name string, img image.Image) {
	t.Helper()
	var out bytes.Buffer
	if err := jpeg.Encode(&out, img, &jpeg.Options{Quality: 60}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestFindsCopies(t *testing.T) {
	original := scene(1, 480, 320)
	copies := map[string]image.Image{
		"same":     original,
		"small":    changed(original, original.Rect, false, 240, 160),
		"mirrored": changed(original, original.Rect, true, 600, 400),
		"cropped":  changed(original, image.Rect(90, 30, 420, 300), false, 330, 270),
		"part":     changed(original, image.Rect(20, 60, 260, 300), true, 300, 300),
	}
	for name, img := range copies {
		train, bench := t.TempDir(), t.TempDir()
		save(t, train, name+".jpg", img)
		save(t, train, "other.jpg", scene(2, 480, 320))
		save(t, bench, "a_HR.jpg", original)
		pairs, err := compare(train, []string{bench})
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if found := report(&out, pairs); found != 1 || !strings.Contains(out.String(), name+".jpg") {
			t.Errorf("%s: %d near-duplicates, want that one:\n%s", name, found, &out)
		}
	}
}

// The benchmark's picture may be a part of a larger photograph.
func TestFindsWhatABenchmarkCroppedOut(t *testing.T) {
	whole := scene(3, 900, 600)
	train, bench := t.TempDir(), t.TempDir()
	save(t, train, "whole.jpg", whole)
	save(t, bench, "a.jpg", changed(whole, image.Rect(300, 150, 660, 420), true, 240, 180))
	pairs, err := compare(train, []string{bench})
	if err != nil || len(pairs) != 1 || pairs[0].correlation < duplicate {
		t.Errorf("got %v, %v; want one near-duplicate", pairs, err)
	}
}

func TestDifferentScenesPass(t *testing.T) {
	train, bench := t.TempDir(), t.TempDir()
	for seed := range uint64(6) {
		save(t, train, string('a'+rune(seed))+".jpg", scene(10+seed, 320, 240))
		save(t, bench, string('a'+rune(seed))+".jpg", scene(20+seed, 320, 240))
	}
	pairs, err := compare(train, []string{bench})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if found := report(&out, pairs); found != 0 {
		t.Errorf("%d near-duplicates among different scenes:\n%s", found, &out)
	}
}

func TestEmptyFolder(t *testing.T) {
	full, empty := t.TempDir(), t.TempDir()
	save(t, full, "a.jpg", scene(1, 64, 64))
	for _, dirs := range [][2]string{{full, empty}, {empty, full}} {
		if _, err := compare(dirs[0], dirs[1:]); err == nil || !strings.Contains(err.Error(), "no JPEG or PNG") {
			t.Errorf("error %v for an empty folder", err)
		}
	}
}
