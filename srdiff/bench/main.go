// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// Command bench measures srdiff on its engines beside PyTorch and JAX doing the same work, and
// writes the result into docs/benchmarks.md. It is for srdiff's developers, who run it in the
// repository: see 'make bench'.
//
// Every contestant is a process of its own. They take turns in a random order in every round. All
// others are stopped while one is measured, so that other load on the machine affects all equally.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/srdiff/srlab/srdiff"
	"github.com/srdiff/srlab/srdiff/bench/process"
	"github.com/srdiff/srlab/srdiff/bench/section"
	"github.com/srdiff/srlab/srdiff/degrade"
	"github.com/srdiff/srlab/srdiff/diffusion"
	"github.com/srdiff/srlab/srdiff/networks"
	"github.com/srdiff/srlab/srdiff/nn"
)

func main() {
	err := func() error {
		if len(os.Args) == 5 && os.Args[1] == workerFlag {
			config := configs[os.Args[4]]
			config.Training.EMA, config.Training.Precision = -1, nn.Precision(os.Args[3])
			return work(os.Args[2], config, os.Stdin, os.Stdout)
		}
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		context.AfterFunc(ctx, stop)
		return run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	}()
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(os.Stderr, "bench: interrupted, nothing was written")
		os.Exit(130)
	default:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// workerFlag makes this program a contestant, on the engine, in the precision and with the network that follow.
const workerFlag = "-worker"

// tutorial is the network that is measured if no other is named. JAX has it too, and it alone samples.
const tutorial = "tutorial"

// configs are what -network names.
var configs = map[string]srdiff.Config{
	tutorial: {},
	"small":  {Network: networks.Config{Name: networks.Small}},
	"predictor": {
		Network:     networks.Config{Name: networks.PixelShuffle, Blocks: 12},
		Diffusion:   diffusion.Config{Prediction: diffusion.Regression},
		Degradation: lowResolution,
		Training:    srdiff.TrainingConfig{Loss: diffusion.L1, BatchSize: 16, ImageSize: 128},
	},
	"refiner": {
		Network:     networks.Config{Name: networks.Residual},
		Predictor:   networks.Config{Name: networks.PixelShuffle},
		Diffusion:   diffusion.Config{Prediction: diffusion.PredictV, Schedule: diffusion.Cosine},
		Degradation: lowResolution,
		Training:    srdiff.TrainingConfig{BatchSize: 16, ImageSize: 128},
	},
}

var lowResolution = degrade.Config{Kernel: degrade.MATLABBicubic}

// options are the flags.
type options struct {
	network, device, dtype, out, python string
	rounds, samples                     int
	quick                               bool
	warmUp                              int // train steps before the rounds
}

func parse(args []string, stderr io.Writer) (o options, err error) {
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(stderr)
	names := strings.Join(slices.Sorted(maps.Keys(configs)), ", ")
	f.StringVar(&o.network, "network", tutorial, names)
	f.StringVar(&o.device, "device", "cpu", "cpu or cuda")
	f.StringVar(&o.dtype, "dtype", "float32", "what all compute in: float32 or bfloat16 (autocast in PyTorch)")
	f.StringVar(&o.out, "out", "docs/benchmarks.md", "the file that gets the result, between its markers")
	f.StringVar(&o.python, "python", ".lab/bench-venv/bin/python", "a Python with srdiff/bench/requirements.txt")
	f.IntVar(&o.rounds, "rounds", 10, "how often each contestant trains and runs the network")
	f.IntVar(&o.samples, "samples", 2, "how often each samples the tutorial's network, after a first time that compiles; 0 for not at all")
	f.BoolVar(&o.quick, "quick", false, "one short round, to see that all works; writes no file")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if o.network != tutorial {
		o.samples = 0
	}
	o.warmUp = 20
	if o.quick {
		o.rounds, o.samples, o.warmUp = 1, 0, 2
	}
	_, known := configs[o.network]
	switch {
	case f.NArg() > 0:
		return o, fmt.Errorf("argument %q: want flags only, see -help", f.Arg(0))
	case !known:
		return o, fmt.Errorf("-network is %q: want one of %s", o.network, names)
	case o.device != "cpu" && o.device != "cuda":
		return o, fmt.Errorf("-device is %q: want cpu or cuda", o.device)
	case nn.Precision(o.dtype).Validate() != nil:
		return o, fmt.Errorf("-dtype: %w", nn.Precision(o.dtype).Validate())
	case o.rounds < 1 || o.samples < 0:
		return o, errors.New("want 1 round or more, and 0 samples or more")
	}
	return o, nil
}

// run measures, prints the result, and writes it into the file.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	if !o.quick {
		if err := section.Check(o.out, o.section()); err != nil { // before the long measurement
			return err
		}
	}
	list, err := contestants(o)
	if err != nil {
		return err
	}
	busy := loadWarning()
	results, notes, err := measure(ctx, list, o, stderr)
	if err != nil {
		return err
	}
	text := introduction(o, results) + tables(configs[o.network].WithDefaults().Training.BatchSize, results) + bulletList(append(busy, notes...))
	fmt.Fprint(stdout, text)
	if o.quick {
		return nil
	}
	return section.Write(o.out, o.section(), text)
}

// section returns the name of the result's section in the file.
func (o options) section() string {
	name := o.device
	if o.network != tutorial {
		name += " " + o.network
	}
	if o.dtype != "float32" {
		name += " " + o.dtype
	}
	return name
}

// contestant is a program to measure.
type contestant struct {
	name    string
	ours    bool // an engine of srdiff
	command []string
}

func contestants(o options) (list []contestant, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	engines := []string{"xla:" + o.device}
	if o.device == "cpu" && nn.Precision(o.dtype) == nn.Float32 {
		engines = append(engines, "go")
	}
	for _, name := range engines {
		list = append(list, contestant{name, true, []string{self, workerFlag, name, o.dtype, o.network}})
	}
	others := []string{"torch-eager", "torch-channels-last", "torch-compile"}
	if o.network == tutorial {
		others = append(others, "jax")
	}
	for _, name := range others {
		list = append(list, contestant{name, false, []string{o.python, "srdiff/bench/reference.py", name,
			"--network", o.network, "--device", o.device, "--dtype", o.dtype}})
	}
	return list, nil
}

// result holds the measurements of a contestant, with times in seconds.
type result struct {
	contestant
	about          string
	load, first    float64   // from its start to the end of loading, and of the first train step
	loss           float64   // the mean of the warm-up's steps
	train, forward []float64 // a step, a pass: one value a round
	firstSample    float64   // sampling for the first time, 0 if it was not
	sample         []float64 // sampling after that
	overhead       []float64 // relative time of sampling beyond that of 1000 forward passes
	memory         float64   // the most resident memory in MB
}

// runner is a contestant at work.
type runner struct {
	*process.Process
	result
	steps, passes int // in a round
}

// The time of a contestant's turn, and the limits above which it samples once only or not at all.
const (
	trainSeconds   = 0.5
	forwardSeconds = 0.3
	sampleOnce     = 60
	sampleNever    = 300
	reverseSteps   = 1000
)

// measure measures the contestants in turns. It omits one that fails; notes give the reason.
func measure(ctx context.Context, list []contestant, o options, log io.Writer) (
	results []result, notes []string, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var running []*runner
	defer func() {
		for _, r := range running {
			r.End()
		}
	}()
	omit := func(name string, err error) {
		why := strings.TrimSuffix(strings.TrimPrefix(err.Error(), name+": "), ".")
		notes = append(notes, fmt.Sprintf("%s is omitted: %s.", name, why))
		fmt.Fprintln(log, notes[len(notes)-1])
	}
	// turns calls do for every remaining runner while the others are stopped.
	turns := func(do func(*runner) error) {
		for _, i := range rand.Perm(len(running)) {
			r := running[i]
			err := r.Continue()
			if err == nil {
				err = do(r)
			}
			if err == nil {
				err = r.Stop()
			}
			if err != nil && ctx.Err() == nil {
				r.End()
				omit(r.name, err)
				running[i] = nil
			}
		}
		running = slices.DeleteFunc(running, func(r *runner) bool { return r == nil })
	}

	for _, c := range list {
		fmt.Fprintf(log, "starting %s\n", c.name)
		r, err := begin(ctx, c, o.warmUp)
		if err == nil {
			running = append(running, r)
		} else if ctx.Err() == nil {
			omit(c.name, err)
		}
	}
	for round := 1; round <= o.rounds && ctx.Err() == nil; round++ {
		fmt.Fprintf(log, "round %d of %d\n", round, o.rounds)
		turns((*runner).round)
	}
	for n := 0; n <= o.samples && o.samples > 0 && ctx.Err() == nil; n++ {
		fmt.Fprintf(log, "sampling, %d of %d\n", n+1, o.samples+1)
		turns(func(r *runner) error {
			note, err := r.sampling(n == 0)
			if note != "" {
				notes = append(notes, note)
			}
			return err
		})
	}
	if ctx.Err() != nil {
		return nil, nil, ctx.Err()
	}
	for _, r := range running {
		r.memory = r.PeakMB()
		results = append(results, r.result)
	}
	if !slices.ContainsFunc(results, func(r result) bool { return r.ours }) {
		return nil, nil, errors.New("no engine of srdiff could be measured: see above")
	}
	return results, notes, nil
}

// begin starts a contestant, warms it up, and stops it.
func begin(ctx context.Context, c contestant, warmUp int) (*runner, error) {
	r := &runner{result: result{contestant: c}}
	started := time.Now()
	var err error
	if r.Process, err = process.Start(ctx, c.command); err != nil {
		return nil, err
	}
	var loaded, stepped answer
	if err := r.Answer(&loaded); err != nil {
		return nil, err
	}
	r.about, r.load = loaded.About, time.Since(started).Seconds()
	if err := r.Answer(&stepped); err != nil {
		return nil, err
	}
	r.first = time.Since(started).Seconds()
	trained, err := r.ask("train %d", warmUp)
	if err != nil {
		return nil, err
	}
	r.loss = trained.Loss
	if _, err := r.ask("forward 1"); err != nil { // compiles
		return nil, err
	}
	passed, err := r.ask("forward 3")
	if err != nil {
		return nil, err
	}
	r.steps = times(trainSeconds, trained.Seconds/float64(warmUp))
	r.passes = times(forwardSeconds, passed.Seconds/3)
	return r, r.Stop()
}

// ask sends a request to the contestant and returns its answer.
func (r *runner) ask(format string, args ...any) (a answer, err error) {
	err = r.Ask(&a, format, args...)
	return a, err
}

// times returns how many runs of each seconds fit into the given seconds, from 1 to 200.
func times(seconds, each float64) int { return int(min(max(seconds/each, 1), 200)) }

// round measures train steps and forward passes once.
func (r *runner) round() error {
	a, err := r.ask("train %d", r.steps)
	if err != nil {
		return err
	}
	r.train = append(r.train, a.Seconds/float64(r.steps))
	_, err = r.pass()
	return err
}

// pass measures forward passes once, and returns the seconds of one.
func (r *runner) pass() (float64, error) {
	a, err := r.ask("forward %d", r.passes)
	if err != nil {
		return 0, err
	}
	seconds := a.Seconds / float64(r.passes)
	r.forward = append(r.forward, seconds)
	return seconds, nil
}

// sampling measures sampling once, unless it takes too long; the first call then returns a note.
func (r *runner) sampling(first bool) (note string, err error) {
	pass, err := r.pass()
	if err != nil {
		return "", err
	}
	switch expected := reverseSteps * minimum(r.forward); {
	case expected > sampleNever && first:
		return fmt.Sprintf("%s does not sample here: it would take about %.0f minutes.", r.name, expected/60), nil
	case expected > sampleOnce && first:
		note = fmt.Sprintf("%s samples once only, compiling included.", r.name)
	case expected > sampleOnce:
		return "", nil
	}
	a, err := r.ask("sample")
	if err != nil {
		return "", err
	}
	if first {
		r.firstSample = a.Seconds
	}
	if !first || note != "" {
		r.sample = append(r.sample, a.Seconds)
		r.overhead = append(r.overhead, a.Seconds/(reverseSteps*pass)-1)
	}
	return note, nil
}
