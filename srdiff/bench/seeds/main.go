// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// Command seeds draws a sheet of what a model that refines makes of pictures: for each picture a row
// with the low-resolution input, bicubic enlargement, the predictor's mean, a sample for each seed, and
// the original. Look at eyes, mouths and brows. It prints the PSNR (of Y, without a border of the factor) of
// the predictor, of a sample, and of the mean of all samples, each as the mean over the pictures: samples that
// are right in the mean have a mean near the predictor's.
//
//	go run ./srdiff/bench/seeds -out sheet.png -seeds 10 face1.jpg face2.jpg
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"image"
	"os"

	"github.com/srdiff/srlab/srdiff"
	"github.com/srdiff/srlab/srdiff/engine"
	"github.com/srdiff/srlab/srdiff/imaging"
	"github.com/srdiff/srlab/srdiff/metrics"
)

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "seeds:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("seeds", flag.ContinueOnError)
	path := f.String("model", "notebooks/models/refiner-x4.safetensors", "a model that refines")
	out := f.String("out", "", "the sheet, whose name ends in .png or .jpg")
	seeds := f.Int("seeds", 10, "how many samples there are of each picture, with the seeds 1, 2, ...")
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() == 0 || imaging.FormatOf(*out) == "" || *seeds < 1 {
		return errors.New("want -out with a name that ends in .png or .jpg, pictures, and 1 seed or more: see -help")
	}
	eng, err := engine.Open("auto")
	if err != nil {
		return err
	}
	m, err := srdiff.Load(eng.Backend, *path)
	if err != nil {
		return err
	}
	columns := *seeds + 4
	captions := []string{"input", "bicubic", "predictor"}
	for seed := range *seeds {
		captions = append(captions, fmt.Sprintf("seed %d", seed+1))
	}
	captions = append(captions, "original")
	var pictures []image.Image
	var sum decibels
	for _, name := range f.Args() {
		row, of, err := rowOf(ctx, m, name, *seeds)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		pictures = append(pictures, row...)
		sum.predictor, sum.sample, sum.mean = sum.predictor+of.predictor, sum.sample+of.sample, sum.mean+of.mean
	}
	n := float64(f.NArg())
	fmt.Printf("predictor %.2f dB, a sample %.2f dB, the mean of %d samples %.2f dB\n", sum.predictor/n, sum.sample/n, *seeds, sum.mean/n)
	sheet := imaging.Grid(columns, captions, pictures...)
	file := imaging.Output{Format: imaging.FormatOf(*out), Width: sheet.Rect.Dx(), Height: sheet.Rect.Dy(), Like: sheet, Quality: 92}
	return file.Write(*out, func(yield func(imaging.Picture, error) bool) { yield(imaging.FromImage(sheet), nil) })
}

// decibels are PSNRs of Y.
type decibels struct{ predictor, sample, mean float64 }

// rowOf makes the pictures of a row.
func rowOf(ctx context.Context, m *srdiff.Model, name string, seeds int) (row []image.Image, of decibels, err error) {
	img, err := imaging.Open(name)
	if err != nil {
		return nil, of, err
	}
	factor := m.Config.Factor
	original := imaging.FromImage(img)
	if original.Width%factor != 0 || original.Height%factor != 0 {
		return nil, of, fmt.Errorf("%dx%d pixels: want multiples of %d", original.Width, original.Height, factor)
	}
	low := imaging.FromImage(imaging.Imresize(original, 1/float64(factor)).Image()) // in 8 bits, as a file has it
	row = []image.Image{low.Image(), imaging.Imresize(low, float64(factor)).Image()}
	mean := imaging.New(original.Width, original.Height)
	for seed := range seeds + 1 {
		o := srdiff.SampleOptions{Seed: int64(seed)}
		if seed == 0 {
			o.Fidelity = 1
		}
		result, err := m.Sample(ctx, o, low)
		if err != nil {
			return nil, of, err
		}
		psnr, err := metrics.PSNRY(result[0], original, factor)
		if err != nil {
			return nil, of, err
		}
		if row = append(row, result[0].Image()); seed == 0 {
			of.predictor = psnr
			continue
		}
		of.sample += psnr / float64(seeds)
		for i, v := range result[0].Pix {
			mean.Pix[i] += v / float32(seeds)
		}
	}
	of.mean, err = metrics.PSNRY(mean, original, factor)
	return append(row, original.Image()), of, err
}
