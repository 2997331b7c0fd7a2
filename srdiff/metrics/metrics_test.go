// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/srdiff/srlab/srdiff/imaging"
)

// ramp is a smooth picture in [-1, 1], as in testdata/goldens.py.
func ramp(width, height int) imaging.Picture {
	p := imaging.New(width, height)
	for i := range p.Pix {
		x, y, c := i/3%width, i/3/width, i%3
		p.Pix[i] = float32((x*5+y*3+c*40)%256)/127.5 - 1
	}
	return p
}

// noisy is a ramp with noise that leaves [-1, 1], as in testdata/goldens.py.
func noisy(width, height int, strength float32) imaging.Picture {
	p := ramp(width, height)
	for i := range p.Pix {
		p.Pix[i] += strength * (float32((i*i*7919+i*104729)%511)/255 - 1)
	}
	return p
}

func TestMeasuresEqualScikitImage(t *testing.T) {
	data, err := os.ReadFile("testdata/goldens.json")
	if err != nil {
		t.Fatal(err)
	}
	var goldens []struct {
		Size, Low               [2]int
		Strength                float32
		PSNR, SSIM, Consistency float64
	}
	if err := json.Unmarshal(data, &goldens); err != nil {
		t.Fatal(err)
	}
	if len(goldens) != 4 {
		t.Fatalf("%d goldens, want 4", len(goldens))
	}
	for _, g := range goldens {
		a, b := ramp(g.Size[0], g.Size[1]), noisy(g.Size[0], g.Size[1], g.Strength)
		psnr, err1 := PSNR(a, b)
		ssim, err2 := SSIM(a, b)
		consistency, err3 := Consistency(b, ramp(g.Low[0], g.Low[1]), nil)
		for _, test := range []struct {
			name      string
			got, want float64
			err       error
		}{{"PSNR", psnr, g.PSNR, err1}, {"SSIM", ssim, g.SSIM, err2}, {"consistency", consistency, g.Consistency, err3}} {
			d := math.Abs(test.got - test.want)
			if test.err != nil || !(d < 1e-6) {
				t.Errorf("%v: %s is %v, want %v (%v)", g.Size, test.name, test.got, test.want, test.err)
			}
			t.Logf("%v: %s differs by %.2g", g.Size, test.name, d)
		}
	}
}

func TestEqualPictures(t *testing.T) {
	p := noisy(20, 12, .5)
	if v, err := PSNR(p, p); err != nil || !math.IsInf(v, 1) {
		t.Errorf("PSNR %v, %v, want +Inf", v, err)
	}
	if v, err := SSIM(p, p); err != nil || !(math.Abs(v-1) <= 1e-9) {
		t.Errorf("SSIM %v, %v, want 1", v, err)
	}
	if v, err := Consistency(p, p, nil); err != nil || v != 0 {
		t.Errorf("consistency %v, %v, want 0", v, err)
	}
}

func TestExplainedInputIsConsistent(t *testing.T) {
	p := ramp(32, 24)
	if v, err := Consistency(p, imaging.Bilinear(p, 8, 6), nil); err != nil || v != 0 {
		t.Errorf("consistency %v, %v, want 0", v, err)
	}
}

func TestOppositePictures(t *testing.T) {
	black, white := imaging.New(11, 11), imaging.New(11, 11)
	for i := range white.Pix {
		black.Pix[i], white.Pix[i] = -1, 1
	}
	if v, err := PSNR(black, white); err != nil || v != 0 || math.Signbit(v) {
		t.Errorf("PSNR %v, %v, want 0", v, err)
	}
	if v, err := Consistency(black, white, nil); err != nil || v != 1 {
		t.Errorf("consistency %v, %v, want 1", v, err)
	}
}

func TestMeasuresClamp(t *testing.T) {
	white, brighter := imaging.New(11, 11), imaging.New(11, 11)
	for i := range white.Pix {
		white.Pix[i], brighter.Pix[i] = 1, 1.7
	}
	if v, err := PSNR(white, brighter); err != nil || !math.IsInf(v, 1) {
		t.Errorf("PSNR %v, %v, want +Inf", v, err)
	}
	if v, err := SSIM(white, brighter); err != nil || v != 1 {
		t.Errorf("SSIM %v, %v, want 1", v, err)
	}
}

func TestNaNIsSeen(t *testing.T) {
	a := ramp(11, 11)
	b := imaging.Picture{Width: 11, Height: 11, Pix: slices.Clone(a.Pix)}
	b.Pix[200] = float32(math.NaN())
	for name, measure := range measures {
		if v, err := measure(b, a); err != nil || !math.IsNaN(v) {
			t.Errorf("%s is %v, %v, want NaN", name, v, err)
		}
	}
}

var measures = map[string]func(a, b imaging.Picture) (float64, error){
	"PSNR": PSNR, "SSIM": SSIM,
	"consistency": func(a, b imaging.Picture) (float64, error) { return Consistency(a, b, nil) },
}

func TestErrors(t *testing.T) {
	short := imaging.Picture{Width: 11, Height: 11, Pix: make([]float32, 11)}
	differ, tooSmall := "pictures of 11x11 and 11x12 cannot be compared", "are too small for SSIM: its window takes 11"
	for _, test := range []struct {
		measure string
		a, b    imaging.Picture
		want    string
	}{
		{"PSNR", ramp(11, 11), ramp(11, 12), differ},
		{"SSIM", ramp(11, 11), ramp(11, 12), differ},
		{"consistency", ramp(8, 8), ramp(8, 9), "8x9 is larger than the result of 8x8"},
		{"SSIM", ramp(10, 30), ramp(10, 30), tooSmall},
		{"SSIM", ramp(30, 10), ramp(30, 10), tooSmall},
		{"SSIM", ramp(1, 1), ramp(1, 1), tooSmall},
		{"PSNR", imaging.New(0, 4), imaging.New(0, 4), "has no pixels"},
		{"SSIM", imaging.New(0, 4), imaging.New(0, 4), "has no pixels"},
		{"consistency", ramp(4, 4), imaging.New(0, 0), "has no pixels"},
		{"PSNR", short, ramp(11, 11), "must hold 363 values, not 11"},
		{"consistency", short, ramp(4, 4), "must hold 363 values, not 11"},
		{"consistency", imaging.Picture{Width: -1, Height: -1}, ramp(4, 4), "has no pixels"},
		{"PSNR", ramp(11, 11), short, "must hold 363 values, not 11"},
	} {
		_, err := measures[test.measure](test.a, test.b)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s of %dx%d and %dx%d: error %v lacks %q", test.measure,
				test.a.Width, test.a.Height, test.b.Width, test.b.Height, err, test.want)
		}
	}
}

func BenchmarkSSIM(b *testing.B) {
	p, q := ramp(256, 256), noisy(256, 256, .1)
	for b.Loop() {
		if _, err := SSIM(p, q); err != nil {
			b.Fatal(err)
		}
	}
}

func ExamplePSNR() {
	a, b := imaging.New(2, 2), imaging.New(2, 2)
	for i := range b.Pix {
		b.Pix[i] = 0.2 // 0.1 on the scale of [0, 1]
	}
	decibels, err := PSNR(a, b)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%.2f dB\n", decibels)
	// Output: 20.00 dB
}
