// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/srdiff/srlab/srdiff/imaging"
)

func TestLumaEqualsScikitImage(t *testing.T) {
	data, err := os.ReadFile("testdata/luma.json")
	if err != nil {
		t.Fatal(err)
	}
	var goldens []struct {
		Size       [2]int
		Strength   float32
		Border     int
		PSNR, SSIM float64
	}
	if err := json.Unmarshal(data, &goldens); err != nil {
		t.Fatal(err)
	}
	if len(goldens) != 3 {
		t.Fatalf("%d goldens, want 3", len(goldens))
	}
	for _, g := range goldens {
		a, b := ramp(g.Size[0], g.Size[1]), noisy(g.Size[0], g.Size[1], g.Strength)
		psnr, err1 := PSNRY(a, b, g.Border)
		ssim, err2 := SSIMY(a, b, g.Border)
		if err1 != nil || !(math.Abs(psnr-g.PSNR) < 1e-7) {
			t.Errorf("%v: PSNR of Y is %v, want %v (%v)", g.Size, psnr, g.PSNR, err1)
		}
		if err2 != nil || !(math.Abs(ssim-g.SSIM) < 1e-7) {
			t.Errorf("%v: SSIM of Y is %v, want %v (%v)", g.Size, ssim, g.SSIM, err2)
		}
	}
}

// grey is a picture of one level of 0..255.
func grey(width, height int, level float32) imaging.Picture {
	p := imaging.New(width, height)
	for i := range p.Pix {
		p.Pix[i] = level/127.5 - 1
	}
	return p
}

func TestLumaClosedForms(t *testing.T) {
	// Black is 16 and white 235, and less than half a level is rounded away.
	want := 20 * math.Log10(255/219.)
	if v, err := PSNRY(grey(9, 9, 0.4), grey(9, 9, 254.6), 1); err != nil || !(math.Abs(v-want) < 1e-9) {
		t.Errorf("PSNR of black and white is %v, want %v (%v)", v, want, err)
	}
	a := ramp(30, 20)
	if v, err := PSNRY(a, a, 4); err != nil || !math.IsInf(v, 1) {
		t.Errorf("PSNR of equal pictures is %v (%v), want +Inf", v, err)
	}
	if v, err := SSIMY(a, a, 4); err != nil || !(math.Abs(v-1) < 1e-9) {
		t.Errorf("SSIM of equal pictures is %v (%v), want 1", v, err)
	}
	// What differs within the border alone does not count, and one pixel further it does.
	for x, counts := range map[int]bool{3: false, 4: true, 25: true, 26: false} {
		b := imaging.Picture{Width: 30, Height: 20, Pix: slices.Clone(a.Pix)}
		b.Pix[3*(10*30+x)] = -a.Pix[3*(10*30+x)]
		if v, err := PSNRY(a, b, 4); err != nil || math.IsInf(v, 1) == counts {
			t.Errorf("a change in column %d: PSNR %v (%v)", x, v, err)
		}
	}
}

func TestLumaRefuses(t *testing.T) {
	for _, test := range []struct {
		measure func(a, b imaging.Picture, border int) (float64, error)
		a, b    imaging.Picture
		border  int
		want    string
	}{
		{PSNRY, ramp(11, 11), ramp(11, 12), 0, "cannot be compared"},
		{PSNRY, ramp(8, 30), ramp(8, 30), 4, "8x30 cannot be compared without a border of 4"},
		{PSNRY, ramp(30, 8), ramp(30, 8), 4, "30x8 cannot be compared without a border of 4"},
		{PSNRY, ramp(9, 9), ramp(9, 9), -1, "a border of -1"},
		{SSIMY, ramp(18, 30), ramp(18, 30), 4, "10x22 are too small for SSIM"},
		{SSIMY, ramp(11, 11), ramp(12, 11), 0, "cannot be compared"},
	} {
		if v, err := test.measure(test.a, test.b, test.border); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("measured %v, error %v, want %q", v, err, test.want)
		}
	}
	b := ramp(30, 30)
	b.Pix[1000] = float32(math.NaN())
	for name, measure := range map[string]func(a, b imaging.Picture, border int) (float64, error){"PSNR": PSNRY, "SSIM": SSIMY} {
		if v, err := measure(b, ramp(30, 30), 2); err != nil || !math.IsNaN(v) {
			t.Errorf("%s with a NaN is %v (%v), want NaN", name, v, err)
		}
	}
}
