// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/srdiff/srlab/srdiff"
	"github.com/srdiff/srlab/srdiff/bench/process"
	"github.com/srdiff/srlab/srdiff/dataset"
	"github.com/srdiff/srlab/srdiff/diffusion"
	"github.com/srdiff/srlab/srdiff/imaging"
)

// contestant is a training configuration.
type contestant interface {
	name() string
	// train trains for the budget, and calls pause when its turn is over.
	train(ctx context.Context, budget time.Duration, pause func()) error
	steps() int // trained
	results() []result
}

// result holds the measurements of the trained weights.
type result struct {
	weights    string
	noiseError func(context.Context, dataset.Source) (float64, error) // nil for a regression
	sample     func(ctx context.Context, low []imaging.Picture) ([]imaging.Picture, error)
}

// learner is a model of srdiff.
type learner struct {
	called string
	model  *srdiff.Model
	src    dataset.Source
	used   time.Duration // of its budget
}

func (l *learner) name() string { return l.called }
func (l *learner) steps() int   { return l.model.Step }

// The first step, which compiles, does not count.
func (l *learner) train(ctx context.Context, budget time.Duration, pause func()) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	began, left := time.Time{}, turnLength
	err := l.model.Train(ctx, l.src, 1<<20, "", func(srdiff.Progress) {
		if began.IsZero() {
			pause()
			began = time.Now()
			return
		}
		took := time.Since(began)
		l.used += took
		if left -= took; l.used >= budget {
			stop()
		} else if left <= 0 {
			pause()
			left = turnLength
		}
		began = time.Now()
	})
	if l.used >= budget && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

func (l *learner) results() []result {
	regression := l.model.Config.Diffusion.Prediction == diffusion.Regression
	of := func(weights string, m *srdiff.Model) result {
		noiseError := func(ctx context.Context, src dataset.Source) (float64, error) {
			return m.NoiseError(ctx, src, noiseTests, 1)
		}
		options := srdiff.SampleOptions{Sampler: diffusion.DDIM, Steps: sampling}
		if regression {
			noiseError, options = nil, srdiff.SampleOptions{}
		}
		return result{weights,
			noiseError,
			func(ctx context.Context, low []imaging.Picture) (made []imaging.Picture, err error) {
				for first := 0; first < len(low); first += samplesPerBatch {
					options.Seed = int64(first)
					some, err := m.Sample(ctx, options,
						low[first:min(first+samplesPerBatch, len(low))]...)
					if err != nil {
						return nil, err
					}
					made = append(made, some...)
				}
				return made, nil
			}}
	}
	return []result{of("last", l.model.WithRawWeights()), of("averaged", l.model)}
}

// storedPictures is the number of training pictures for the PyTorch program, which repeats them.
const storedPictures = 1 << 16

// pytorch is the tutorial's program in another process: see ../learner.py.
type pytorch struct {
	*process.Process
	folder  string // of the files that it reads and writes
	about   string
	size    int
	trained int
}

// startPyTorch stores the pictures and starts the program.
func startPyTorch(ctx context.Context, python string, data material) (p *pytorch, err error) {
	p = &pytorch{size: data.train.Size()}
	if p.folder, err = os.MkdirTemp("", "quality"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(p.folder)
		}
	}()
	train, heldOut := filepath.Join(p.folder, "train"), filepath.Join(p.folder, "held-out")
	if err := store(ctx, train, data.train, storedPictures); err != nil {
		return nil, err
	}
	if err := store(ctx, heldOut, data.heldOut, noiseTests*srdiff.Config{}.WithDefaults().Training.BatchSize); err != nil {
		return nil, err
	}
	p.Process, err = process.Start(ctx, []string{python, "srdiff/bench/learner.py", "--pictures", train, "--held-out", heldOut,
		"--size", fmt.Sprint(p.size), "--batch", fmt.Sprint(srdiff.Config{}.WithDefaults().Training.BatchSize), "--rate", fmt.Sprint(learningRate)})
	if err != nil {
		return nil, err
	}
	var answer struct{ About string }
	err = p.Answer(&answer)
	p.about = answer.About
	return p, err
}

// store writes the first pictures of a source as bytes.
func store(ctx context.Context, path string, src dataset.Source, count int) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	values := make([]float32, src.Size()*src.Size()*3)
	for i := range count {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := src.Picture(uint64(i), values); err != nil {
			return err
		}
		for _, v := range values {
			w.WriteByte(uint8(math.Round((float64(v) + 1) * 127.5)))
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}

func (p *pytorch) name() string { return "PyTorch's tutorial, eps, linear" }
func (p *pytorch) steps() int   { return p.trained }

func (p *pytorch) train(_ context.Context, budget time.Duration, pause func()) error {
	var answer struct {
		Seconds float64
		Steps   int
	}
	if err := p.Ask(&answer, "train 0.001"); err != nil { // one step, which does not count here either
		return err
	}
	p.trained += answer.Steps
	pause()
	for used := 0.0; ; pause() {
		if err := p.Ask(&answer, "train %g", min(turnLength.Seconds(), budget.Seconds()-used)); err != nil {
			return err
		}
		p.trained += answer.Steps
		if used += answer.Seconds; used >= budget.Seconds() {
			return nil
		}
	}
}

func (p *pytorch) results() []result {
	return []result{{"last",
		func(context.Context, dataset.Source) (float64, error) {
			var answer struct{ Error float64 }
			err := p.Ask(&answer, "noise %d", noiseTests)
			return answer.Error, err
		},
		func(context.Context, []imaging.Picture) ([]imaging.Picture, error) {
			path := filepath.Join(p.folder, "made")
			if err := p.Ask(&struct{}{}, "sample %d %s", pictures, path); err != nil {
				return nil, err
			}
			f, err := os.Open(path)
			if err != nil {
				return nil, err
			}
			defer f.Close()
			made := make([]imaging.Picture, pictures)
			r := bufio.NewReader(f)
			for i := range made {
				made[i] = imaging.New(p.size, p.size)
				if err := binary.Read(r, binary.LittleEndian, made[i].Pix); err != nil {
					return nil, err
				}
			}
			return made, nil
		}}}
}

func (p *pytorch) end() {
	p.End()
	os.RemoveAll(p.folder)
}
