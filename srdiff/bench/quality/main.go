// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// Command quality trains several configurations for the same time on the same pictures, and
// measures each on held-out pictures. It compares predictions, noise schedules and averaged weights
// with the tutorial's network:
//
//	make quality
//
// or networks, among them the tutorial's own program in PyTorch:
//
//	make quality QUALITY_FLAGS="-of networks"
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"image"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/srdiff/srlab/srdiff"
	"github.com/srdiff/srlab/srdiff/bench/section"
	"github.com/srdiff/srlab/srdiff/dataset"
	"github.com/srdiff/srlab/srdiff/degrade"
	"github.com/srdiff/srlab/srdiff/diffusion"
	"github.com/srdiff/srlab/srdiff/engine"
	"github.com/srdiff/srlab/srdiff/imaging"
	"github.com/srdiff/srlab/srdiff/metrics"
	"github.com/srdiff/srlab/srdiff/networks"
)

const (
	file = "docs/training.md"

	turnLength      = 15 * time.Second // a contestant's turn
	pictures        = 64               // held out, to sample
	samplesPerBatch = 16               // sampled together
	sampling        = 50               // steps of DDIM
	noiseTests      = 64               // batches of the noise error
	learningRate    = 1e-3
)

// comparison lists the configurations to compare; everything else is equal.
type comparison struct {
	section, sheet string
	configs        []srdiff.Config
	pytorch        bool // the tutorial's program too
}

func comparisons(of string) (comparison, error) {
	epsLinear := srdiff.Config{Diffusion: diffusion.Config{Prediction: diffusion.PredictEps, Schedule: diffusion.Linear}}
	vCosine := srdiff.Config{Diffusion: diffusion.Config{Prediction: diffusion.PredictV, Schedule: diffusion.Cosine}}
	switch of {
	case "predictions":
		return comparison{"quality", "docs/images/quality.png", []srdiff.Config{
			epsLinear,
			{Diffusion: diffusion.Config{Prediction: diffusion.PredictEps, Schedule: diffusion.Cosine}},
			{Diffusion: diffusion.Config{Prediction: diffusion.PredictV, Schedule: diffusion.Linear}},
			vCosine,
		}, false}, nil
	case "networks":
		with := func(c srdiff.Config, network networks.Name) srdiff.Config { c.Network.Name = network; return c }
		return comparison{"networks", "docs/images/networks.png", []srdiff.Config{
			epsLinear, with(epsLinear, networks.Small),
			vCosine, with(vCosine, networks.Small),
		}, true}, nil
	}
	return comparison{}, fmt.Errorf("-of is %q: want predictions or networks", of)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop)
	of := flag.String("of", "predictions", "comparison: predictions, or networks, which needs PyTorch (make .lab/bench.ok)")
	minutes := flag.Float64("minutes", 5, "training time of each, without compiling")
	engineName := flag.String("engine", "auto", "engine for the computation: "+engine.Names)
	python := flag.String("python", ".lab/bench-venv/bin/python", "a Python with srdiff/bench/requirements.txt")
	flag.Parse()
	if err := run(ctx, *of, time.Duration(*minutes*float64(time.Minute)), *engineName, *python); err != nil {
		fmt.Fprintln(os.Stderr, "quality:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, of string, budget time.Duration, engineName, python string) error {
	if budget <= 0 {
		return errors.New("-minutes: want a number greater than 0")
	}
	what, err := comparisons(of)
	if err != nil {
		return err
	}
	if err := section.Check(file, what.section); err != nil {
		return err
	}
	eng, err := engine.Open(engineName)
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, eng)
	data, err := openMaterial(ctx, dataset.Options{Seed: 1})
	if err != nil {
		return err
	}
	var contestants []contestant
	for _, c := range what.configs {
		c.Training.LearningRate, c.Training.Seed = learningRate, 1
		m, err := srdiff.NewModel(eng.Backend, c)
		if err != nil {
			return err
		}
		contestants = append(contestants, &learner{model: m})
	}
	with := eng.Name
	if what.pytorch {
		p, err := startPyTorch(ctx, python, data)
		if err != nil {
			return fmt.Errorf("the PyTorch program: %w", err)
		}
		defer p.end()
		contestants = append(contestants, p)
		with += " and " + p.about
	}
	if err := inTurns(ctx, contestants, data.train, budget); err != nil {
		return err
	}
	text, sheet, err := measure(ctx, contestants, data)
	if err != nil {
		return err
	}
	text = fmt.Sprintf("Measured on %s by `quality -of %s -minutes %g`: %s of training for each, in turns of %s, on %s; batch %d, "+
		"learning rate %g, seed 1. Noise errors are means over %d batches, the rest over %d pictures sampled by DDIM in %d steps.\n\n",
		time.Now().Format(time.DateOnly), of, budget.Minutes(), budget, turnLength, with, srdiff.Config{}.WithDefaults().Training.BatchSize,
		learningRate, noiseTests, pictures, sampling) + text
	fmt.Print(text)
	if err := imaging.WritePNG(what.sheet, sheet); err != nil {
		return err
	}
	return section.Write(file, what.section, text)
}

// material holds the training pictures and the held-out pictures.
type material struct {
	train, heldOut dataset.Source
	originals, low []imaging.Picture // held out
}

func openMaterial(ctx context.Context, o dataset.Options) (m material, err error) {
	if m.train, err = dataset.Open(ctx, "generated", o); err != nil {
		return m, err
	}
	o.HeldOut = true
	if m.heldOut, err = dataset.Open(ctx, "generated", o); err != nil {
		return m, err
	}
	tensor, err := dataset.Batch(m.heldOut, pictures, 0)
	if err != nil {
		return m, err
	}
	if m.originals, err = srdiff.Pictures(tensor); err != nil {
		return m, err
	}
	for _, p := range m.originals {
		m.low = append(m.low, degrade.Config{}.Picture(p, 4))
	}
	return m, nil
}

// inTurns trains the contestants in turns for the same time, so that other load on the machine
// affects all equally.
func inTurns(ctx context.Context, contestants []contestant, src dataset.Source, budget time.Duration) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type turn struct {
		ended bool
		err   error
	}
	turns := make([]chan struct{}, len(contestants)) // a contestant's turn begins
	ends := make(chan turn)                          // and ends
	for i, c := range contestants {
		turns[i] = make(chan struct{})
		go func() {
			<-turns[i]
			ends <- turn{true, c.train(ctx, src, budget, func() {
				ends <- turn{}
				<-turns[i]
			})}
		}()
	}
	started := time.Now()
	for round, left := 1, len(contestants); left > 0; round++ {
		for i := range contestants {
			if turns[i] == nil {
				continue
			}
			turns[i] <- struct{}{}
			end := <-ends
			if end.ended {
				turns[i] = nil
				left--
			}
			if end.err != nil {
				cancel()
				return end.err
			}
		}
		fmt.Fprintf(os.Stderr, "round %d, after %s\n", round, time.Since(started).Round(time.Second))
	}
	return nil
}

// measure returns the table, and the sheet of pictures.
func measure(ctx context.Context, contestants []contestant, data material) (table string, sheet image.Image, err error) {
	var b strings.Builder
	b.WriteString("| | weights | steps | noise error | PSNR, dB | SSIM | consistency |\n|---|---|---|---|---|---|---|\n")
	captions := []string{"Original", "LR"}
	var shown [][]imaging.Picture
	for _, c := range contestants {
		var made []imaging.Picture // sampled with the last of its weights
		for _, r := range c.results() {
			fmt.Fprintf(os.Stderr, "measuring %s, %s weights\n", c.name(), r.weights)
			noise, err := r.noiseError(ctx, data.heldOut)
			if err != nil {
				return "", nil, err
			}
			if made, err = r.sample(ctx, data.low); err != nil {
				return "", nil, err
			}
			s, err := score(made, data.originals, data.low)
			if err != nil {
				return "", nil, err
			}
			fmt.Fprintf(&b, "| %s | %s | %d | %.4f | %.2f | %.4f | %.1e |\n", c.name(), r.weights, c.steps(), noise, s.PSNR, s.SSIM, s.Consistency)
		}
		captions, shown = append(captions, c.name()), append(shown, made)
	}
	bicubic := make([]imaging.Picture, len(data.low))
	for i, p := range data.low {
		bicubic[i] = imaging.Bicubic(p, data.originals[i].Width, data.originals[i].Height)
	}
	s, err := score(bicubic, data.originals, data.low)
	if err != nil {
		return "", nil, err
	}
	fmt.Fprintf(&b, "| bicubic interpolation | | | | %.2f | %.4f | %.1e |\n", s.PSNR, s.SSIM, s.Consistency)
	var rows []image.Image
	for i := range 6 {
		rows = append(rows, data.originals[i].Image(), data.low[i].Image())
		for _, made := range shown {
			rows = append(rows, made[i].Image())
		}
	}
	return b.String(), imaging.Grid(len(captions), captions, rows...), nil
}

// score returns the mean scores of pictures.
func score(made, originals, low []imaging.Picture) (mean metrics.Scores, err error) {
	for i, p := range made {
		one, err := metrics.Score(p, originals[i], low[i], nil)
		if err != nil {
			return mean, err
		}
		one.PSNR = min(one.PSNR, metrics.MaxPSNR)
		mean.Add(1/float64(len(made)), one)
	}
	return mean, nil
}
