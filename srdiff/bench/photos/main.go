// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// Command photos measures srdiff's own models on the photographs of scikit-image. The models were
// trained on generated pictures only. The repository does not hold the photographs.
//
//	make photos
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"image"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"github.com/gomlx/compute"
	"github.com/srdiff/srlab/srdiff"
	"github.com/srdiff/srlab/srdiff/bench/section"
	"github.com/srdiff/srlab/srdiff/degrade"
	"github.com/srdiff/srlab/srdiff/diffusion"
	"github.com/srdiff/srlab/srdiff/engine"
	"github.com/srdiff/srlab/srdiff/imaging"
	"github.com/srdiff/srlab/srdiff/metrics"
)

const (
	file  = "docs/evaluation.md"
	name  = "photos"
	sheet = "docs/images/photos.png"

	side          = 256 // of the centre crops: the limit of networks with attention
	sheetSide     = 128 // of that, on the sheet
	minLead       = 0.5 // dB of regression before bicubic
	regressed     = "regression"
	backProjected = "small, 4 steps, back-projected"
)

// photographs lists the photographs of scikit-image that are large enough; each is a .png or .jpg
// file.
var photographs = []string{"astronaut", "brick", "camera", "chelsea", "coffee", "coins", "grass", "gravel", "hubble_deep_field",
	"moon", "motorcycle_left", "retina", "rocket"}

// sheetPhotographs lists the photographs on the sheet.
var sheetPhotographs = []string{"astronaut", "camera", "chelsea", "coffee", "coins", "motorcycle_left"}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop)
	folder := flag.String("folder", ".lab/photos", "where the photographs are")
	engineName := flag.String("engine", "auto", "engine for the computation: "+engine.Names)
	flag.Parse()
	if err := run(ctx, *folder, *engineName); err != nil {
		fmt.Fprintln(os.Stderr, "photos:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, folder, engineName string) error {
	if err := section.Check(file, name); err != nil {
		return err
	}
	eng, err := engine.Open(engineName)
	if err != nil {
		return err
	}
	ways, err := enlargers(eng.Backend)
	if err != nil {
		return err
	}
	var sheets []image.Image
	for _, photograph := range photographs {
		fmt.Fprintln(os.Stderr, photograph)
		original, err := open(folder, photograph)
		if err != nil {
			return err
		}
		low := degrade.Config{}.Picture(original, 4)
		row := []image.Image{original.CentreCrop(sheetSide).Image(), low.CentreCrop(sheetSide / 4).Image()}
		for _, w := range ways {
			made, err := w.enlarge(ctx, low)
			if err != nil {
				return err
			}
			if err := w.measure(made, original, low); err != nil {
				return err
			}
			row = append(row, made.CentreCrop(sheetSide).Image())
		}
		for _, s := range sheetPhotographs {
			if s == photograph {
				sheets = append(sheets, row...)
			}
		}
	}
	captions := []string{"original", "input"}
	for _, w := range ways {
		captions = append(captions, w.name)
	}
	if err := imaging.WritePNG(sheet, imaging.Grid(len(captions), captions, sheets...)); err != nil {
		return err
	}
	text := fmt.Sprintf("Measured on %s by `make photos` on %s: the middle %dx%d of %d photographs (%s).\n\n", time.Now().Format(time.DateOnly),
		eng.Name, side, side, len(photographs), strings.Join(photographs, ", ")) + table(ways)
	fmt.Print(text)
	if err := section.Write(file, name, text); err != nil {
		return err
	}
	return verdict(ways)
}

// open returns the centre crop of a photograph.
func open(folder, name string) (imaging.Picture, error) {
	for _, suffix := range []string{".png", ".jpg"} {
		img, err := imaging.Open(filepath.Join(folder, name+suffix))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return imaging.Picture{}, err
		}
		if size := img.Bounds().Size(); min(size.X, size.Y) < side {
			return imaging.Picture{}, fmt.Errorf("%s is %dx%d: want at least %d a side", name, size.X, size.Y, side)
		}
		return imaging.FromImage(img).CentreCrop(side), nil
	}
	return imaging.Picture{}, fmt.Errorf("no photograph %s in %s: make photos fetches them", name, folder)
}

// enlarger is an enlargement method with its measurements, one value for each photograph.
type enlarger struct {
	name                               string
	enlarge                            func(context.Context, imaging.Picture) (imaging.Picture, error)
	psnr, ssim, consistency, sharpness []float64
	originals                          []float64 // sharpness
}

func enlargers(backend compute.Backend) (ways []*enlarger, err error) {
	for _, f := range []struct {
		name   string
		resize func(p imaging.Picture, width, height int) imaging.Picture
	}{{"bilinear", imaging.Bilinear}, {"bicubic", imaging.Bicubic}} {
		ways = append(ways, &enlarger{name: f.name, enlarge: func(_ context.Context, p imaging.Picture) (imaging.Picture, error) {
			return f.resize(p, p.Width*4, p.Height*4), nil
		}})
	}
	for _, m := range []struct {
		name, file string
		options    srdiff.SampleOptions
	}{
		{regressed, "regression", srdiff.SampleOptions{}},
		{"small, 50 steps", "small", srdiff.SampleOptions{Sampler: diffusion.DDIM, Steps: 50}},
		{"small, 4 steps", "small-4step", srdiff.SampleOptions{}},
		{backProjected, "small-4step", srdiff.SampleOptions{BackProject: 1}},
	} {
		model, err := srdiff.Load(backend, filepath.Join("notebooks/models", m.file+".safetensors"))
		if err != nil {
			return nil, err
		}
		ways = append(ways, &enlarger{name: m.name, enlarge: func(ctx context.Context, p imaging.Picture) (imaging.Picture, error) {
			made, err := model.Sample(ctx, m.options, p)
			if err != nil {
				return imaging.Picture{}, err
			}
			return made[0], nil
		}})
	}
	return ways, nil
}

// measure measures one result.
func (w *enlarger) measure(made, original, low imaging.Picture) error {
	s, err := metrics.Score(made, original, low, nil)
	if err != nil {
		return err
	}
	sharp, err := metrics.Sharpness(made)
	if err != nil {
		return err
	}
	reference, err := metrics.Sharpness(original)
	if err != nil {
		return err
	}
	w.psnr, w.ssim = append(w.psnr, min(s.PSNR, metrics.MaxPSNR)), append(w.ssim, s.SSIM)
	w.consistency, w.sharpness = append(w.consistency, s.Consistency), append(w.sharpness, sharp)
	w.originals = append(w.originals, reference)
	return nil
}

func find(ways []*enlarger, name string) *enlarger {
	for _, w := range ways {
		if w.name == name {
			return w
		}
	}
	return nil
}

// lead returns the mean PSNR lead of one enlarger over another in dB, and half its confidence
// interval.
func lead(w, other *enlarger) (mean, half float64) {
	differences := make([]float64, len(w.psnr))
	for i := range differences {
		differences[i] = w.psnr[i] - other.psnr[i]
	}
	return metrics.Interval(differences)
}

func table(ways []*enlarger) string {
	var b strings.Builder
	b.WriteString("| | PSNR, dB | before bicubic, dB | SSIM | consistency | sharpness |\n|---|---|---|---|---|---|\n")
	bicubic := find(ways, "bicubic")
	for _, w := range ways {
		psnr, _ := metrics.Interval(w.psnr)
		difference, half := lead(w, bicubic)
		ssim, _ := metrics.Interval(w.ssim)
		consistency, _ := metrics.Interval(w.consistency)
		sharpness, _ := metrics.Ratio(w.sharpness, w.originals)
		fmt.Fprintf(&b, "| %s | %.2f | %+.2f ± %.2f | %.3f | %.1e | %.2f |\n", w.name, psnr, difference, half, ssim, consistency, sharpness)
	}
	return b.String()
}

// verdict returns an error for every expectation that the models miss.
func verdict(ways []*enlarger) error {
	bicubic, regression, small := find(ways, "bicubic"), find(ways, regressed), find(ways, backProjected)
	var failed []error
	if d, _ := lead(regression, bicubic); !(d >= minLead) {
		failed = append(failed, fmt.Errorf("regression is %.2f dB ahead of bicubic: want %g", d, minLead))
	}
	mean := func(values []float64) float64 { m, _ := metrics.Interval(values); return m }
	if !(mean(small.sharpness) > mean(bicubic.sharpness)) {
		failed = append(failed, fmt.Errorf("%s is not sharper than bicubic", small.name))
	}
	if !(mean(small.consistency) <= mean(bicubic.consistency)) {
		failed = append(failed, fmt.Errorf("%s is less consistent with its input than bicubic", small.name))
	}
	return errors.Join(failed...)
}
