// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"iter"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/srdiff/srlab/srdiff/imaging"
	"gonum.org/v1/gonum/stat"
)

// leaves paints discs over one another whose radii r have a density of r^-3: such pictures have the
// statistics of natural scenes (Lee, Mumford and Huang 2001). It calculates in whole numbers, so
// that the picture is the same on every processor.
func leaves(width, height int, seed uint64) imaging.Picture {
	rng := rand.New(rand.NewPCG(seed, 0))
	w, h := 2*width, 2*height // against jagged edges
	levels := make([][3]int, w*h)
	for range w * h / 5 {
		r := 1
		for r < 64 && rng.IntN(4) == 0 {
			r *= 2
		}
		r += rng.IntN(r + 1)
		cx, cy, grey := rng.IntN(w), rng.IntN(h), rng.IntN(200)
		colour := [3]int{grey + rng.IntN(56), grey + rng.IntN(56), grey + rng.IntN(56)}
		for y := max(cy-r, 0); y <= min(cy+r, h-1); y++ {
			for x := max(cx-r, 0); x <= min(cx+r, w-1); x++ {
				if (x-cx)*(x-cx)+(y-cy)*(y-cy) <= r*r {
					levels[y*w+x] = colour
				}
			}
		}
	}
	p := imaging.New(width, height)
	for i := range width * height {
		x, y := i%width*2, i/width*2
		for c := range 3 {
			sum := 0
			for k := range 16 { // 4x4, as a lens blurs
				sum += levels[min(y+k/4, h-1)*w+min(x+k%4, w-1)][c]
			}
			level := min(max(sum/16+rng.IntN(5)-2, 0), 255) // with a sensor's noise
			p.Pix[3*i+c] = float32(level)/127.5 - 1
		}
	}
	return p
}

// damages make a picture worse in known ways, and the more so the later they come in their kind.
var damages = []struct {
	kind, strength string
	do             func(imaging.Picture) imaging.Picture
}{
	{"blur", "0.6", blurred(0.6)}, {"blur", "1", blurred(1)}, {"blur", "2", blurred(2)},
	{"noise", "5", withNoise(5)}, {"noise", "15", withNoise(15)}, {"noise", "40", withNoise(40)},
	{"jpeg", "50", compressed(50)}, {"jpeg", "20", compressed(20)}, {"jpeg", "8", compressed(8)},
	{"bicubic", "2", enlarged(2)}, {"bicubic", "3", enlarged(3)}, {"bicubic", "4", enlarged(4)},
}

func blurred(sigma float64) func(imaging.Picture) imaging.Picture {
	return func(p imaging.Picture) imaging.Picture { return imaging.Shrink(p, "area", p.Width, p.Height, sigma) }
}

// withNoise adds white noise of up to so many levels.
func withNoise(levels int) func(imaging.Picture) imaging.Picture {
	return func(p imaging.Picture) imaging.Picture {
		rng, out := rand.New(rand.NewPCG(5, 6)), imaging.New(p.Width, p.Height)
		for i, v := range p.Pix {
			out.Pix[i] = v + float32(rng.IntN(2*levels+1)-levels)/127.5
		}
		return out
	}
}

func compressed(quality int) func(imaging.Picture) imaging.Picture {
	return func(p imaging.Picture) imaging.Picture {
		var b bytes.Buffer
		if err := jpeg.Encode(&b, p.Image(), &jpeg.Options{Quality: quality}); err != nil {
			panic(err)
		}
		img, err := imaging.Decode(&b)
		if err != nil {
			panic(err)
		}
		return imaging.FromImage(img)
	}
}

func enlarged(factor int) func(imaging.Picture) imaging.Picture {
	return func(p imaging.Picture) imaging.Picture {
		small := imaging.Shrink(p, "bicubic", p.Width/factor, p.Height/factor, 0)
		return imaging.Bicubic(small, p.Width, p.Height)
	}
}

// originals are painted pictures, or the middles of the photographs in the folder that
// SRDIFF_NIQE_PHOTOS names.
func originals(t *testing.T) map[string]imaging.Picture {
	t.Helper()
	list := map[string]imaging.Picture{}
	folder := os.Getenv("SRDIFF_NIQE_PHOTOS")
	if folder == "" {
		for seed := range uint64(4) {
			list[fmt.Sprint("leaves", seed)] = leaves(288, 192, seed)
		}
		return list
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d photographs in %s (%v)", len(files), folder, err)
	}
	for i := 0; i < len(files); i += max(1, len(files)/16) {
		img, err := imaging.Open(files[i])
		if err != nil {
			t.Fatal(err)
		}
		const width, height = 384, 288 // whole blocks, and divisible by every factor
		p, crop := imaging.FromImage(img), imaging.New(width, height)
		if p.Width < width || p.Height < height {
			t.Fatalf("%s is %dx%d", files[i], p.Width, p.Height)
		}
		for y := range height {
			copy(crop.Pix[y*width*3:(y+1)*width*3], p.Pix[((p.Height-height)/2+y)*p.Width*3+(p.Width-width)/2*3:])
		}
		list[strings.TrimSuffix(filepath.Base(files[i]), filepath.Ext(files[i]))] = crop
	}
	return list
}

// niqePictures are originals and what damages make of them, in 8 bits, by name.
func niqePictures(t *testing.T) map[string]*image.NRGBA {
	t.Helper()
	list := map[string]*image.NRGBA{}
	for name, p := range originals(t) {
		list[name] = p.Image()
		for _, d := range damages {
			list[name+"-"+d.kind+"-"+d.strength] = d.do(p).Image()
		}
	}
	return list
}

// toFit are pictures for FitNIQE.
func toFit() (list []imaging.Picture) {
	for seed := range uint64(6) {
		list = append(list, leaves(384, 288, 100+seed))
	}
	return list
}

// TestNIQEPictures writes the pictures that testdata/niqe.py measures.
func TestNIQEPictures(t *testing.T) {
	folder := os.Getenv("SRDIFF_NIQE_PICTURES")
	if folder == "" {
		t.Skip("SRDIFF_NIQE_PICTURES names no folder for them")
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	list := niqePictures(t)
	for i, p := range toFit() {
		list[fmt.Sprint("fit", i)] = p.Image()
	}
	for name, img := range list {
		if err := imaging.WritePNG(filepath.Join(folder, name+".png"), img); err != nil {
			t.Fatal(err)
		}
	}
}

// niqeGoldens are what BasicSR's implementation gives.
type niqeGoldens struct {
	Pictures map[string]struct{ NIQE, BasicSR float64 } // with srdiff's parameters, and with its own
	Fitted   NIQEModel
}

func readNIQEGoldens(t *testing.T) (goldens niqeGoldens) {
	t.Helper()
	path := "testdata/niqe.json"
	if other := os.Getenv("SRDIFF_NIQE_GOLDENS"); other != "" {
		path = other
	}
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, &goldens)
	}
	if err != nil {
		t.Fatal(err)
	}
	return goldens
}

// NIQE with srdiff's parameters is BasicSR's with them, and ranks pictures as BasicSR with its own
// does. With SRDIFF_NIQE_PHOTOS, a folder of photographs of at least 384x288 pixels, and
// SRDIFF_NIQE_GOLDENS, what testdata/niqe.py wrote of what TestNIQEPictures made of them, it
// measures the ranking on photographs.
func TestNIQEEqualsBasicSR(t *testing.T) {
	goldens, pictures := readNIQEGoldens(t).Pictures, niqePictures(t)
	if len(goldens) != len(pictures) {
		t.Fatalf("%d goldens, want %d", len(goldens), len(pictures))
	}
	var got, want []float64
	for _, name := range slices.Sorted(maps.Keys(pictures)) {
		golden, ok := goldens[name]
		if !ok {
			t.Fatalf("no golden of %s", name)
		}
		// What smooths makes flat places, where BasicSR measures the rounding of its sums.
		tolerance := 0.3
		if !strings.Contains(name, "-") || strings.Contains(name, "-noise") {
			tolerance = 1e-6
		}
		v, err := NIQE(imaging.FromImage(pictures[name]))
		if err != nil || os.Getenv("SRDIFF_NIQE_PHOTOS") == "" && !(math.Abs(v-golden.NIQE) < tolerance) {
			t.Errorf("NIQE of %s is %v, want %v (%v)", name, v, golden.NIQE, err)
		}
		got, want = append(got, v), append(want, golden.BasicSR)
	}
	rho := spearman(got, want)
	t.Logf("Spearman's rank correlation with BasicSR over %d pictures: %.3f", len(got), rho)
	if !(rho > 0.9) {
		t.Errorf("Spearman's rank correlation with BasicSR is %.3f, want above 0.9", rho)
	}
}

func TestFitNIQEEqualsBasicSR(t *testing.T) {
	golden := readNIQEGoldens(t).Fitted
	m, err := FitNIQE(all(toFit()))
	if err != nil {
		t.Fatal(err)
	}
	if m.Pictures != 6 || m.Blocks != golden.Blocks || m.Blocks == 6*12 {
		t.Errorf("%d blocks of %d pictures, want %d of 6, and not all 72", m.Blocks, m.Pictures, golden.Blocks)
	}
	for i := range niqeFeatures {
		if !(math.Abs(m.Mean[i]-golden.Mean[i]) < 1e-6) {
			t.Errorf("mean of feature %d is %v, want %v", i, m.Mean[i], golden.Mean[i])
		}
		for j := range i + 1 {
			if !(math.Abs(m.Covariance[i][j]-golden.Covariance[i][j]) < 1e-6) {
				t.Errorf("covariance of features %d and %d is %v, want %v", i, j, m.Covariance[i][j], golden.Covariance[i][j])
			}
		}
	}
}

func all(pictures []imaging.Picture) iter.Seq2[imaging.Picture, error] {
	return func(yield func(imaging.Picture, error) bool) {
		for _, p := range pictures {
			if !yield(p, nil) {
				return
			}
		}
	}
}

func TestFitNIQERefuses(t *testing.T) {
	bad := errors.New("cannot be read")
	failing := func(yield func(imaging.Picture, error) bool) { yield(imaging.Picture{}, bad) }
	if _, err := FitNIQE(failing); !errors.Is(err, bad) {
		t.Errorf("a picture that cannot be read: %v", err)
	}
	for want, list := range map[string][]imaging.Picture{
		"the pictures have 0 sharp blocks": nil,
		"want at least 37":                 {leaves(192, 96, 1)},
		"picture 2: a picture of 96x96":    {leaves(192, 96, 1), leaves(96, 96, 1)},
	} {
		if _, err := FitNIQE(all(list)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

func TestNIQERefuses(t *testing.T) {
	flat, half := imaging.New(288, 192), leaves(288, 192, 1)
	for i := range half.Pix {
		if i/3%288 >= 90 || i/3/288 >= 90 { // so that no window reaches another block
			half.Pix[i] = 0.3
		}
	}
	for _, test := range []struct {
		picture imaging.Picture
		want    string
	}{
		{imaging.New(0, 0), "has no pixels"},
		{leaves(191, 191, 1), "a picture of 191x191 is too small for NIQE: want at least two blocks of 96x96 pixels, such as 96x192"},
		{leaves(95, 300, 1), "too small for NIQE"},
		{flat, "NIQE of a flat picture: 0 of its 6 blocks"},
		{half, "NIQE of a flat picture: 1 of its 6 blocks"},
		{imaging.Picture{Width: 200, Height: 200}, "must hold"},
	} {
		if v, err := NIQE(test.picture); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("NIQE %v, error %v, want %q", v, err, test.want)
		}
	}
	for _, size := range [][2]int{{192, 96}, {96, 192}, {200, 100}} {
		if v, err := NIQE(leaves(size[0], size[1], 1)); err != nil || !(v > 0) || math.IsInf(v, 1) {
			t.Errorf("NIQE of %v is %v (%v)", size, v, err)
		}
	}
	nan := leaves(192, 96, 1)
	nan.Pix[1000] = float32(math.NaN())
	if v, err := NIQE(nan); err != nil || !math.IsNaN(v) {
		t.Errorf("NIQE with a NaN is %v, want NaN (%v)", v, err)
	}
}

// Pixels beyond the last whole block do not count.
func TestNIQEReadsWholeBlocks(t *testing.T) {
	p, larger := leaves(192, 192, 3), imaging.New(230, 200)
	for y := range p.Height {
		copy(larger.Pix[y*larger.Width*3:], p.Pix[y*p.Width*3:(y+1)*p.Width*3])
	}
	a, err1 := NIQE(p)
	b, err2 := NIQE(larger)
	if err1 != nil || err2 != nil || a != b {
		t.Errorf("%v (%v) and %v (%v)", a, err1, b, err2)
	}
}

// spearman is the correlation of ranks; no two values may be equal.
func spearman(a, b []float64) float64 {
	ranks := func(values []float64) []float64 {
		sorted, list := slices.Sorted(slices.Values(values)), make([]float64, len(values))
		for i, v := range values {
			rank, _ := slices.BinarySearch(sorted, v)
			list[i] = float64(rank)
		}
		return list
	}
	return stat.Correlation(ranks(a), ranks(b), nil)
}

func TestSpearman(t *testing.T) {
	a := []float64{1, 2, 3, 4, 5}
	for _, test := range []struct {
		b    []float64
		want float64
	}{{[]float64{1, 4, 9, 16, 25}, 1}, {[]float64{5, 4, 3, 2, 1}, -1}, {[]float64{2, 1, 4, 3, 5}, 0.8}} {
		if rho := spearman(a, test.b); math.Abs(rho-test.want) > 1e-12 {
			t.Errorf("%v: %v, want %v", test.b, rho, test.want)
		}
	}
}
