// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"
	"github.com/gomlx/gomlx/ml/train/optimizer"
	"github.com/srdiff/srlab/srdiff/checkpoint"
	"github.com/srdiff/srlab/srdiff/dataset"
)

// The files that Train keeps in its folder.
const (
	ModelFile    = "model.safetensors"    // the weights: see Model.Save
	TrainingFile = "training.safetensors" // all that Resume needs: weights, Adam's moments, random state
	MetricsFile  = "metrics.jsonl"        // one Progress a line
)

// maxSteps is what GoMLX's loop has memory for, which keeps the time of every step.
const maxSteps = 100_000_000

// saveEvery is how much work a power cut can cost.
const saveEvery = time.Minute

// Progress is what a training run tells its listeners after every step.
type Progress struct {
	Step            int           `json:"step"` // steps that the weights have seen
	Steps           int           `json:"-"`    // the step at which the run ends
	Loss            float64       `json:"loss"` // of the step's batch: see Loss
	ImagesPerSecond float64       `json:"images_per_second"`
	Elapsed, Left   time.Duration `json:"-"`
	Saved           bool          `json:"-"` // the files were written at this step
}

// Train trains the model on batches of src until it has seen the given number of steps altogether, the tutorial's
// train_diffusion. Each step is, for a batch x_0:
//
//	y = Condition(x_0);  t ~ U{0..T-1};  eps ~ N(0, I);  minimise Loss(x_0, y, t, eps) with Adam
//
// Batches, timesteps and noise follow from Config.Seed and the step, so that a run that was stopped and resumed gives the
// weights of one that was not. With a folder dir (made if missing; "" for none), the files above are written there every
// minute, at the end, and when ctx ends, which stops training after the step at hand; then the error wraps ctx's.
//
// Each listener is called after every step, in order. A loss that is not finite ends training with an error; what was
// saved before stays.
func (m *Model) Train(ctx context.Context, src dataset.Source, steps int, dir string, on ...func(Progress)) (err error) {
	if src.Size() != m.Config.ImageSize {
		return fmt.Errorf("the pictures of %s are %d pixels wide and the model is for %d: want the same size",
			src.Name(), src.Size(), m.Config.ImageSize)
	}
	if steps <= m.Step {
		return nil
	}
	if steps > maxSteps {
		return fmt.Errorf("training for %d steps: want at most %d", steps, maxSteps)
	}
	if dir != "" {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("making the output folder: %w", err)
		}
		metrics, err := openMetrics(filepath.Join(dir, MetricsFile), m.Step)
		if err != nil {
			return err
		}
		defer func() {
			if closing := metrics.close(); err == nil {
				err = closing
			}
		}()
		on = append([]func(Progress){metrics.write}, on...)
	}
	if m.store.GetVariable(model.RNGStateVariableName) == nil {
		if err := m.store.SetRNGStateFromSeed(m.Config.Seed); err != nil {
			return fmt.Errorf("seeding the noise: %w", err)
		}
	}
	trainer := train.NewTrainer(m.backend, m.store, m.trainStep,
		func(_, predictions []*Node) *Node { return predictions[0] }, // trainStep returns the loss
		m.optimizer(), nil, nil)
	loop := train.NewLoop(trainer)

	// The loop wraps what a hook returns in the names of its own parts; ended is the plain error.
	var ended error
	run := newClock(m.Step)
	loop.OnStep("srdiff", 0, func(_ *train.Loop, metrics []*tensors.Tensor) error {
		ended = m.afterStep(ctx, run, steps, dir, float64(tensors.ToScalar[float32](metrics[0])), on)
		return ended
	})
	_, err = loop.RunSteps(dataset.Batches(src, m.Config.BatchSize, int64(m.Step)), steps-m.Step)
	if ended != nil {
		return ended
	}
	return err
}

// afterStep counts the step just done, saves when it is time, and tells the listeners. It returns an error to end the run.
func (m *Model) afterStep(ctx context.Context, run *clock, steps int, dir string, loss float64, on []func(Progress)) error {
	if math.IsNaN(loss) || math.IsInf(loss, 0) {
		return fmt.Errorf("the loss is %g at step %d: training diverged, use a smaller learning rate than %g",
			loss, m.Step+1, m.Config.LearningRate)
	}
	m.Step++
	p := run.progress(m, steps, loss)
	stopped := ctx.Err() // asked once: a run that stops here is saved here
	if dir != "" && (m.Step == steps || stopped != nil || time.Since(run.saved) >= saveEvery) {
		if err := m.saveTraining(dir); err != nil {
			return err
		}
		p.Saved, run.saved = true, time.Now()
	}
	for _, tell := range on {
		tell(p)
	}
	run.last = time.Now() // what the listeners took is no step's time
	if stopped != nil && m.Step < steps {
		message := fmt.Sprintf("training stopped at step %d of %d", m.Step, steps)
		if dir != "" {
			message += ", and is saved in " + dir
		}
		return &stoppedError{message, stopped}
	}
	return nil
}

// stoppedError is the end of work that its context ended: it says how far the work had come, and wraps the context's error.
type stoppedError struct {
	message string
	cause   error
}

func (e *stoppedError) Error() string { return e.message }
func (e *stoppedError) Unwrap() error { return e.cause }

// optimizer is Adam with PyTorch's defaults. (GoMLX's differ in epsilon, 1e-7.)
func (m *Model) optimizer() optimizer.Interface {
	return optimizer.Adam().LearningRate(m.Config.LearningRate).Epsilon(1e-8).Done()
}

// trainStep builds the loss of one batch of pictures x0 [batch, height, width, 3] as a scalar.
func (m *Model) trainStep(scope *model.Scope, x0 *Node) *Node {
	g := x0.Graph()
	t := scope.RandomIntN(g, int64(m.schedule.Timesteps), shapes.Make(dtypes.Int32, x0.Shape().Dimensions[0]))
	eps := clipNormal(scope.RandomNormal(g, x0.Shape()))
	return Loss(network(scope), m.schedule, m.Config.BaseChannels, x0, Condition(x0), t, eps)
}

// clock measures a run.
type clock struct {
	first                int // the step at which the run began
	started, saved, last time.Time
	perStep              float64 // seconds, averaged over the last steps
}

func newClock(step int) *clock {
	now := time.Now()
	return &clock{first: step, started: now, saved: now, last: now}
}

// progress takes the time of the step just done.
func (c *clock) progress(m *Model, steps int, loss float64) Progress {
	now := time.Now()
	seconds := now.Sub(c.last).Seconds()
	c.last = now
	switch done := m.Step - c.first; {
	case done <= 2: // the first step compiles the program
		c.perStep = seconds
	default:
		c.perStep += 0.1 * (seconds - c.perStep)
	}
	return Progress{
		Step: m.Step, Steps: steps, Loss: loss,
		ImagesPerSecond: float64(m.Config.BatchSize) / c.perStep,
		Elapsed:         now.Sub(c.started),
		Left:            time.Duration(float64(steps-m.Step) * c.perStep * float64(time.Second)),
	}
}

// saveTraining writes what Resume needs and then the model, each whole or not at all. Should the second fail, the first
// still holds everything.
func (m *Model) saveTraining(dir string) error {
	file := checkpoint.File{Tensors: map[string]*tensors.Tensor{}}
	for v := range m.store.IterVariables() {
		value, err := v.Value()
		if err != nil {
			return fmt.Errorf("saving %s: %w", v.Path(), err)
		}
		file.Tensors[v.Path()] = value
	}
	if err := m.write(filepath.Join(dir, TrainingFile), file); err != nil {
		return err
	}
	return m.Save(filepath.Join(dir, ModelFile))
}

// Resume returns the model of a training run as it was last saved in dir, so that Train goes on where it stopped.
func Resume(backend compute.Backend, dir string) (*Model, error) {
	path := filepath.Join(dir, TrainingFile)
	m, file, err := open(backend, path)
	if err != nil {
		return nil, fmt.Errorf("nothing to resume: %w", err)
	}
	for _, p := range unetParameters(m.Config.BaseChannels) {
		t := file.Tensors[p.path()]
		if want := shapes.Make(dtypes.Float32, p.dims...); t == nil || !t.Shape().Equal(want) {
			return nil, fmt.Errorf("%s does not fit: weight %s is missing or not %s", path, p.name, want)
		}
	}
	for name, t := range file.Tensors {
		v, err := m.store.CreateVariable(name, t)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", path, name, err)
		}
		v.SetTrainable(strings.HasPrefix(name, "/"+weightsScope+"/"))
	}
	return m, nil
}

// NoiseError returns the mean of Loss over the first batches of src, with timesteps and noise that follow from the seed
// alone: on pictures that training does not see, it tells how well the network predicts noise.
func (m *Model) NoiseError(ctx context.Context, src dataset.Source, batches int, seed int64) (float64, error) {
	if m.noiseError == nil {
		var err error
		m.noiseError, err = model.NewExec(m.backend, m.store, m.noiseErrorGraph)
		if err != nil {
			return 0, err
		}
	}
	rng, err := RNGStateFromSeed(seed)
	if err != nil {
		return 0, err
	}
	sum := 0.0
	for n := range batches {
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		x0, err := dataset.Batch(src, m.Config.BatchSize, int64(n))
		if err != nil {
			return 0, err
		}
		out, err := m.noiseError.Call(x0, rng)
		if err != nil {
			return 0, fmt.Errorf("measuring the noise error: %w", err)
		}
		sum += float64(tensors.ToScalar[float32](out[0]))
		rng = out[1]
	}
	return sum / float64(batches), nil
}

// noiseErrorGraph is trainStep with a random state of its own: (x_0, random state) -> (loss, random state).
func (m *Model) noiseErrorGraph(scope *model.Scope, inputs []*Node) []*Node {
	x0, rng := inputs[0], inputs[1]
	rng, t := RandomIntN(rng, m.schedule.Timesteps, shapes.Make(dtypes.Int32, x0.Shape().Dimensions[0]))
	rng, eps := Normal(rng, x0.Shape())
	loss := Loss(network(scope), m.schedule, m.Config.BaseChannels, x0, Condition(x0), t, eps)
	return []*Node{loss, rng}
}
