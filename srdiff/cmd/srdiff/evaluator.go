// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gomlx/compute"
	"github.com/srdiff/srlab/srdiff"
	"github.com/srdiff/srlab/srdiff/dataset"
	"github.com/srdiff/srlab/srdiff/degrade"
	"github.com/srdiff/srlab/srdiff/features"
	"github.com/srdiff/srlab/srdiff/imaging"
	"github.com/srdiff/srlab/srdiff/metrics"
)

const (
	evalBatch = 16 // pictures sampled together
	sheetRows = 8  // pictures on the sheet
)

// evaluator measures candidates on the same pictures.
type evaluator struct {
	*evalOptions
	config     srdiff.Config // the models share its picture size and degradation
	src        dataset.Source
	candidates []*candidate         // the originals themselves, bilinear, bicubic and the models
	hashes     []string             // of the models' files
	classifier *features.Classifier // nil if there are too few pictures for SFD
	low        []imaging.Picture    // on the sheet
	line       *progressLine
	rest       timeLeft
	sampled    float64 // number of samples that all models have made
}

// candidate is an enlargement method with its measurements of every picture.
type candidate struct {
	name     string
	enlarge  func(ctx context.Context, b batch) (samples [][]imaging.Picture, seconds float64, err error)
	values   []measures
	features [][]float64
	shown    []imaging.Picture // on the sheet
}

// batch holds consecutive pictures with their low-resolution versions.
type batch struct {
	first          int
	originals, low []imaging.Picture
}

// open reads the models and opens the pictures.
func (e *evaluator) open(ctx context.Context, backend compute.Backend) error {
	e.addInterpolations()
	for i, source := range e.models {
		m, hash, err := source.load(backend)
		if err != nil {
			return err
		}
		e.hashes = append(e.hashes, hash)
		if err := e.sampling.Validate(m.Config); err != nil {
			return fmt.Errorf("%s: %w", source, err)
		}
		if i == 0 {
			e.config = m.Config
		}
		a, b := e.config, m.Config
		kindA, kindB := degradation{&a.Degradation}.String(), degradation{&b.Degradation}.String()
		if a.Training.ImageSize != b.Training.ImageSize || kindA != kindB || a.Degradation.Blur != b.Degradation.Blur {
			return fmt.Errorf("%s is for pictures of %d pixels, made small by %s with a blur of %g, and %s for %d, %s and %g: "+
				"measure them one at a time", e.models[0], a.Training.ImageSize, kindA, a.Degradation.Blur, source, b.Training.ImageSize, kindB, b.Degradation.Blur)
		}
		e.candidates = append(e.candidates, e.sampler(e.name(i), m))
	}
	var err error
	e.src, err = dataset.Open(ctx, e.data, dataset.Options{Size: e.config.Training.ImageSize, Seed: uint64(e.sampling.Seed), HeldOut: true})
	if err == nil && e.count >= 2*features.Dimensions {
		e.classifier, err = features.New(backend)
	}
	return err
}

// name returns the name of a model's row: its file name without extension, or its whole path if
// another row has that name.
func (e *evaluator) name(i int) string {
	short := func(m modelSource) string {
		return strings.TrimSuffix(filepath.Base(m.String()), filepath.Ext(m.String()))
	}
	name, whole := short(e.models[i]), e.models[i].String()
	for k, other := range e.models {
		if k != i && short(other) == name {
			return whole
		}
	}
	for _, c := range e.candidates[:min(3, len(e.candidates))] { // originals, bilinear, bicubic
		if c.name == name {
			return whole
		}
	}
	return name
}

// addInterpolations adds the originals and the interpolations as candidates.
func (e *evaluator) addInterpolations() {
	add := func(name string, enlarge func(original, low imaging.Picture) imaging.Picture) {
		e.candidates = append(e.candidates, &candidate{name: name,
			enlarge: func(_ context.Context, b batch) (samples [][]imaging.Picture, seconds float64, err error) {
				list := make([]imaging.Picture, len(b.low))
				for i, p := range b.low {
					list[i] = enlarge(b.originals[i], p)
				}
				return [][]imaging.Picture{list}, math.NaN(), nil
			}})
	}
	add("original", func(original, _ imaging.Picture) imaging.Picture { return original })
	add("bilinear", func(o, low imaging.Picture) imaging.Picture { return imaging.Bilinear(low, o.Width, o.Height) })
	add("bicubic", func(o, low imaging.Picture) imaging.Picture { return imaging.Bicubic(low, o.Width, o.Height) })
}

// sampler returns the candidate that samples a model with o.seeds seeds per picture. Every sample
// has its own seed.
func (e *evaluator) sampler(name string, m *srdiff.Model) *candidate {
	var warm []int // sizes of batches
	sample := func(ctx context.Context, b batch) (samples [][]imaging.Picture, seconds float64, err error) {
		if n := len(b.low); !slices.Contains(warm, n) {
			if err := warmUp(ctx, m, e.sampling, b.low); err != nil {
				return nil, 0, err
			}
			warm = append(warm, n)
		}
		n := float64(len(b.low))
		for k := range e.seeds {
			o := e.sampling
			o.Seed += int64(b.first + k*e.count)
			o.Each = func(s srdiff.SampleStep) { e.show(name, b, k, s) }
			began := time.Now()
			list, err := m.Sample(ctx, o, b.low...)
			if err != nil {
				return nil, 0, err
			}
			seconds += time.Since(began).Seconds() / n / float64(e.seeds)
			samples = append(samples, list)
			e.sampled += n
		}
		return samples, seconds, nil
	}
	return &candidate{name: name, enlarge: sample}
}

// warmUp runs one step of every program of sampling, so that it is compiled.
func warmUp(ctx context.Context, m *srdiff.Model, o srdiff.SampleOptions, low []imaging.Picture) error {
	programs := []srdiff.SampleOptions{o}
	if o.Guidance > 0 && (o.GuidanceFrom > 0 || o.GuidanceTo > 0) { // with and without guidance
		programs = append(programs, o)
		programs[0].GuidanceFrom, programs[0].GuidanceTo = 0, 0
		programs[1].Guidance = 0
	}
	for _, o := range programs {
		once, stop := context.WithCancel(ctx)
		o.Each = func(srdiff.SampleStep) { stop() }
		_, err := m.Sample(once, o, low...)
		stop()
		if err != nil && (ctx.Err() != nil || !errors.Is(err, context.Canceled)) {
			return err
		}
	}
	return nil
}

// show prints the progress of the evaluation.
func (e *evaluator) show(name string, b batch, seed int, s srdiff.SampleStep) {
	all := float64(e.count * len(e.models) * e.seeds)
	share := (e.sampled + float64(len(b.low)*s.Done)/float64(s.Steps)) / all
	e.line.show(false, "%s, picture %d to %d of %d, seed %d of %d: %d of %d steps%s", name, b.first+1, b.first+len(b.low),
		e.count, seed+1, e.seeds, s.Done, s.Steps, e.rest.left(share, 1))
}

// measureAll measures all candidates on all pictures.
func (e *evaluator) measureAll(ctx context.Context) error {
	defer e.line.end()
	for b := (batch{}); b.first < e.count; b.first += len(b.low) {
		var err error
		if b.originals, err = pictures(e.src, b.first, min(evalBatch, e.count-b.first)); err != nil {
			return err
		}
		if b.low, err = degradePictures(e.config, b.originals, e.sampling, b.first); err != nil {
			return err
		}
		e.low = append(e.low, b.low[:min(len(b.low), sheetRows-len(e.low))]...)
		for _, c := range e.candidates {
			samples, seconds, err := c.enlarge(ctx, b)
			if err != nil {
				return err
			}
			if err := e.measure(c, b, samples, seconds); err != nil {
				return err
			}
		}
	}
	return nil
}

// measure measures a candidate on a batch. Diversity is measured on all samples of a picture, the
// rest on its first sample.
func (e *evaluator) measure(c *candidate, b batch, samples [][]imaging.Picture, seconds float64) error {
	results := samples[0]
	shrink := degrade.Config{Kernel: e.config.Degradation.Kernel, Blur: e.config.Degradation.Blur} // without what is random
	for i, p := range results {
		s, err := metrics.Score(p, b.originals[i], b.low[i],
			func(p imaging.Picture) imaging.Picture { return shrink.Picture(p, e.config.Factor) })
		if err != nil {
			return err
		}
		sharpness, err := metrics.Sharpness(p)
		if err != nil {
			return err
		}
		diversity := math.NaN()
		if len(samples) > 1 {
			var ofPicture []imaging.Picture
			for _, sample := range samples {
				ofPicture = append(ofPicture, sample[i])
			}
			if diversity, err = metrics.Diversity(ofPicture...); err != nil {
				return err
			}
		}
		c.values = append(c.values, measures{
			PSNR: number(min(s.PSNR, metrics.MaxPSNR)), SSIM: number(s.SSIM), Consistency: number(s.Consistency), Sharpness: number(sharpness),
			Sharper: number(math.NaN()), Diversity: number(diversity), SFD: number(math.NaN()), Seconds: number(seconds),
		})
	}
	c.shown = append(c.shown, results[:min(len(results), sheetRows-len(c.shown))]...)
	if e.classifier == nil {
		return nil
	}
	rows, err := e.classifier.Features(results...)
	c.features = append(c.features, rows...)
	return err
}

// sheetImage draws the first pictures side by side: input, bilinear, bicubic, the models, original.
func (e *evaluator) sheetImage() image.Image {
	order := append(slices.Clone(e.candidates[1:]), e.candidates[0])
	captions := []string{"input"}
	for _, c := range order {
		captions = append(captions, c.name)
	}
	var cells []image.Image
	for i, p := range e.low {
		cells = append(cells, p.Image())
		for _, c := range order {
			cells = append(cells, c.shown[i].Image())
		}
	}
	return imaging.Grid(len(captions), captions, cells...)
}
