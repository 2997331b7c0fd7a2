// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"math/bits"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/gomlx/compute"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/srdiff/srlab/srdiff"
	"github.com/srdiff/srlab/srdiff/dataset"
	"github.com/srdiff/srlab/srdiff/degrade"
	"github.com/srdiff/srlab/srdiff/engine"
	"github.com/srdiff/srlab/srdiff/imaging"
	"github.com/srdiff/srlab/srdiff/nn"
)

// trainOptions are the flags of "srdiff train".
type trainOptions struct {
	config            srdiff.Config
	sampling          srdiff.SampleOptions // of the sample grids
	data, out, engine string
	from              []string
	precision         string // a nn.Precision, or auto
	steps, devices    int
	resume, newData   bool
}

func trainCommand() *cobra.Command {
	o := trainOptions{
		config: srdiff.Config{}.WithDefaults(),
		steps:  7813, // the tutorial's 5 epochs of CIFAR-10: 5 * 50,000 / 32

		devices: 1,
	}
	o.config.Network.BaseChannels, o.config.Training.ImageSize = 0, 0 // each network and factor has its own
	cmd := &cobra.Command{
		Use:   "train [--data SPEC] --out DIR",
		Short: "Train a network, the tutorial's or a better one",
		Long: "Train a network, the tutorial's or a better one. DIR gets " + srdiff.ModelFile + ", " + srdiff.MetricsFile +
			", sample grids, and " + srdiff.TrainingFile + " for --resume. An interrupt\n" +
			"saves and stops, and so does the end of the program that reads the messages.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.run(cmd.Context(), cmd.Flags(), cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.data, "data", "photos", "training pictures: "+dataset.Specs())
	flags.StringArrayVar(&o.from, "from", nil, "model to start from: its weights of the same name and shape are copied; of several, the last counts")
	flags.StringVar(&o.out, "out", "", "folder for the results")
	intFlag(flags, &o.steps, "train-steps", "total number of training batches, including those before --resume")
	scheduleFlags(flags, &o.config)
	trainingFlags(flags, &o.config)
	flags.StringVar(&o.precision, "precision", autoPrecision,
		"number type that training computes in: float32, bfloat16, or auto for bfloat16 where the engine is faster in it")
	samplingFlags(flags, &o.sampling)
	devicesFlag(flags, &o.devices)
	flags.BoolVar(&o.resume, "resume", false, "continue the run in DIR from its last checkpoint")
	flags.BoolVar(&o.newData, "new-data", false, "resume with other data than the run began with")
	engineFlag(flags, &o.engine)
	required(cmd, "out")
	return cmd
}

func (o *trainOptions) run(ctx context.Context, flags *pflag.FlagSet, log io.Writer) error {
	if err := o.check(flags); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	onClosedPipe(log, stop) // a closed pipe ends the run as an interrupt does
	eng, err := engine.Open(o.engine)
	if err != nil {
		return err
	}
	if o.precision == autoPrecision && eng.FastBFloat16 {
		o.config.Training.Precision = nn.BFloat16
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
	src, heldOut, err := openPictures(ctx, o.data, o.out, m.Config, line)
	if err != nil {
		return err
	}
	printLine(log, "engine   %s", eng)
	printLine(log, "data     %s", src.Name())
	skipped := reportSkipped(log, src, "")
	printLine(log, "network  %d parameters in %s, at step %d of %d", m.NumParameters(), m.Config.Training.Precision, m.Step, o.steps)
	printLine(log, "results  %s", o.out)
	if m.Step >= o.steps {
		printLine(log, "nothing to do: the network is already trained for %d batches", m.Step)
		return nil
	}
	if err := checkDiskSpace(o.out, m.NumParameters()*bytesPerParameter); err != nil {
		return err
	}
	data := dataRecorder{dataRecord: recordOfData(o.data, src), dir: o.out}
	if data.isNew, err = data.check(o.out, o.resume, o.newData, log); err != nil {
		return err
	}
	defer data.removeUnsaved(o.out)
	var sampling error // does not end the training
	err = m.Train(ctx, src, o.steps, o.out, func(p srdiff.Progress) {
		data.writeOnce()
		last := p.Step == p.Steps || ctx.Err() != nil
		line.show(last, "step %d of %d, loss %.4f, %.1f images/s, %s left",
			p.Step, p.Steps, p.Loss, p.ImagesPerSecond, p.Left.Round(time.Second))
		if ctx.Err() == nil && (p.Step == p.Steps || isSamplePoint(p.Step)) && sampling == nil {
			line.end()
			sampling = sampleGrid(ctx, m, o.sampling, heldOut, filepath.Join(o.out, sampleName(m.Step)), line,
				provenance{Run: folderName(o.out), Options: optionsOf(flags, m.Config), Engine: eng.Name})
		}
	})
	line.end()
	reportSkipped(log, src, skipped)
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("%w; --resume continues from there", err)
	}
	if err == nil {
		err = data.err
	}
	if err != nil {
		return err
	}
	if sampling != nil {
		return fmt.Errorf("the model is trained and saved; sampling from it failed: %w", sampling)
	}
	printLine(log, "done: %s", filepath.Join(o.out, srdiff.ModelFile))
	return nil
}

// autoPrecision is the choice of the precision by the engine.
const autoPrecision = "auto"

// bytesPerParameter is the disk space of a run for each parameter of the network: a checkpoint has
// its weight, average and two moments, and there are three of them, one more while it is written,
// and the model.
const bytesPerParameter = 4 * (4*4 + 1)

// check finds mistakes of the command line before the engine is opened.
func (o *trainOptions) check(flags *pflag.FlagSet) error {
	if o.newData && !o.resume {
		return errors.New("--new-data has no effect without --resume: omit it")
	}
	if o.precision != autoPrecision {
		o.config.Training.Precision = nn.Precision(o.precision)
	}
	if err := o.config.Training.Precision.Validate(); err != nil {
		return fmt.Errorf("%w, or %s", err, autoPrecision)
	}
	if !o.resume { // a run that is resumed has a configuration of its own
		if err := o.config.Validate(); err != nil {
			return err
		}
		if err := checkScheduleFlags(flags, o.config); err != nil {
			return err
		}
	}
	sheets := []string{sampleName(o.steps)}
	for step := 1000; step < min(o.steps, 1<<30); step *= 2 {
		sheets = append(sheets, sampleName(step))
	}
	if err := checkOutsideData(o.data, o.out); err != nil {
		return err
	}
	return checkRunFolder(o.out, sheets...)
}

func sampleName(step int) string { return fmt.Sprintf("samples-%06d.png", step) }

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
		// Files that cannot be resumed may still be of value.
		for _, name := range append(olderCheckpoints(o.out), srdiff.TrainingFile, srdiff.ModelFile) {
			if _, err := os.Stat(filepath.Join(o.out, name)); err == nil {
				return nil, fmt.Errorf("%s holds a %s, which training would replace: give another --out", o.out, name)
			}
		}
		m, err := srdiff.NewModel(backend, o.config)
		if err != nil {
			return nil, err
		}
		for _, from := range o.from {
			taken, err := m.InitFrom(from)
			if err != nil {
				return nil, err
			}
			printLine(log, "weights  %d from %s", taken, from)
		}
		return m, nil
	}
	reportDamaged(log, old)
	// Only the learning rate may change. So the flags that were given are set once more, on the
	// configuration of the run.
	given := map[string]string{}
	flags.Visit(func(f *pflag.Flag) { given[f.Name] = f.Value.String() })
	o.config = old.Config
	for name, text := range given {
		before := o.config
		if err := flags.Lookup(name).Value.Set(text); err != nil {
			return nil, fmt.Errorf("--%s: %w", name, err)
		}
		changed := o.config.WithDefaults() != before.WithDefaults() ||
			name == "precision" && text != autoPrecision && nn.Precision(text) != o.config.Training.Precision
		if name != "lr" && changed {
			return nil, fmt.Errorf("--%s is not what the run in %s began with: omit it, or give another --out",
				name, o.out)
		}
	}
	if err := o.config.Validate(); err != nil {
		return nil, err
	}
	if err := checkScheduleFlags(flags, o.config); err != nil {
		return nil, err
	}
	old.Config.Training.LearningRate = o.config.Training.LearningRate
	return old, nil
}

// reportDamaged prints the damaged checkpoints that resuming skipped.
func reportDamaged(log io.Writer, m *srdiff.Model) {
	for _, damaged := range m.Damaged {
		printLine(log, "%v: going on from step %d", damaged, m.Step)
	}
}

// isSamplePoint reports whether step is 1000, 2000, 4000, 8000, ...: sampling takes about a minute,
// and later steps change less.
func isSamplePoint(step int) bool { return step%1000 == 0 && bits.OnesCount(uint(step/1000)) == 1 }

// openPictures opens the training pictures and the held-out pictures. It excludes the folder of the
// results.
func openPictures(ctx context.Context, spec, results string, c srdiff.Config, line *progressLine) (src, heldOut dataset.Source, err error) {
	o := dataset.Options{Size: c.Training.ImageSize, Seed: uint64(c.Training.Seed), Exclude: results, Progress: func(done, total int64) {
		line.show(done == total, "downloading: %d of %d MB", done>>20, total>>20)
	}}
	if src, err = dataset.Open(ctx, spec, o); err != nil {
		return nil, nil, err
	}
	o.HeldOut, o.Share = true, src
	heldOut, err = dataset.Open(ctx, spec, o)
	return src, heldOut, err
}

// sampleGrid writes a sheet of held-out pictures: original, low-resolution input, generated. made
// is its provenance, to which the step and the seed are added.
func sampleGrid(ctx context.Context, m *srdiff.Model, sampling srdiff.SampleOptions, src dataset.Source, path string,
	line *progressLine, made provenance) error {
	const count = 4
	batch, err := dataset.Batch(src, count, 0)
	if err != nil {
		return err
	}
	originals, err := srdiff.Pictures(batch)
	if err != nil {
		return err
	}
	var rest timeLeft
	sampling.Seed = m.Config.Training.Seed
	low, err := degradePictures(m.Config, originals, sampling, 0)
	if err != nil {
		return err
	}
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

// degradePictures returns the low-resolution pictures of the condition. Their noise is that of
// o.Noise, or a registered degradation's. first is the number of the first picture, from which and
// from the seed all that is random follows.
func degradePictures(c srdiff.Config, pictures []imaging.Picture, o srdiff.SampleOptions, first int) ([]imaging.Picture, error) {
	d, err := degrade.New(c.Degradation)
	if err != nil {
		return nil, err
	}
	low := make([]imaging.Picture, len(pictures))
	for i, p := range pictures {
		if c.Degradation.Name != "" {
			low[i], _ = d.Apply(rand.New(rand.NewPCG(uint64(o.Seed), uint64(first+i))), p, c.Factor)
			continue
		}
		low[i] = degrade.Noisy(c.Degradation.Picture(p, c.Factor), o.Noise, o.Seed, first+i)
	}
	return low, nil
}
