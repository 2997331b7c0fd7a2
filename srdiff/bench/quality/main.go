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
//
// or recipes for a predictor of photographs:
//
//	make quality QUALITY_FLAGS="-of recipes"
package main

import (
	"cmp"
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
	"github.com/srdiff/srlab/srdiff/nn"

	_ "github.com/srdiff/srlab/notebooks/photos" // for "photos"
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
	data           string // to train on: see dataset.Open
	size           int    // of the pictures that are measured
	configs        []named
	pytorch        bool // the tutorial's program too
}

// named is a configuration with its name in the table.
type named struct {
	name   string
	config srdiff.Config
}

// byContents names each configuration by its network, prediction and schedule.
func byContents(configs ...srdiff.Config) (list []named) {
	for _, c := range configs {
		all := c.WithDefaults()
		list = append(list, named{fmt.Sprintf("%s, %s, %s", all.Network.Name, all.Diffusion.Prediction, all.Diffusion.Schedule), c})
	}
	return list
}

// recipes are ways to train a predictor: one, and others that differ from it in one thing. A batch
// always holds as many pixels.
func recipes() []named {
	first := srdiff.Config{
		Network:     networks.Config{Name: networks.PixelShuffle},
		Diffusion:   diffusion.Config{Prediction: diffusion.Regression},
		Degradation: degrade.Config{Kernel: degrade.MATLABBicubic},
		Training:    srdiff.TrainingConfig{Loss: diffusion.L1, BatchSize: 16, ImageSize: 96, ClipNorm: 0.5, WarmUp: 100},
	}
	list := []named{{"L1, 16 crops of 96x96, 8 blocks, rate 1e-3, float32", first}}
	other := func(name string, change func(*srdiff.Config)) {
		c := first
		change(&c)
		list = append(list, named{name, c})
	}
	other("squared error", func(c *srdiff.Config) { c.Training.Loss = diffusion.MSE })
	other("64 crops of 48x48", func(c *srdiff.Config) { c.Training.BatchSize, c.Training.ImageSize = 64, 48 })
	other("4 crops of 192x192", func(c *srdiff.Config) { c.Training.BatchSize, c.Training.ImageSize = 4, 192 })
	other("4 blocks", func(c *srdiff.Config) { c.Network.Blocks = 4 })
	other("12 blocks", func(c *srdiff.Config) { c.Network.Blocks = 12 })
	other("rate 3e-4", func(c *srdiff.Config) { c.Training.LearningRate = 3e-4 })
	other("bfloat16", func(c *srdiff.Config) { c.Training.Precision = nn.BFloat16 })
	return list
}

func comparisons(of string) (comparison, error) {
	epsLinear := srdiff.Config{Diffusion: diffusion.Config{Prediction: diffusion.PredictEps, Schedule: diffusion.Linear}}
	vCosine := srdiff.Config{Diffusion: diffusion.Config{Prediction: diffusion.PredictV, Schedule: diffusion.Cosine}}
	switch of {
	case "predictions":
		return comparison{"quality", "docs/images/quality.png", "generated", 32, byContents(
			epsLinear,
			srdiff.Config{Diffusion: diffusion.Config{Prediction: diffusion.PredictEps, Schedule: diffusion.Cosine}},
			srdiff.Config{Diffusion: diffusion.Config{Prediction: diffusion.PredictV, Schedule: diffusion.Linear}},
			vCosine,
		), false}, nil
	case "networks":
		with := func(c srdiff.Config, network networks.Name) srdiff.Config { c.Network.Name = network; return c }
		return comparison{"networks", "docs/images/networks.png", "generated", 32, byContents(
			epsLinear, with(epsLinear, networks.Small),
			vCosine, with(vCosine, networks.Small),
		), true}, nil
	case "recipes":
		return comparison{"recipes", "", "photos", 96, recipes(), false}, nil
	}
	return comparison{}, fmt.Errorf("-of is %q: want predictions, networks or recipes", of)
}

// about describes what all have in common.
func (c comparison) about() string {
	if c.data == "photos" {
		return fmt.Sprintf("Each differs from the first in what its name says. The measures are means over %d held-out crops of %dx%d.",
			pictures, c.size, c.size)
	}
	return fmt.Sprintf("The batch is %d, the learning rate %g. Noise errors are means over %d batches, the rest over %d pictures "+
		"sampled by DDIM in %d steps.", srdiff.Config{}.WithDefaults().Training.BatchSize, learningRate, noiseTests, pictures, sampling)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop)
	of := flag.String("of", "predictions", "comparison: predictions, recipes, or networks, which needs PyTorch (make .lab/bench.ok)")
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
	data, err := openMaterial(ctx, what, dataset.Options{Seed: 1})
	if err != nil {
		return err
	}
	sources := map[int]dataset.Source{what.size: data.train}
	var contestants []contestant
	for _, n := range what.configs {
		c := n.config
		c.Training.LearningRate, c.Training.Seed = cmp.Or(c.Training.LearningRate, learningRate), 1
		m, err := srdiff.NewModel(eng.Backend, c)
		if err != nil {
			return err
		}
		size := m.Config.Training.ImageSize
		if sources[size] == nil {
			if sources[size], err = dataset.Open(ctx, what.data, dataset.Options{Seed: 1, Size: size}); err != nil {
				return err
			}
		}
		contestants = append(contestants, &learner{called: n.name, model: m, src: sources[size]})
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
	if err := inTurns(ctx, contestants, budget); err != nil {
		return err
	}
	text, sheet, err := measure(ctx, contestants, data)
	if err != nil {
		return err
	}
	text = fmt.Sprintf("Measured on %s by `quality -of %s -minutes %g`: %s of training for each, in turns of %s, on %s; seed 1. ",
		time.Now().Format(time.DateOnly), of, budget.Minutes(), budget, turnLength, with) + what.about() + "\n\n" + text
	fmt.Print(text)
	if what.sheet != "" {
		if err := imaging.WritePNG(what.sheet, sheet); err != nil {
			return err
		}
	}
	return section.Write(file, what.section, text)
}

// material holds the training pictures and the held-out pictures.
type material struct {
	train, heldOut dataset.Source
	originals, low []imaging.Picture // held out
}

func openMaterial(ctx context.Context, of comparison, o dataset.Options) (m material, err error) {
	o.Size = of.size
	if m.train, err = dataset.Open(ctx, of.data, o); err != nil {
		return m, err
	}
	o.HeldOut = true
	if m.heldOut, err = dataset.Open(ctx, of.data, o); err != nil {
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
		m.low = append(m.low, of.configs[0].config.WithDefaults().Degradation.Picture(p, 4))
	}
	return m, nil
}

// inTurns trains the contestants in turns for the same time, so that other load on the machine
// affects all equally.
func inTurns(ctx context.Context, contestants []contestant, budget time.Duration) error {
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
			ends <- turn{true, c.train(ctx, budget, func() {
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
	// A regression predicts no noise, and the consistency is with the tutorial's degradation.
	hasNoise := contestants[0].results()[0].noiseError != nil
	if hasNoise {
		b.WriteString("| | weights | steps | noise error | PSNR, dB | SSIM | consistency |\n|---|---|---|---|---|---|---|\n")
	} else {
		b.WriteString("| | weights | steps | PSNR, dB | SSIM |\n|---|---|---|---|---|\n")
	}
	captions := []string{"Original", "LR"}
	var shown [][]imaging.Picture
	for _, c := range contestants {
		var made []imaging.Picture // sampled with the last of its weights
		for _, r := range c.results() {
			fmt.Fprintf(os.Stderr, "measuring %s, %s weights\n", c.name(), r.weights)
			noise := 0.
			if hasNoise {
				if noise, err = r.noiseError(ctx, data.heldOut); err != nil {
					return "", nil, err
				}
			}
			if made, err = r.sample(ctx, data.low); err != nil {
				return "", nil, err
			}
			s, err := score(made, data.originals, data.low)
			if err != nil {
				return "", nil, err
			}
			if hasNoise {
				fmt.Fprintf(&b, "| %s | %s | %d | %.4f | %.2f | %.4f | %.1e |\n", c.name(), r.weights, c.steps(), noise, s.PSNR, s.SSIM, s.Consistency)
			} else {
				fmt.Fprintf(&b, "| %s | %s | %d | %.2f | %.4f |\n", c.name(), r.weights, c.steps(), s.PSNR, s.SSIM)
			}
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
	if hasNoise {
		fmt.Fprintf(&b, "| bicubic interpolation | | | | %.2f | %.4f | %.1e |\n", s.PSNR, s.SSIM, s.Consistency)
	} else {
		fmt.Fprintf(&b, "| bicubic interpolation | | | %.2f | %.4f |\n", s.PSNR, s.SSIM)
	}
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
