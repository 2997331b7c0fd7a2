// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"image"
	"io"
	"math/bits"
	"os"
	"path/filepath"
	"time"

	"github.com/gomlx/compute"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/srdiff/srlab/srdiff"
	"github.com/srdiff/srlab/srdiff/dataset"
	"github.com/srdiff/srlab/srdiff/engine"
	"github.com/srdiff/srlab/srdiff/imaging"
)

// trainOptions are the flags of "srdiff train".
type trainOptions struct {
	config                  srdiff.Config
	sampling                srdiff.SampleOptions // of the sample grids
	data, out, engine, from string
	steps, devices          int
	resume                  bool
}

func trainCommand() *cobra.Command {
	o := trainOptions{
		config: srdiff.Config{}.WithDefaults(),
		steps:  7813, // the tutorial's 5 epochs of CIFAR-10: 5 * 50,000 / 32

		devices: 1,
	}
	o.config.Network.BaseChannels, o.config.Training.ImageSize = 0, 0 // each network and factor has its own
	cmd := &cobra.Command{
		Use:   "train --data SPEC --out DIR",
		Short: "Train a network, the tutorial's or a better one",
		Long: "Train a network, the tutorial's or a better one. DIR gets " + srdiff.ModelFile + ", " + srdiff.MetricsFile +
			", sample grids, and " + srdiff.TrainingFile + " for --resume. An interrupt saves and stops.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.run(cmd.Context(), cmd.Flags(), cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.data, "data", "", "pictures to learn from: cifar10, cifar10:PATH, images:DIR or generated")
	flags.StringVar(&o.from, "from", "", "model to begin with: weights of the same name and shape are taken from it")
	flags.StringVar(&o.out, "out", "", "folder for the results")
	intFlag(flags, &o.steps, "train-steps", "stop when the network has seen this many batches altogether")
	scheduleFlags(flags, &o.config)
	trainingFlags(flags, &o.config)
	samplingFlags(flags, &o.sampling)
	devicesFlag(flags, &o.devices)
	flags.BoolVar(&o.resume, "resume", false, "go on with the run in DIR where it was last saved")
	engineFlag(flags, &o.engine)
	required(cmd, "data", "out")
	return cmd
}

func (o *trainOptions) run(ctx context.Context, flags *pflag.FlagSet, log io.Writer) error {
	if err := o.config.Validate(); err != nil {
		return err
	}
	eng, err := engine.Open(o.engine)
	if err != nil {
		return err
	}
	m, err := o.model(eng.Backend, flags, log)
	if err != nil {
		return err
	}
	m.Devices = o.devices
	if err := o.sampling.Validate(m.Config); err != nil {
		return err
	}
	line := newProgressLine(log)
	src, heldOut, err := openPictures(ctx, o.data, m.Config, line)
	if err != nil {
		return err
	}
	fmt.Fprintf(log, "engine   %s\n", eng)
	fmt.Fprintf(log, "data     %s\n", src.Name())
	fmt.Fprintf(log, "network  %d parameters, at step %d of %d\n", m.NumParameters(), m.Step, o.steps)
	fmt.Fprintf(log, "results  %s\n", o.out)
	if m.Step >= o.steps {
		fmt.Fprintf(log, "nothing to do: the network has seen %d batches already\n", m.Step)
		return nil
	}
	var sampling error // does not end the training
	err = m.Train(ctx, src, o.steps, o.out, func(p srdiff.Progress) {
		last := p.Step == p.Steps || ctx.Err() != nil
		line.show(last, "step %d of %d, loss %.4f, %.1f images/s, %s left",
			p.Step, p.Steps, p.Loss, p.ImagesPerSecond, p.Left.Round(time.Second))
		if ctx.Err() == nil && (p.Step == p.Steps || isSamplePoint(p.Step)) && sampling == nil {
			line.end()
			sampling = sampleGrid(ctx, m, o.sampling, heldOut, filepath.Join(o.out, fmt.Sprintf("samples-%06d.png", m.Step)), line,
				record{Run: folderName(o.out), Options: optionsOf(flags, m.Config), Engine: eng.Name})
		}
	})
	line.end()
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("%w; --resume goes on from there", err)
	}
	if err != nil {
		return err
	}
	if sampling != nil {
		return fmt.Errorf("the model is trained and saved; sampling from it failed: %w", sampling)
	}
	fmt.Fprintf(log, "done: %s\n", filepath.Join(o.out, srdiff.ModelFile))
	return nil
}

// model returns the network to train: a new one, or the one of the run to resume.
func (o *trainOptions) model(backend compute.Backend, flags *pflag.FlagSet, log io.Writer) (*srdiff.Model, error) {
	old, err := srdiff.Resume(backend, o.out)
	if o.resume && err != nil {
		return nil, err
	}
	if !o.resume {
		if err == nil {
			return nil, fmt.Errorf("%s holds a training run at step %d: add --resume to go on with it, "+
				"or give another --out", o.out, old.Step)
		}
		// What cannot be resumed may still be worth something to its owner.
		for _, name := range []string{srdiff.TrainingFile, srdiff.ModelFile} {
			if _, err := os.Stat(filepath.Join(o.out, name)); err == nil {
				return nil, fmt.Errorf("%s holds a %s, which training would replace: give another --out", o.out, name)
			}
		}
		m, err := srdiff.NewModel(backend, o.config)
		if err != nil || o.from == "" {
			return m, err
		}
		taken, err := m.InitFrom(o.from)
		if err == nil {
			fmt.Fprintf(log, "weights  %d from %s\n", taken, o.from)
		}
		return m, err
	}
	reportDamaged(log, old)
	// What is not said again is as it was; the learning rate may change on the way, nothing else may. So the flags that were
	// given are set once more, on the old run's configuration.
	given := map[string]string{}
	flags.Visit(func(f *pflag.Flag) { given[f.Name] = f.Value.String() })
	o.config = old.Config
	for name, text := range given {
		before := o.config
		if err := flags.Lookup(name).Value.Set(text); err != nil {
			return nil, fmt.Errorf("--%s: %w", name, err)
		}
		if name != "lr" && o.config != before {
			return nil, fmt.Errorf("--%s is not what the run in %s began with: leave it away, or give another --out",
				name, o.out)
		}
	}
	old.Config.Training.LearningRate = o.config.Training.LearningRate
	return old, nil
}

// reportDamaged tells of the checkpoints that resuming passed over.
func reportDamaged(log io.Writer, m *srdiff.Model) {
	for _, damaged := range m.Damaged {
		fmt.Fprintf(log, "%v: going on from step %d\n", damaged, m.Step)
	}
}

// isSamplePoint is true at 1000, 2000, 4000, 8000, ... steps: sampling takes a minute or so, learning slows down.
func isSamplePoint(step int) bool { return step%1000 == 0 && bits.OnesCount(uint(step/1000)) == 1 }

// openPictures opens the pictures to learn from, and those that are held out.
func openPictures(ctx context.Context, spec string, c srdiff.Config, line *progressLine) (src, heldOut dataset.Source, err error) {
	o := dataset.Options{Size: c.Training.ImageSize, Seed: uint64(c.Training.Seed), Progress: func(done, total int64) {
		line.show(done == total, "downloading: %d of %d MB", done>>20, total>>20)
	}}
	if src, err = dataset.Open(ctx, spec, o); err != nil {
		return nil, nil, err
	}
	o.HeldOut = true
	heldOut, err = dataset.Open(ctx, spec, o)
	return src, heldOut, err
}

// sampleGrid writes a sheet of held-out pictures: original, low-resolution input, generated. The record of what made it lacks
// only what the model knows.
func sampleGrid(ctx context.Context, m *srdiff.Model, sampling srdiff.SampleOptions, src dataset.Source, path string,
	line *progressLine, made record) error {
	const count = 4
	batch, err := dataset.Batch(src, count, 0)
	if err != nil {
		return err
	}
	originals, err := srdiff.Pictures(batch)
	if err != nil {
		return err
	}
	low := shrink(m.Config, originals)
	var rest remaining
	sampling.Seed = m.Config.Training.Seed
	sampling.Each = func(s srdiff.SampleStep) {
		line.show(s.Done == s.Steps, "sampling %d pictures: %d of %d steps%s",
			count, s.Done, s.Steps, rest.left(float64(s.Done), float64(s.Steps)))
	}
	generated, err := m.Sample(ctx, sampling, low...)
	line.end()
	if err != nil {
		return err
	}
	var sheet []image.Image
	for i := range originals {
		sheet = append(sheet, originals[i].Image(), low[i].Image(), generated[i].Image())
	}
	made.Step, made.Seed = m.Step, m.Config.Training.Seed
	return imaging.WritePNG(path, imaging.Grid(3, []string{"Original", "LR", "Generated"}, sheet...), made.chunk())
}

// shrink returns the low-resolution pictures that the condition is made of.
func shrink(c srdiff.Config, pictures []imaging.Picture) []imaging.Picture {
	low := make([]imaging.Picture, len(pictures))
	for i, p := range pictures {
		low[i] = c.Degradation.Picture(p, c.Factor)
	}
	return low
}
