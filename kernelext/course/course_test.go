// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package course

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gomlx/gomlx/core/graph"

	"github.com/srdiff/srlab/kernelext"
	"github.com/srdiff/srlab/srdiff"
	"github.com/srdiff/srlab/srdiff/degrade"
	"github.com/srdiff/srlab/srdiff/imaging"
	"github.com/srdiff/srlab/srdiff/nn"
)

// atNotebooks works where cells do.
func atNotebooks(t *testing.T) { t.Chdir("../../notebooks") }

func grey(value float32) imaging.Picture {
	p := imaging.New(8, 4)
	for i := range p.Pix {
		p.Pix[i] = value
	}
	return p
}

func TestMeasures(t *testing.T) {
	a, b := grey(-0.5), grey(0.5)
	if mixed := Mix(a, b, 0.25); mixed.Pix[7] != -0.25 {
		t.Errorf("mixed: %v", mixed.Pix[7])
	}
	if mean := Mean(a, b, b, b); mean.Pix[7] != 0.25 {
		t.Errorf("mean: %v", mean.Pix[7])
	}
	if r := Residual(a, b); r.Pix[7] != -1 {
		t.Errorf("residual: %v", r.Pix[7])
	}
	spread := Spread(a, b)
	if len(spread) != 32 || math.Abs(spread[5]-0.5) > 1e-6 {
		t.Errorf("spread: %v", spread)
	}
	if d := Deviation([]float32{-1, 1, -1, 1}); math.Abs(d-1) > 1e-9 {
		t.Errorf("deviation: %v", d)
	}
	x, density := Histogram([]float32{-0.9, 0.1, 0.2, 5}, -1, 1, 4)
	if !slices.Equal(x, []float64{-0.75, -0.25, 0.25, 0.75}) || !slices.Equal(density, []float64{0.5, 0, 1, 0}) {
		t.Errorf("histogram: %v %v", x, density)
	}
	if means := Smooth([]float64{4, 2, 6, 0}, 2); !slices.Equal(means, []float64{4, 3, 4, 3}) {
		t.Errorf("means of two: %v", means)
	}
	heat := Heat([]float64{0, 1, 2, 9}, 2, 3)
	if heat.Height != 2 || !slices.Equal(heat.Pix, []float32{-1, -1, -1, 1, -1, -1, 1, 1, -1, 1, 1, 1}) {
		t.Errorf("heat: %v", heat.Pix)
	}
}

// The photographs of a lesson are there, differ, and lose to no other size.
func TestPhotos(t *testing.T) {
	atNotebooks(t)
	photos := Photos(8, 32)
	for i, p := range photos {
		if p.Width != 32 || p.Height != 32 || Deviation(p.Pix) < 0.2 {
			t.Errorf("photograph %d: %dx%d, deviation %.2f", i, p.Width, p.Height, Deviation(p.Pix))
		}
		for k, other := range photos[:i] {
			if PSNR([]imaging.Picture{p}, []imaging.Picture{other}) > 20 {
				t.Errorf("photographs %d and %d are one", k, i)
			}
		}
	}
	low := []imaging.Picture{degrade.Config{}.Picture(photos[1], 4)}
	if again := LRPSNR(photos[1:2], low, degrade.Config{}); again < 59 {
		t.Errorf("the LR-PSNR of an original is %.1f dB", again)
	}
	if a, b := PSNR(Bilinear(low...), photos[1:2]), PSNR(Bicubic(low...), photos[1:2]); a < 15 || b < 15 || a == b {
		t.Errorf("bilinear %.2f dB, bicubic %.2f dB", a, b)
	}
	if held := HeldOut(); held.Size() != 32 || held.Name() == Training().Name() {
		t.Errorf("held out: %s", held.Name())
	}
}

// Half the contrast is a quarter of the squared gradient.
func TestSharpness(t *testing.T) {
	atNotebooks(t)
	photo := Photo(0, 32)
	if s := Sharpness([]imaging.Picture{Mix(imaging.New(32, 32), photo, 0.5)}, []imaging.Picture{photo}); math.Abs(s-0.25) > 1e-3 {
		t.Errorf("at half the contrast the sharpness is %.4f, want 0.25", s)
	}
}

// The pictures of a batch are those that it was made of.
func TestSplit(t *testing.T) {
	a, b := grey(-0.5), grey(0.25)
	if p := Split(Tensor(a, b)); len(p) != 2 || !slices.Equal(p[0].Pix, a.Pix) || !slices.Equal(p[1].Pix, b.Pix) {
		t.Errorf("split: %v", p)
	}
}

// A film has the first state, the last one, and others evenly between.
func TestFilm(t *testing.T) {
	for _, steps := range []int{1, 4, 8, 50, 1000} {
		var film Film
		x := Tensor(grey(0))
		for done := 1; done <= steps; done++ {
			film.Record(srdiff.SampleStep{Done: done, Steps: steps, T: steps - done, X: x, X0: x})
		}
		if want := min(8, steps); len(film.xt) != want || film.captions[want-1] != "t = 0" {
			t.Errorf("%d steps: %v", steps, film.captions)
		}
	}
}

// The same seed gives the same noise, which is of the shape of x_0.
func TestNoise(t *testing.T) {
	x0 := Tensor(grey(0), grey(1))
	a, b, c := Noise(1, x0), Noise(1, x0), Noise(2, x0)
	if !a.Shape().Equal(x0.Shape()) || !a.Equal(b) || a.Equal(c) {
		t.Error("the noise does not follow its seed")
	}
}

// What one engine computed is an input of any other, and of the next call.
func TestCallsShareTensors(t *testing.T) {
	negative := func(x *graph.Node) *graph.Node { return graph.Neg(x) }
	x := Tensor(grey(0.5))
	program := Program(New(srdiff.Config{}), func(_ *nn.Scope, in []*graph.Node) []*graph.Node { return []*graph.Node{negative(in[0])} })
	for range 2 {
		x = Compile(negative)(program(Call(negative, x))[0])
	}
	if p := Images(x)[0]; p.Bounds() != grey(0).Image().Bounds() || !x.Equal(Tensor(grey(0.5))) {
		t.Errorf("the tensor is %v", x)
	}
}

// The bar of short work does not appear; that of long work does.
func TestLateBar(t *testing.T) {
	file := kernelext.Must(os.Create(filepath.Join(t.TempDir(), "stderr")))
	defer file.Close()
	defer func(stderr *os.File) { os.Stderr = stderr }(os.Stderr)
	os.Stderr = file
	short, long := lateBar("short", time.Hour), lateBar("long", time.Millisecond)
	for done := 1; done <= 2; done++ {
		time.Sleep(2 * time.Millisecond)
		short.update(done, 2)
		long.update(done, 2)
	}
	short.done()
	long.done()
	if text := string(kernelext.Must(os.ReadFile(file.Name()))); strings.Contains(text, "short") || !strings.Contains(text, "long: 2/2") {
		t.Errorf("written: %q", text)
	}
}
