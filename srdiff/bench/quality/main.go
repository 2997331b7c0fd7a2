// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// Command quality trains the tutorial's network in several ways, each for the same time on the same pictures, and measures what
// each is worth on pictures that none has seen: what the network predicts, the noise schedule, and averaged weights.
//
//	make quality
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
	"github.com/srdiff/srlab/srdiff/engine"
	"github.com/srdiff/srlab/srdiff/imaging"
	"github.com/srdiff/srlab/srdiff/metrics"
)

const (
	file  = "docs/training.md"
	name  = "quality"
	sheet = "docs/images/quality.png"

	slice      = 15 * time.Second // a learner's turn
	pictures   = 64               // held out, to sample
	batch      = 16               // sampled together
	noiseTests = 64               // batches of the noise error
)

// contestants are trained side by side. All else is the same for all of them.
func contestants() []*learner {
	var list []*learner
	for _, c := range []srdiff.Config{
		{Prediction: srdiff.PredictsEps, Kind: srdiff.KindLinear},
		{Prediction: srdiff.PredictsEps, Kind: srdiff.KindCosine},
		{Prediction: srdiff.PredictsV, Kind: srdiff.KindLinear},
		{Prediction: srdiff.PredictsV, Kind: srdiff.KindCosine},
	} {
		c.LearningRate = 1e-3
		c.Seed = 1
		list = append(list, &learner{name: c.Prediction + ", " + c.Kind, config: c})
	}
	return list
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop)
	minutes := flag.Float64("minutes", 5, "training time of each, without compiling")
	engineName := flag.String("engine", "auto", "what computes: "+engine.Names)
	flag.Parse()
	if err := run(ctx, time.Duration(*minutes*float64(time.Minute)), *engineName); err != nil {
		fmt.Fprintln(os.Stderr, "quality:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, budget time.Duration, engineName string) error {
	if budget <= 0 {
		return errors.New("-minutes: want a number greater than 0")
	}
	if err := section.Check(file, name); err != nil {
		return err
	}
	eng, err := engine.Open(engineName)
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, eng)
	var sources [2]dataset.Source
	for i, heldOut := range []bool{false, true} {
		if sources[i], err = dataset.Open(ctx, "generated", dataset.Options{Seed: 1, HeldOut: heldOut}); err != nil {
			return err
		}
	}
	learners := contestants()
	for _, l := range learners {
		if l.model, err = srdiff.NewModel(eng.Backend, l.config); err != nil {
			return err
		}
	}
	if err := inTurns(ctx, learners, sources[0], budget); err != nil {
		return err
	}
	text, rows, err := measure(ctx, learners, sources[1])
	if err != nil {
		return err
	}
	text = fmt.Sprintf("Measured on %s by `quality -minutes %g`: %s of training for each, in turns of %s, on %s; batch %d, "+
		"learning rate %g, seed 1. Noise errors are means over %d batches, the rest over %d pictures sampled by DDIM in 50 steps.\n\n",
		time.Now().Format(time.DateOnly), budget.Minutes(), budget, slice, eng.Name, learners[0].model.Config.BatchSize,
		learners[0].config.LearningRate, noiseTests, pictures) + text
	fmt.Print(text)
	captions := []string{"Original", "LR"}
	for _, l := range learners {
		captions = append(captions, l.name)
	}
	if err := imaging.WritePNG(sheet, imaging.Grid(len(captions), captions, rows...)); err != nil {
		return err
	}
	return section.Write(file, name, text)
}

// learner is a way to train.
type learner struct {
	name   string
	config srdiff.Config
	model  *srdiff.Model
	used   time.Duration // of its budget
}

// inTurns trains every learner for the same time, one at a time, so that what else the machine does strikes all alike.
func inTurns(ctx context.Context, learners []*learner, src dataset.Source, budget time.Duration) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type turn struct {
		ended bool
		err   error
	}
	turns := make([]chan struct{}, len(learners)) // a learner's turn begins
	ends := make(chan turn)                       // and ends
	for i, l := range learners {
		turns[i] = make(chan struct{})
		go func() {
			<-turns[i]
			ends <- turn{true, l.train(ctx, src, budget, func() {
				ends <- turn{}
				<-turns[i]
			})}
		}()
	}
	for left := len(learners); left > 0; {
		for i := range learners {
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
		fmt.Fprintf(os.Stderr, "%s of %s each\n", learners[0].used.Round(time.Second), budget)
	}
	return nil
}

// train trains for the budget, and calls pause when its turn is over. The first step, which compiles, costs nothing.
func (l *learner) train(ctx context.Context, src dataset.Source, budget time.Duration, pause func()) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	began, left := time.Time{}, slice
	err := l.model.Train(ctx, src, 1<<20, "", func(srdiff.Progress) {
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
			left = slice
		}
		began = time.Now()
	})
	if l.used >= budget && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// measure returns the table, and the pictures of the sheet.
func measure(ctx context.Context, learners []*learner, heldOut dataset.Source) (table string, rows []image.Image, err error) {
	var b strings.Builder
	b.WriteString("| predicts, schedule | weights | steps | noise error | PSNR, dB | SSIM | consistency |\n|---|---|---|---|---|---|---|\n")
	tensor, err := dataset.Batch(heldOut, pictures, 0)
	if err != nil {
		return "", nil, err
	}
	originals, err := srdiff.Pictures(tensor)
	if err != nil {
		return "", nil, err
	}
	low := make([]imaging.Picture, pictures)
	for i, p := range originals {
		low[i] = srdiff.DegradePicture(srdiff.Config{}, p)
	}
	var shown [][]imaging.Picture
	for _, l := range learners {
		for _, w := range []struct {
			name  string
			model *srdiff.Model
		}{{"last", l.model.WithRawWeights()}, {"averaged", l.model}} {
			fmt.Fprintf(os.Stderr, "measuring %s, %s weights\n", l.name, w.name)
			noise, err := w.model.NoiseError(ctx, heldOut, noiseTests, 1)
			if err != nil {
				return "", nil, err
			}
			var generated []imaging.Picture
			for first := 0; first < pictures; first += batch {
				some, err := w.model.Sample(ctx, srdiff.SampleOptions{Sampler: srdiff.DDIM, Steps: 50, Seed: int64(first)},
					low[first:first+batch]...)
				if err != nil {
					return "", nil, err
				}
				generated = append(generated, some...)
			}
			s, err := score(generated, originals, low)
			if err != nil {
				return "", nil, err
			}
			fmt.Fprintf(&b, "| %s | %s | %d | %.4f | %.2f | %.4f | %.1e |\n",
				l.name, w.name, l.model.Step, noise, s.PSNR, s.SSIM, s.Consistency)
			if w.model == l.model {
				shown = append(shown, generated)
			}
		}
	}
	bicubic := make([]imaging.Picture, pictures)
	for i, p := range low {
		bicubic[i] = imaging.Bicubic(p, originals[i].Width, originals[i].Height)
	}
	s, err := score(bicubic, originals, low)
	if err != nil {
		return "", nil, err
	}
	fmt.Fprintf(&b, "| bicubic interpolation | | | | %.2f | %.4f | %.1e |\n", s.PSNR, s.SSIM, s.Consistency)
	for i := range 6 {
		rows = append(rows, originals[i].Image(), low[i].Image())
		for _, generated := range shown {
			rows = append(rows, generated[i].Image())
		}
	}
	return b.String(), rows, nil
}

// score returns the mean scores of pictures.
func score(generated, originals, low []imaging.Picture) (mean metrics.Scores, err error) {
	for i, p := range generated {
		one, err := metrics.Score(p, originals[i], low[i], nil)
		if err != nil {
			return mean, err
		}
		mean.Add(1/float64(len(generated)), one)
	}
	return mean, nil
}
