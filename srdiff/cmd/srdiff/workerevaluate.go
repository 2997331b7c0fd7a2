// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"math"
	"time"

	"github.com/srdiff/srlab/srdiff/benchset"
	"github.com/srdiff/srlab/srdiff/imaging"
	"github.com/srdiff/srlab/srdiff/internal/worker"
)

// evaluate enlarges a picture and compares the result with the original, as "srdiff eval --set" does.
// The sizes of the two say how many times the model is to enlarge.
func (w *workerProgram) evaluate(ctx context.Context, r *request) (worker.Writing, error) {
	original, err := w.readAhead(ctx, r.Original)
	if err == nil {
		err = original.decode()
	}
	if err != nil {
		return worker.Writing{}, err
	}
	high, low := imaging.Visible(original.file.Image), imaging.Visible(r.input.file.Image)
	e, err := w.enlarger(r, max(1, math.Round(float64(high.Width)/float64(low.Width))))
	if err != nil {
		return worker.Writing{}, err
	}
	pair, err := benchset.NewPair(e.m.Config.Factor, r.Original, high, r.Input, low)
	if err != nil {
		return worker.Writing{}, worker.Fail(worker.BadPair, err)
	}
	r.made.Width, r.made.Height = pair.Original.Width, pair.Original.Height
	return alone(func(ctx context.Context) error {
		began := time.Now()
		out, err := e.m.Upscale(ctx, e.sampling, low.Image())
		if err != nil {
			return modelError(err)
		}
		score, err := pair.Compare(imaging.FromImage(out), e.m.Config.Factor)
		r.made.New, r.made.Seconds = true, time.Since(began).Seconds()
		r.made.Scores = &worker.Scores{PSNR: score.PSNR, SSIM: score.SSIM, LRPSNR: score.LRPSNR}
		return worker.Fail(worker.BadPair, err)
	}), nil
}
