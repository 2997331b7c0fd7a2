// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"image"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/srdiff/srlab/srdiff"
	"github.com/srdiff/srlab/srdiff/dataset"
	"github.com/srdiff/srlab/srdiff/degrade"
	"github.com/srdiff/srlab/srdiff/engine"
	"github.com/srdiff/srlab/srdiff/imaging"
	"github.com/srdiff/srlab/srdiff/metrics"
)

// tinyOf writes a model of few channels and timesteps for pictures of 16 pixels, and returns its
// path.
func tinyOf(t *testing.T, name string, c srdiff.Config) string {
	t.Helper()
	eng, err := engine.Open("go")
	if err != nil {
		t.Fatal(err)
	}
	c.Network.BaseChannels, c.Training.ImageSize, c.Diffusion.Timesteps = 4, 16, max(3, c.Diffusion.Timesteps)
	m, err := srdiff.NewModel(eng.Backend, c)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name+".safetensors")
	if err := m.Save(path); err != nil {
		t.Fatal(err)
	}
	return path
}

// evaluated runs eval --json.
func evaluated(t *testing.T, args ...string) (e evaluation, keys map[string]map[string]any) {
	t.Helper()
	status, out, errs := command(append([]string{"eval", "--data", "generated", "--json"}, args...)...)
	if status != 0 {
		t.Fatal(errs)
	}
	if err := json.Unmarshal([]byte(out), &e); err != nil {
		t.Fatal(err)
	}
	if made := e.MadeBy; len(made.Models) == 0 || len(made.Models[0]) != 64 || made.Version == "" || made.Go != runtime.Version() {
		t.Errorf("made by %+v", made)
	}
	keys = map[string]map[string]any{}
	var all map[string]any
	if err := json.Unmarshal([]byte(out), &all); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"model", "bilinear", "bicubic", "originals"} {
		keys[name] = all[name].(map[string]any)
	}
	return e, keys
}

// The means and intervals are those of the measures, picture by picture.
func TestEvalMeans(t *testing.T) {
	e, keys := evaluated(t, "--model", tinyOf(t, "m", srdiff.Config{}), "--count", "5", "--seed", "3")
	src, err := dataset.Open(context.Background(), "generated", dataset.Options{Size: 16, Seed: 3, HeldOut: true})
	if err != nil {
		t.Fatal(err)
	}
	originals, err := pictures(src, 0, 5)
	if err != nil {
		t.Fatal(err)
	}
	var psnr, sharpness, references []float64
	for _, p := range originals {
		bicubic := imaging.Bicubic(imaging.Bilinear(p, 4, 4), 16, 16)
		v, err1 := metrics.PSNR(bicubic, p)
		s, err2 := metrics.Sharpness(bicubic)
		r, err3 := metrics.Sharpness(p)
		if err1 != nil || err2 != nil || err3 != nil {
			t.Fatal(err1, err2, err3)
		}
		psnr, sharpness, references = append(psnr, v), append(sharpness, s), append(references, r)
	}
	check := func(name string, got, ci number, mean, half float64) {
		if math.Abs(float64(got)-mean) > 1e-12 || math.Abs(float64(ci)-half) > 1e-12 {
			t.Errorf("%s is %v ± %v, want %v ± %v", name, got, ci, mean, half)
		}
	}
	mean, half := metrics.Interval(psnr)
	check("PSNR", e.Bicubic.PSNR, e.Bicubic.CI95.PSNR, mean, half)
	mean, half = metrics.Ratio(sharpness, references)
	check("sharpness", e.Bicubic.Sharper, e.Bicubic.CI95.Sharper, mean, half)
	mean, half = metrics.Interval(references)
	check("originals' sharpness", e.Originals.Sharpness, e.Originals.CI95.Sharpness, mean, half)
	check("originals' ratio", e.Originals.Sharper, e.Originals.CI95.Sharper, 1, 0)

	// What was not measured is null.
	for of, names := range map[string][]string{
		"model": {"diversity", "sfd"}, "bicubic": {"diversity", "sfd", "seconds_per_picture"},
	} {
		for _, name := range names {
			if v, there := keys[of][name]; !there || v != nil {
				t.Errorf("%s of %s is %v, want null", name, of, v)
			}
		}
	}
	if s, there := keys["model"]["seconds_per_picture"].(float64); !there || !(s > 0) {
		t.Errorf("the model took %v seconds a picture", s)
	}
}

// Several models in one table, and several samples of each picture.
func TestEvalComparesModels(t *testing.T) {
	a, b := tinyOf(t, "m", srdiff.Config{Training: srdiff.TrainingConfig{Seed: 1}}), tinyOf(t, "m", srdiff.Config{Training: srdiff.TrainingConfig{Seed: 2}})
	sheet := filepath.Join(t.TempDir(), "sheet.png")
	e, _ := evaluated(t, "--model", a, "--model", b, "--count", "9", "--seeds", "2", "--sheet", sheet)
	alone, _ := evaluated(t, "--model", b, "--count", "9")
	if len(e.Others) != 1 || e.Model.Name != a || e.Others[0].Name != b || alone.Model.Name != "m" {
		t.Fatalf("models are %q and %+v, alone %q", e.Model.Name, e.Others, alone.Model.Name)
	}
	if e.Model.PSNR == e.Others[0].PSNR || e.Others[0].PSNR != alone.Model.PSNR {
		t.Errorf("PSNR %v and %v, alone %v: want the same as alone", e.Model.PSNR, e.Others[0].PSNR, alone.Model.PSNR)
	}
	// Untrained networks make noise, of which two samples have little in common.
	if d := e.Others[0].Diversity; !(d > 0.05) || !(e.Others[0].CI95.Diversity < d/2) || alone.Model.Diversity != 0 {
		t.Errorf("diversity %v ± %v, and %v of one seed", d, e.Others[0].CI95.Diversity, alone.Model.Diversity)
	}
	img, err := imaging.Open(sheet)
	if err != nil {
		t.Fatal(err)
	}
	cells := make([]image.Image, 8*6)
	for i := range cells {
		cells[i] = imaging.New(16, 16).Image()
	}
	want := imaging.Grid(6, []string{"input", "bilinear", "bicubic", a, b, "original"}, cells...).Bounds()
	if got := img.Bounds(); got != want {
		t.Errorf("the sheet is %v, want %v: 8 pictures in 6 columns", got, want)
	}
}

func TestEvalTable(t *testing.T) {
	long := tinyOf(t, "a-name-longer-than-its-column", srdiff.Config{})
	status, out, errs := command("eval", "--data", "generated", "--model", long, "--count", "2", "--seeds", "2")
	if status != 0 {
		t.Fatal(errs)
	}
	for line := range strings.Lines(out) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 120 {
			t.Errorf("a line of %d columns: %s", n, line)
		}
	}
	for _, want := range []string{
		"s/picture\n", "\n…", "\nbilinear ", "\nbicubic ", " ± ", "diversity: standard deviation over 2 seeds",
		"SFD: not measured; it wants at least 64",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the table lacks %q:\n%s", want, out)
		}
	}
}

func TestEvalSFD(t *testing.T) {
	args := []string{"--model", tinyOf(t, "m", srdiff.Config{}), "--count", "64"}
	e, _ := evaluated(t, args...)
	if e.Originals.SFD > 1e-9 || !(e.Bicubic.SFD > 0.1) || !(e.Model.SFD > e.Bicubic.SFD) || !(e.Model.CI95.SFD > 0) {
		t.Errorf("SFD of originals %v, bicubic %v ± %v, noise %v ± %v", e.Originals.SFD, e.Bicubic.SFD, e.Bicubic.CI95.SFD,
			e.Model.SFD, e.Model.CI95.SFD)
	}
	if again, _ := evaluated(t, args...); again.Model.SFD != e.Model.SFD || again.Model.CI95 != e.Model.CI95 {
		t.Errorf("the same seed gave %+v and %+v", e.Model, again.Model)
	}
}

// A flat picture, which interpolation enlarges exactly, counts for 60 dB, and not for more than all
// others together.
func TestEvalFlatPictures(t *testing.T) {
	flat := image.NewGray(image.Rect(0, 0, 32, 32))
	folder := filepath.Dir(write(t, "flat.png", pngOf(flat)))
	status, out, errs := command("eval", "--model", tinyOf(t, "m", srdiff.Config{}), "--data", "images:"+folder, "--count", "2", "--json")
	if status != 0 {
		t.Fatal(errs)
	}
	var e evaluation
	if err := json.Unmarshal([]byte(out), &e); err != nil {
		t.Fatal(err)
	}
	if e.Bicubic.PSNR != 60 || e.Bicubic.CI95.PSNR != 0 || e.Bicubic.SSIM < 0.999 || !(e.Model.PSNR < 30) {
		t.Errorf("bicubic %v ± %v dB with an SSIM of %v, model %v dB", e.Bicubic.PSNR, e.Bicubic.CI95.PSNR, e.Bicubic.SSIM, e.Model.PSNR)
	}
}

func TestEvalGuidanceInterval(t *testing.T) {
	model := tinyOf(t, "m", srdiff.Config{Training: srdiff.TrainingConfig{DropCondition: 0.5}})
	e, _ := evaluated(t, "--model", model, "--count", "2", "--guidance", "1", "--guidance-to", "2")
	plain, _ := evaluated(t, "--model", model, "--count", "2")
	if e.Model.PSNR == plain.Model.PSNR {
		t.Errorf("PSNR is %v with guidance and without", e.Model.PSNR)
	}
}

func TestEvalMistakes(t *testing.T) {
	a, b := tinyOf(t, "a", srdiff.Config{}), tinyOf(t, "b", srdiff.Config{Degradation: degrade.Config{Kernel: degrade.Area}})
	folder := t.TempDir()
	for _, test := range []struct {
		want string
		args []string
	}{
		{"want a name that ends in .png", []string{"--model", a, "--sheet", "sheet.jpg"}},
		{"measure them one at a time", []string{"--model", a, "--model", b}},
		{"no such file", []string{"--model", a, "--model", "none.safetensors"}},
		{"sheet.png: folder", []string{"--model", a, "--sheet", filepath.Join(folder, "none", "sheet.png")}},
		{b + ": the model predicts eps, not v", []string{"--model", b, "--prediction", "v"}},
		{"greater than 0", []string{"--model", a, "--seeds", "0"}},
	} {
		status, out, errs := command(append([]string{"eval", "--data", "generated"}, test.args...)...)
		if status != 1 || out != "" || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, test.want) {
			t.Errorf("%q: status %d, printed %q and %q, want one line with %q", test.args, status, out, errs, test.want)
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	stop()
	status, out, _ := commandIn(ctx, "eval", "--data", "generated", "--model", a, "--sheet", filepath.Join(folder, "sheet.png"))
	if status != interrupted || out != "" {
		t.Errorf("interrupted: status %d, printed %q", status, out)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// The pictures have the noise of the noise level that the network gets.
func TestEvalInputNoise(t *testing.T) {
	model := tinyOf(t, "m", srdiff.Config{Degradation: degrade.Config{Noise: 0.5}})
	clean, _ := evaluated(t, "--model", model, "--count", "4")
	noisy, _ := evaluated(t, "--model", model, "--count", "4", "--input-noise", "0.5")
	again, _ := evaluated(t, "--model", model, "--count", "4", "--input-noise", "0.5")
	if !(noisy.Bilinear.PSNR < clean.Bilinear.PSNR-3) || noisy.Bilinear.PSNR != again.Bilinear.PSNR {
		t.Errorf("bilinear enlargement has a PSNR of %v, with noise %v and %v: want it to fall, to the same value each time",
			clean.Bilinear.PSNR, noisy.Bilinear.PSNR, again.Bilinear.PSNR)
	}
}
