// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package imaging

import (
	"encoding/json"
	"fmt"
	"image"
	"math"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/srdiff/srlab/srdiff/internal/checkpoint"
)

// The golden file is made by srdiff/testdata/schedulers.py: torch's interpolate after a Gaussian by
// convolution.
func TestShrinkEqualsTorch(t *testing.T) {
	file, err := checkpoint.Read(filepath.Join("..", "testdata", "schedulers.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	picture := func(name string) Picture {
		p := file.Tensors[name]
		if p == nil {
			t.Fatalf("the golden file has no %s", name)
		}
		size := p.Shape().Dimensions
		return Picture{Width: size[2], Height: size[1], Pix: tensors.MustCopyFlatData[float32](p)}
	}
	check := func(name, filter string, from Picture, blur float64) {
		t.Helper()
		want := picture(name)
		got := Shrink(from, filter, want.Width, want.Height, blur)
		if got.Width != want.Width || got.Height != want.Height {
			t.Fatalf("%s is %dx%d", name, got.Width, got.Height)
		}
		d := maxDiff(t, got.Pix, want.Pix)
		t.Logf("%s differs by %.2g", name, d)
		if !(d <= 1e-5) {
			t.Errorf("%s differs by %.2g", name, d)
		}
	}
	for _, size := range []string{"32x32", "16x24"} {
		from := picture("degrade." + size)
		for _, filter := range []string{"bilinear", "bicubic", "area"} {
			for _, blur := range []float64{0, 0.6, 1.5} {
				check(fmt.Sprintf("degrade.%s.%s.%g", size, filter, blur), filter, from, blur)
			}
		}
	}
	check("degrade.16x24.odd", "bicubic", picture("degrade.16x24"), 0)
}

// A grey picture stays as it is: every row sums to 1, whatever the filter, the sizes and the blur,
// one of which is far wider than the picture.
func TestShrinkingSumsToOne(t *testing.T) {
	for _, filter := range []string{"bilinear", "bicubic", "matlab-bicubic", "area"} {
		for _, size := range [][2]int{{1, 1}, {4, 1}, {8, 2}, {9, 7}, {32, 8}} {
			for _, blur := range []float64{0, 0.1, 8} {
				rows := Shrinking(filter, size[0], size[1], blur)
				if len(rows) != size[1] {
					t.Fatalf("%d rows, want %d", len(rows), size[1])
				}
				for _, row := range rows {
					sum := 0.0
					for _, w := range row {
						sum += float64(w)
					}
					if len(row) != size[0] || !(math.Abs(sum-1) <= 1e-6) {
						t.Errorf("%s %v, blur %g: a row of %d sums to %v", filter, size, blur, len(row), sum)
					}
				}
			}
		}
	}
}

func TestShrinkWithoutPixels(t *testing.T) {
	if p := Shrink(New(0, 3), "area", 2, 2, 0); p.Width != 2 || p.Height != 2 || len(p.Pix) != 12 {
		t.Errorf("from nothing: %+v", p)
	}
}

// dense returns the matrix [to][from] of a filter after a blur as the definition has it, with every
// weight of every row.
func dense(filter string, from, to int, blur float64) [][]float64 {
	scale := float64(from) / float64(to)
	weigh := func(n int, centre func(x int) float64, radius float64, repeat bool, kernel func(float64) float64) [][]float64 {
		rows := make([][]float64, n)
		for x := range rows {
			rows[x] = make([]float64, from)
			sum := 0.0
			for i := -20 * from; i < 20*from; i++ {
				d := float64(i) - centre(x)
				if place := min(max(i, 0), from-1); math.Abs(d) < radius && (repeat || place == i) {
					rows[x][place] += kernel(d)
					sum += kernel(d)
				}
			}
			for i := range rows[x] {
				rows[x][i] /= sum
			}
		}
		return rows
	}
	centre := func(x int) float64 { return (float64(x)+0.5)*scale - 0.5 }
	var a [][]float64
	switch filter {
	case "bilinear":
		a = weigh(to, centre, 1, true, func(x float64) float64 { return 1 - math.Abs(x) })
	case "bicubic":
		a = weigh(to, centre, 2*scale, false, func(x float64) float64 { return cubic(-0.5, x/scale) })
	case "matlab-bicubic":
		a = weigh(to, centre, 2*scale, true, func(x float64) float64 { return cubic(-0.5, x/scale) })
	case "area":
		a = weigh(to, centre, scale/2+0.5, true,
			func(x float64) float64 { return max(0, min(x+0.5, scale/2)-max(x-0.5, -scale/2)) })
	}
	if blur == 0 {
		return a
	}
	b := weigh(from, func(x int) float64 { return float64(x) }, 4*blur, true,
		func(x float64) float64 { return math.Exp(-x * x / (2 * blur * blur)) })
	c := make([][]float64, to)
	for i := range c {
		c[i] = make([]float64, from)
		for k, w := range a[i] {
			for j, v := range b[k] {
				c[i][j] += w * v
			}
		}
	}
	return c
}

// The taps give what the whole matrices do, on sizes of every kind.
func TestShrinkEqualsDense(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 60 {
		from := [2]int{1 + rng.IntN(40), 1 + rng.IntN(40)}
		to := [2]int{1 + rng.IntN(from[0]), 1 + rng.IntN(from[1])}
		filter := []string{"bilinear", "bicubic", "matlab-bicubic", "area"}[rng.IntN(4)]
		blur := []float64{0, 0, 0.3, 1.5, 4}[rng.IntN(5)]
		p := New(from[0], from[1])
		for i := range p.Pix {
			p.Pix[i] = rng.Float32()*2 - 1
		}
		got := Shrink(p, filter, to[0], to[1], blur)
		columns, rows := dense(filter, from[0], to[0], blur), dense(filter, from[1], to[1], blur)
		for i, v := range got.Pix {
			x, y, c := i/3%to[0], i/3/to[0], i%3
			want := 0.0
			for j, w := range rows[y] {
				for k, v := range columns[x] {
					want += w * v * float64(p.Pix[(j*from[0]+k)*3+c])
				}
			}
			if !(math.Abs(float64(v)-want) <= 1e-6) {
				t.Fatalf("%s, %v to %v, blur %g: value %d is %v, want %v", filter, from, to, blur, i, v, want)
			}
		}
		for x, row := range Shrinking(filter, from[0], to[0], blur) {
			for i, w := range row {
				if !(math.Abs(float64(w)-columns[x][i]) <= 1e-6) {
					t.Fatalf("%s, %v to %v, blur %g: weight %d of pixel %d is %v, want %v", filter, from, to, blur, i, x, w, columns[x][i])
				}
			}
		}
	}
}

// A large picture is made smaller without matrices of its size, whose blur alone would take 3.2 GB
// here.
func TestShrinkMemory(t *testing.T) {
	p := New(20_000, 1)
	size := allocated(func() { Shrink(p, "bicubic", 5_000, 1, 2) })
	if most := uint64(20_000 * 400); size > most {
		t.Errorf("%d bytes were allocated, want %d at most", size, most)
	}
}

// The golden file is made by testdata/imresize.py.
func TestImresizeEqualsMATLAB(t *testing.T) {
	var cases []struct {
		Scale, From, To [2]int
		Pix             []int
	}
	if err := json.Unmarshal(testFile(t, "imresize.json"), &cases); err != nil || len(cases) < 10 {
		t.Fatalf("%d cases, %v", len(cases), err)
	}
	for _, c := range cases {
		p := New(c.From[0], c.From[1])
		for i := range p.Pix {
			p.Pix[i] = float32((i*i*7919+i*104729)%256)/255*2 - 1
		}
		got := Imresize(p, float64(c.Scale[0])/float64(c.Scale[1]))
		if got.Width != c.To[0] || got.Height != c.To[1] || len(got.Pix) != len(c.Pix) {
			t.Errorf("%v by %v is %dx%d, want %v", c.From, c.Scale, got.Width, got.Height, c.To)
			continue
		}
		unequal := 0
		for i, v := range got.Pix {
			d := math.Abs(float64((v+1)*127.5) - float64(c.Pix[i]))
			if !(d <= 1.01) {
				t.Fatalf("%v by %v: value %d is %v, want %d", c.From, c.Scale, i, (v+1)*127.5, c.Pix[i])
			}
			if !(d <= 0.01) {
				unequal++ // Halves may be rounded either way.
			}
		}
		if unequal > len(got.Pix)/50 {
			t.Errorf("%v by %v: %d of %d values differ by one level", c.From, c.Scale, unequal, len(got.Pix))
		}
	}
}

// Nothing panics on a picture without pixels.
func TestEmptyPictures(t *testing.T) {
	for _, size := range [][2]int{{0, 0}, {40, 0}, {0, 7}} {
		img := image.NewNRGBA(image.Rect(0, 0, size[0], size[1]))
		p := Visible(img)
		for _, like := range []image.Image{img, image.NewGray(img.Rect), image.NewNRGBA64(img.Rect),
			image.NewYCbCr(img.Rect, image.YCbCrSubsampleRatio420)} {
			p.As(like)
			if out := New(4, 3).As(like); out.Bounds().Size() != image.Pt(4, 3) {
				t.Errorf("%v like %T", out.Bounds(), like)
			}
			for orientation := range 8 {
				upright(like, orientation+1)
			}
		}
		Bilinear(p, 3, 2)
		Bicubic(p, 3, 2)
		for _, scale := range []float64{0.25, 4} {
			Imresize(p, scale)
		}
		for _, filter := range []string{"bilinear", "bicubic", "matlab-bicubic", "area"} {
			Shrink(p, filter, size[0]/4, size[1]/4, 1)
			Shrinking(filter, size[0], 2, 1)
		}
		Grid(2, []string{"empty"}, img, p.Image())
		if err := WritePNG(filepath.Join(t.TempDir(), "a.png"), img); err == nil {
			t.Error("a PNG file without pixels was written")
		}
	}
}
