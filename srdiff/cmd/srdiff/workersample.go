// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"io"
	"maps"
	"math"
	"strconv"
	"time"

	"github.com/srdiff/srlab/srdiff/diffusion"
	"github.com/srdiff/srlab/srdiff/imaging"
	"github.com/srdiff/srlab/srdiff/internal/worker"
)

// sample draws several results of a picture, with seeds from the job's on. It writes their mean, and
// their standard deviation as a picture of 16 bits.
func (w *workerProgram) sample(ctx context.Context, r *request) (worker.Writing, error) {
	if r.Samples < 2 {
		return worker.Writing{}, worker.Fail(worker.BadJob, fmt.Errorf("\"samples\" is %d: want at least 2", r.Samples))
	}
	e, out, err := w.prepare(r)
	if err != nil {
		return worker.Writing{}, err
	}
	if e.m.Config.Diffusion.Prediction == diffusion.Regression {
		return worker.Writing{}, worker.Fail(worker.BadJob, fmt.Errorf("the model %s does not sample, all its results of a picture are the same: want a model that does, such as detail", r.made.Model))
	}
	file := r.input.file
	of := func(what string, format imaging.Format) provenance {
		made := e.provenance(file, format)
		made.Options = maps.Clone(made.Options)
		made.Options[what] = strconv.Itoa(r.Samples)
		return made
	}
	mean, spread := of("mean-of", out.Format), of("spread-of", imaging.PNG)
	out.Chunks[0] = mean.chunk()
	written, err := w.there(ctx, r.Output, mean)
	if err != nil {
		return worker.Writing{}, err
	}
	writtenSpread, err := w.there(ctx, r.Spread, spread)
	if err != nil {
		return worker.Writing{}, err
	}
	if written != nil && writtenSpread != nil {
		r.made.Spread, err = w.readSpread(ctx, r)
		return worker.Writing{}, r.keep(written, err)
	}
	w.remarks(r, out)
	return alone(func(ctx context.Context) error {
		began := time.Now()
		m := moments{width: out.Width, height: out.Height}
		rest := *e
		for k := range r.Samples {
			rest.sampling.Seed = e.sampling.Seed + int64(k)
			strips := w.enlargeWithin(ctx, &rest, file, w.allowed()-out.Memory()-m.memory())
			if err := m.add(e.Resize(file, strips)); err != nil {
				return modelError(err)
			}
		}
		deviation := m.spread()
		_, err := w.store.Write(ctx, r.Spread, func(to io.Writer) error { return imaging.EncodePNG(to, deviation, spread.chunk()) })
		if err != nil {
			return worker.Fail(worker.Write, err)
		}
		written, err := w.store.Write(ctx, r.Output, func(to io.Writer) error { return out.Encode(to, m.strips()) })
		r.made.New, r.made.Seconds = true, time.Since(began).Seconds()
		r.made.Spread = r.spreadOf(deviation)
		return worker.Fail(worker.Write, r.keep(&written, err))
	}), nil
}

// readSpread describes a spread that was there already.
func (w *workerProgram) readSpread(ctx context.Context, r *request) (*worker.Spread, error) {
	path, remove, err := w.store.Fetch(ctx, r.Spread)
	if err != nil {
		return nil, worker.Fail(worker.Read, err)
	}
	defer remove()
	img, err := imaging.Open(path)
	if err != nil {
		return nil, worker.Fail(worker.Read, err)
	}
	return r.spreadOf(img), nil
}

// spreadOf describes a spread.
func (r *request) spreadOf(img image.Image) *worker.Spread {
	b, sum := img.Bounds(), 0.
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			red, green, blue, _ := img.At(x, y).RGBA()
			sum += float64(red) + float64(green) + float64(blue)
		}
	}
	return &worker.Spread{Samples: r.Samples, Spread: r.Spread, Mean: sum / float64(3*b.Dx()*b.Dy()) / 0xffff}
}

// moments are the mean and the sum of squared distances from it, of the values of several pictures, by
// Welford's recurrence (1962):
//
//	mean_k = mean_{k-1} + (x - mean_{k-1}) / k
//	sum_k  = sum_{k-1} + (x - mean_{k-1}) (x - mean_k)
type moments struct {
	width, height int
	n             float32
	mean, sum     []float32 // values from -1 to 1
}

// memory is how many bytes the moments take, with the pictures that are made of them.
func (m *moments) memory() int64 { return (2*3*4 + 8) * int64(m.width) * int64(m.height) }

// add adds a picture.
func (m *moments) add(strips imaging.Strips) error {
	m.n++
	at := 0
	for strip, err := range strips {
		if err != nil {
			return err
		}
		if m.mean == nil { // The model has checked that they fit the memory.
			m.mean, m.sum = make([]float32, 3*m.width*m.height), make([]float32, 3*m.width*m.height)
		}
		for i, v := range strip.Pix {
			v = min(max(v, -1), 1) // as in a file
			d := v - m.mean[at+i]
			m.mean[at+i] += d / m.n
			m.sum[at+i] += d * (v - m.mean[at+i])
		}
		at += len(strip.Pix)
	}
	return nil
}

// strips are the mean picture.
func (m *moments) strips() imaging.Strips {
	return func(yield func(imaging.Picture, error) bool) {
		yield(imaging.Picture{Width: m.width, Height: m.height, Pix: m.mean}, nil)
	}
}

// spread is the standard deviation, with n - 1 in its denominator, as in metrics.Diversity. White is 1
// on the scale 0..1.
func (m *moments) spread() *image.NRGBA64 {
	img := image.NewNRGBA64(image.Rect(0, 0, m.width, m.height))
	for i := range m.width * m.height {
		var v [3]uint16
		for c := range v {
			deviation := math.Sqrt(float64(m.sum[3*i+c]/(m.n-1))) / 2
			v[c] = uint16(math.Round(min(deviation, 1) * 0xffff))
		}
		img.SetNRGBA64(i%m.width, i/m.width, color.NRGBA64{R: v[0], G: v[1], B: v[2], A: 0xffff})
	}
	return img
}
