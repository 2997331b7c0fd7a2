// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"github.com/srdiff/srlab/srdiff"
	"github.com/srdiff/srlab/srdiff/dataset"
	"github.com/srdiff/srlab/srdiff/imaging"
	"github.com/srdiff/srlab/srdiff/metrics"
)

// evaluation is what "srdiff eval --json" prints.
type evaluation struct {
	Model    metrics.Scores `json:"model"` // means over the pictures, as the next two
	Bilinear metrics.Scores `json:"bilinear"`
	Bicubic  metrics.Scores `json:"bicubic"`
	Data     string         `json:"data"`
	Count    int            `json:"count"`
	SSIM     string         `json:"ssim_variant"`
}

// ssimVariant names the definition, since others give other numbers.
const ssimVariant = "Wang et al. 2004: Gaussian window, sigma 1.5, 11x11, population covariance, mean over RGB"

// evalBatch is how many pictures are sampled together.
const evalBatch = 16

func evalCommand() *cobra.Command {
	var model, data, engineName string
	var sampling srdiff.SampleOptions
	var asJSON bool
	count := 16
	cmd := &cobra.Command{
		Use:   "eval --model FILE --data SPEC",
		Short: "Measure a model beside bilinear and bicubic enlargement",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			m, err := load(engineName, model)
			if err != nil {
				return err
			}
			src, err := dataset.Open(cmd.Context(), data,
				dataset.Options{Size: m.Config.ImageSize, Seed: uint64(sampling.Seed), HeldOut: true})
			if err != nil {
				return err
			}
			result := evaluation{Data: src.Name(), Count: count, SSIM: ssimVariant}
			line := newProgressLine(cmd.ErrOrStderr())
			started := time.Now()
			for done := 0; done < count; {
				n := min(evalBatch, count-done)
				originals, err := pictures(src, done, n)
				if err != nil {
					return err
				}
				low := shrink(m.Config, originals)
				batch := sampling
				batch.Seed += int64(done)
				batch.Each = func(s srdiff.SampleStep) {
					line.show(false, "picture %d to %d of %d: %d of %d steps, %s", done+1, done+n, count, s.Done, s.Steps,
						left(time.Since(started), done*s.Steps+n*s.Done, (count-done)*s.Steps-n*s.Done))
				}
				generated, err := m.Sample(cmd.Context(), batch, low...)
				if err != nil {
					line.end()
					return err
				}
				for i, original := range originals {
					size := original.Width
					if err := result.add(m.Config, original, low[i], generated[i], imaging.Bilinear(low[i], size, size),
						imaging.Bicubic(low[i], size, size)); err != nil {
						return err
					}
				}
				done += n
			}
			line.end()
			if asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(result)
			}
			return result.print(cmd.OutOrStdout())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&model, "model", "", "model file, from srdiff train or PyTorch")
	flags.StringVar(&data, "data", "", "pictures to measure on: cifar10, cifar10:PATH, images:DIR or generated")
	intFlag(flags, &count, "count", "number of pictures")
	flags.BoolVar(&asJSON, "json", false, "print JSON")
	seedFlag(flags, &sampling.Seed)
	samplingFlags(flags, &sampling)
	predictionFlag(flags, &sampling)
	engineFlag(flags, &engineName)
	required(cmd, "model", "data")
	return cmd
}

// pictures returns n pictures of the source from the first on.
func pictures(src dataset.Source, first, n int) ([]imaging.Picture, error) {
	list := make([]imaging.Picture, n)
	for i := range list {
		list[i] = imaging.New(src.Size(), src.Size())
		if err := src.Picture(uint64(first+i), list[i].Pix); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// add counts one picture in.
func (e *evaluation) add(config srdiff.Config, original, low, generated, bilinear, bicubic imaging.Picture) error {
	shrink := func(p imaging.Picture) imaging.Picture { return srdiff.DegradePicture(config, p) }
	for _, c := range []struct {
		of      *metrics.Scores
		picture imaging.Picture
	}{{&e.Model, generated}, {&e.Bilinear, bilinear}, {&e.Bicubic, bicubic}} {
		s, err := metrics.Score(c.picture, original, low, shrink)
		if err != nil {
			return err
		}
		c.of.Add(1/float64(e.Count), s)
	}
	return nil
}

func (e *evaluation) print(out io.Writer) error {
	fmt.Fprintf(out, "%d pictures of %s\n", e.Count, e.Data)
	fmt.Fprintf(out, "%-10s %10s %10s %14s\n", "", "PSNR, dB", "SSIM", "consistency")
	for _, row := range []struct {
		name string
		s    metrics.Scores
	}{{"model", e.Model}, {"bilinear", e.Bilinear}, {"bicubic", e.Bicubic}} {
		fmt.Fprintf(out, "%-10s %10.3f %10.4f %14.3g\n", row.name, row.s.PSNR, row.s.SSIM, row.s.Consistency)
	}
	_, err := fmt.Fprintln(out, "SSIM:", e.SSIM)
	return err
}
