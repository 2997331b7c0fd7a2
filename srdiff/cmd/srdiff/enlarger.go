// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"slices"

	"github.com/srdiff/srlab/srdiff"
	"github.com/srdiff/srlab/srdiff/engine"
	"github.com/srdiff/srlab/srdiff/imaging"
)

// resultOptions say what results are like.
type resultOptions struct {
	size     targetSize
	quality  int  // of JPEG and WebP files
	strip    bool // omit the input's metadata
	sampling srdiff.SampleOptions
}

// check finds mistakes of the options.
func (o resultOptions) check() error {
	if o.quality > 100 {
		return fmt.Errorf("quality is %d: want a number from 1 to 100", o.quality)
	}
	return o.size.check()
}

// checkPicture returns an error for a picture that a model of the configuration does not take, or whose
// result the format cannot hold.
func (o resultOptions) checkPicture(c srdiff.Config, file *imaging.File, format imaging.Format) error {
	size := o.size.of(file.Image.Bounds().Size(), c.Factor)
	return cmp.Or(c.CheckUpscale(file.Image), format.CheckSize(size))
}

// defaultQuality is the quality of JPEG and WebP files.
const defaultQuality = 92

// enlarger makes results with one model. All commands that make them go through it, so that the
// same picture, model and options give the same bytes.
type enlarger struct {
	resultOptions
	m    *srdiff.Model
	made provenance // of results, but for the input
}

// newEnlarger returns the enlarger of a model with the given SHA-256. given are the sampling flags,
// for the provenance.
func newEnlarger(eng *engine.Engine, m *srdiff.Model, hash string, o resultOptions, given map[string]string) (*enlarger, error) {
	if err := o.sampling.Validate(m.Config); err != nil {
		return nil, err
	}
	limitHeap(cmp.Or(o.sampling.Memory, srdiff.DefaultMemory))
	return &enlarger{o, m, provenance{Model: hash, Seed: o.sampling.Seed, Options: given, Engine: eng.Name, Size: o.size, Strip: o.strip}}, nil
}

// limitHeap has Go's collector run more often when the heap nears the memory that may be taken. A
// fifth is left for what is not on the heap. The variable GOMEMLIMIT takes precedence.
func limitHeap(allowed int64) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(allowed / 5 * 4)
	}
}

// provenance is that of the result of a file, in a format.
func (e *enlarger) provenance(file *imaging.File, format imaging.Format) provenance {
	made := e.made
	made.Input = file.SHA256
	if format == imaging.JPEG || format == imaging.WebP {
		made.Quality = e.quality
	}
	return made
}

// Output describes the result of a file. Its provenance is the first chunk, so that a truncated
// file still has it.
func (e *enlarger) Output(file *imaging.File, format imaging.Format) imaging.Output {
	size := e.size.of(file.Image.Bounds().Size(), e.m.Config.Factor)
	o := imaging.Output{Format: format, Width: size.X, Height: size.Y, Like: file.Image, Quality: e.quality,
		Chunks: []imaging.Chunk{e.provenance(file, format).chunk()}}
	if !e.strip {
		o.Chunks = slices.Concat(o.Chunks, file.Colour, file.Metadata)
	}
	return o
}

// Enlarge enlarges a file's picture by the model's factor.
func (e *enlarger) Enlarge(ctx context.Context, file *imaging.File, each func(srdiff.SampleStep), refined func(srdiff.Refined)) imaging.Strips {
	sampling := e.sampling
	sampling.Each, sampling.Refined = each, refined
	return e.m.UpscaleStrips(ctx, sampling, file.Image)
}

// memory returns how much of the allowed memory Enlarge takes.
func (e *enlarger) memory(file *imaging.File, allowed int64) (int64, error) {
	sampling := e.sampling
	sampling.Memory = max(1, allowed)
	return e.m.UpscaleMemory(sampling, file.Image)
}

// Resize brings the strips of Enlarge to the result's size.
func (e *enlarger) Resize(file *imaging.File, strips imaging.Strips) imaging.Strips {
	size := file.Image.Bounds().Size()
	return imaging.ResizeStrips(strips, size.Mul(e.m.Config.Factor), e.size.of(size, e.m.Config.Factor))
}

// progressOf returns the share of the work that is done, and words for it.
func progressOf(s srdiff.SampleStep) (share float64, done string) {
	share = float64(s.Done*s.Tiles+s.Tile) / float64(s.Steps*s.Tiles)
	if s.Steps == 1 && s.Tiles > 1 {
		return share, fmt.Sprintf("%d of %d tiles", s.Done*s.Tiles+s.Tile, s.Tiles)
	}
	return share, fmt.Sprintf("%d of %d steps", s.Done, s.Steps)
}
