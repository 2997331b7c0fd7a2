// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"strings"
	"testing"

	"github.com/srdiff/srlab/srdiff/degrade"
	"github.com/srdiff/srlab/srdiff/engine"
	"github.com/srdiff/srlab/srdiff/imaging"
)

// Every way enlarges, and what is measured of it stands in the table.
func TestWays(t *testing.T) {
	t.Chdir("../../..")
	eng, err := engine.Open("go")
	if err != nil {
		t.Fatal(err)
	}
	ways, err := enlargers(eng.Backend)
	if err != nil {
		t.Fatal(err)
	}
	original := imaging.New(16, 16)
	for i := range original.Pix {
		original.Pix[i] = float32(i*7%97)/48 - 1
	}
	low := degrade.Config{}.Picture(original, 4)
	for _, w := range ways {
		if strings.Contains(w.name, "50") {
			continue // it takes half a minute on this engine
		}
		made, err := w.enlarge(context.Background(), low)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := w.measure(made, original, low); err != nil {
				t.Fatal(err)
			}
		}
	}
	text := table(ways)
	for _, want := range []string{"| bicubic | ", " | +0.00 ± 0.00 | ", "| " + regressed + " | ", "| " + backProjected + " | "} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func TestVerdict(t *testing.T) {
	ways := func(psnr, consistency, sharpness float64) []*enlarger {
		return []*enlarger{
			{name: "bicubic", psnr: []float64{20, 30}, consistency: []float64{1e-5, 1e-5}, sharpness: []float64{1, 1}},
			{name: regressed, psnr: []float64{20 + psnr, 30 + psnr}},
			{name: backProjected, consistency: []float64{consistency, consistency}, sharpness: []float64{sharpness, sharpness}},
		}
	}
	if err := verdict(ways(.6, 9e-6, 1.1)); err != nil {
		t.Error(err)
	}
	for want, list := range map[string][]*enlarger{
		"0.40 dB ahead of bicubic": ways(.4, 9e-6, 1.1),
		"less consistent":          ways(.6, 2e-5, 1.1),
		"not sharper":              ways(.6, 9e-6, .9),
	} {
		if err := verdict(list); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: want %q", err, want)
		}
	}
}

func TestOpen(t *testing.T) {
	folder := t.TempDir()
	if _, err := open(folder, "cat"); err == nil || !strings.Contains(err.Error(), "make photos") {
		t.Errorf("missing: %v", err)
	}
	for name, width := range map[string]int{"cat": side - 1, "dog": side + 2} {
		if err := imaging.WritePNG(folder+"/"+name+".png", imaging.New(width, side).Image()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := open(folder, "cat"); err == nil || !strings.Contains(err.Error(), "want at least 256") {
		t.Errorf("small: %v", err)
	}
	if p, err := open(folder, "dog"); err != nil || p.Width != side || p.Height != side {
		t.Errorf("%dx%d, %v", p.Width, p.Height, err)
	}
}
