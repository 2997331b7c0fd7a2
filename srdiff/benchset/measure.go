// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package benchset

import (
	"context"
	"fmt"
	"image"
	"time"

	"github.com/srdiff/srlab/srdiff/imaging"
	"github.com/srdiff/srlab/srdiff/metrics"
)

// Enlarger is a way to enlarge pictures by a set's factor.
type Enlarger struct {
	Name    string
	Enlarge func(ctx context.Context, low imaging.Picture) (imaging.Picture, error)
}

// Bicubic is enlargement by MATLAB's imresize, which papers compare with.
func Bicubic(factor int) Enlarger {
	return Enlarger{"bicubic", func(_ context.Context, low imaging.Picture) (imaging.Picture, error) {
		return imaging.Imresize(low, float64(factor)), nil
	}}
}

// Score is what is measured of a result, or the mean over several. Results are rounded to 8 bits,
// as they are in a file.
type Score struct {
	PSNR    float64  `json:"psnr"`                  // dB, at most metrics.MaxPSNR
	SSIM    float64  `json:"ssim"`                  // at most 1
	LRPSNR  float64  `json:"lr_psnr"`               // dB, at most metrics.MaxPSNR
	NIQE    *float64 `json:"niqe"`                  // nil where the picture is too small or flat
	Seconds float64  `json:"seconds_per_megapixel"` // of the result
}

// Result is a picture that an enlarger made, in 8 bits, with what was measured of it.
type Result struct {
	Enlarger string
	Picture  imaging.Picture
	Score    Score
}

// Measure enlarges every picture of the set with every enlarger and measures the results:
//
//	PSNR, SSIM   metrics.PSNRY and SSIMY, with factor pixels of border cropped
//	LR-PSNR      metrics.PSNR over red, green and blue, of the result made small by
//	             imaging.Imresize, against the input, as in SRDiff (Li et al. 2022)
//	NIQE         metrics.NIQE, with factor pixels of border cropped
//	seconds      of enlarging; each enlarger first runs once on the first picture, uncounted
//
// After each picture it calls each, which may be nil, with the results in the order of the
// enlargers. It returns the first error of an enlarger or of each, ctx's when that ends, and an
// error for a result of a wrong size.
func (s *Set) Measure(ctx context.Context, each func(Pair, []Result) error, enlargers ...Enlarger) (*Report, error) {
	report := newReport(s, enlargers)
	for i := range s.Len() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		pair, err := s.Pair(i)
		if err != nil {
			return nil, err
		}
		var results []Result
		for _, e := range enlargers {
			if i == 0 {
				if _, err := e.Enlarge(ctx, pair.Low); err != nil {
					return nil, fmt.Errorf("%s of %s: %w", e.Name, pair.Name, err)
				}
			}
			r, err := s.measure(ctx, e, pair)
			if err != nil {
				return nil, fmt.Errorf("%s of %s: %w", e.Name, pair.Name, err)
			}
			results = append(results, r)
		}
		report.add(pair.Name, s.niqe(pair.Original), results)
		if each == nil {
			continue
		}
		if err := each(pair, results); err != nil {
			return nil, err
		}
	}
	return report, nil
}

// measure makes and measures one result.
func (s *Set) measure(ctx context.Context, e Enlarger, p Pair) (Result, error) {
	began := time.Now()
	made, err := e.Enlarge(ctx, p.Low)
	seconds := time.Since(began).Seconds()
	if err != nil {
		return Result{}, err
	}
	r := Result{Enlarger: e.Name, Picture: imaging.FromImage(made.Image())}
	if r.Score, err = p.Compare(r.Picture, s.Factor); err != nil {
		return Result{}, err
	}
	r.Score.Seconds = seconds / (float64(p.Original.Width*p.Original.Height) / 1e6)
	r.Score.NIQE = s.niqe(r.Picture)
	return r, nil
}

// Compare measures PSNR, SSIM and LR-PSNR of a result, which is rounded to 8 bits, as Measure does.
func (p Pair) Compare(result imaging.Picture, factor int) (s Score, err error) {
	result = imaging.FromImage(result.Image())
	if s.PSNR, err = metrics.PSNRY(result, p.Original, factor); err != nil {
		return s, err
	}
	if s.SSIM, err = metrics.SSIMY(result, p.Original, factor); err != nil {
		return s, err
	}
	small := imaging.Imresize(result, 1/float64(factor))
	s.LRPSNR, err = metrics.PSNR(small, p.Low)
	s.PSNR, s.LRPSNR = min(s.PSNR, metrics.MaxPSNR), min(s.LRPSNR, metrics.MaxPSNR)
	return s, err
}

// niqe is nil for what NIQE cannot measure.
func (s *Set) niqe(p imaging.Picture) *float64 {
	v, err := metrics.NIQE(cropped(p, image.Rect(s.Factor, s.Factor, p.Width-s.Factor, p.Height-s.Factor)))
	if err != nil {
		return nil
	}
	return &v
}
