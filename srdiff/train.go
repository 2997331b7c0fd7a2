// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"
	"github.com/srdiff/srlab/srdiff/checkpoint"
	"github.com/srdiff/srlab/srdiff/dataset"
)

// The files that Train keeps in its folder.
const (
	ModelFile    = "model.safetensors"    // the weights: see Model.Save
	TrainingFile = "training.safetensors" // all that Resume needs: weights, Adam's moments, random state
	MetricsFile  = "metrics.jsonl"        // one Progress a line; the first line of a run and of what is resumed says what made it
)

// maxSteps is what GoMLX's loop has memory for, which keeps the time of every step.
const maxSteps = 100_000_000

// saveEvery is how much work a power cut can cost. It is a variable for the tests.
var saveEvery = time.Minute

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
// and after it the averaged weights, with which the model samples, move towards the new ones (unless Config.EMA is -1):
//
//	average = d average + (1 - d) weight,   d = min(EMA, (1 + n) / (10 + n)) after n updates
//
// With Config.Accumulate > 1 the weights change every so many steps only, and steps must be a multiple of it. A Student learns from
// its teacher in place of the pictures. Batches, timesteps and noise follow from Config.Seed and the step, so that a run that was
// stopped and resumed gives the weights of one that was not. With a folder dir (made if missing; "" for none), the files above are
// written there every minute, at the end, and when ctx ends, which stops training after the step at hand; then the error wraps
// ctx's.
//
// The last three saves are kept, as training-STEP.safetensors.
//
// Each listener is called after every step, in order. A loss that is not finite, or has exploded (see divergence), ends training
// with an error, and so does a weight that is not finite when it is to be saved: then the files and the model are as they were last
// saved.
func (m *Model) Train(ctx context.Context, src dataset.Source, steps int, dir string, on ...func(Progress)) (err error) {
	if src.Size() != m.Config.ImageSize {
		return fmt.Errorf("the pictures of %s are %d pixels wide and the model is for %d: want the same size",
			src.Name(), src.Size(), m.Config.ImageSize)
	}
	if m.Config.Distilled > 0 && !m.taught() {
		return errors.New("this model was distilled, and without its teacher it cannot be trained: go on with its run, or train " +
			"and distill another")
	}
	if steps <= m.Step {
		return nil
	}
	if steps > maxSteps {
		return fmt.Errorf("training for %d steps: want at most %d", steps, maxSteps)
	}
	if each := m.Config.Accumulate; steps%each != 0 || m.Step%each != 0 {
		return fmt.Errorf("training from step %d to %d, of which every %d change the weights once: want multiples",
			m.Step, steps, each)
	}
	if err := m.checkDevices(); err != nil {
		return err
	}
	if m.Config.Flip {
		src = dataset.Flip(src, uint64(m.Config.Seed))
	}
	batches, err := m.batches(src)
	if err != nil {
		return err
	}
	var metrics *metricsFile
	if dir != "" {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("making the output folder: %w", err)
		}
		if m.Step == 0 {
			for _, old := range keptIn(dir) { // of another run
				os.Remove(old)
			}
		}
		if metrics, err = openMetrics(filepath.Join(dir, MetricsFile), m.Step, m.madeBy()); err != nil {
			return err
		}
		defer func() {
			if closing := metrics.close(); err == nil {
				err = closing
			}
		}()
	}
	if m.store.GetVariable(model.RNGStateVariableName) == nil {
		if err := m.store.SetRNGStateFromSeed(m.Config.Seed); err != nil {
			return fmt.Errorf("seeding the noise: %w", err)
		}
	}
	if err := m.startAverages(); err != nil {
		return err
	}
	trainer := train.NewTrainer(m.backend, m.store, m.trainStep,
		func(_, predictions []*Node) *Node { return predictions[0] }, // trainStep returns the loss
		newAdam(m.Config), nil, nil)
	if m.Config.Accumulate > 1 {
		if err := trainer.AccumulateGradients(m.Config.Accumulate); err != nil {
			return err
		}
	}
	loop := train.NewLoop(trainer)

	// The loop wraps what a hook returns in the names of its own parts; ended is the plain error.
	var ended error
	run := newClock(m.Step)
	run.metrics = metrics
	loop.OnStep("srdiff", 0, func(_ *train.Loop, metrics []*tensors.Tensor) error {
		ended = m.afterStep(ctx, run, steps, dir, float64(tensors.ToScalar[float32](metrics[0])), on)
		return ended
	})
	_, err = loop.RunSteps(batches, steps-m.Step)
	if ended != nil {
		return ended
	}
	return err
}

// afterStep counts the step just done, saves when it is time, and tells the listeners. It returns an error to end the run.
func (m *Model) afterStep(ctx context.Context, run *clock, steps int, dir string, loss float64, on []func(Progress)) error {
	if problem := run.check(loss); problem != "" {
		return m.spoiled(run, dir, m.Step+1, problem)
	}
	m.Step++
	p := run.progress(m, steps, loss)
	updated := m.Step%m.Config.Accumulate == 0 // half of an update can be neither saved nor resumed
	stopped := ctx.Err()                       // asked once: a run that stops here is saved here
	p.Saved = dir != "" && updated && (m.Step == steps || stopped != nil || time.Since(run.saved) >= saveEvery)
	if run.metrics != nil {
		run.metrics.write(p) // before the model: a run that is killed between the two writes its last lines once more
	}
	if p.Saved {
		if name, err := m.notFinite(); err != nil {
			return err
		} else if name != "" {
			return m.spoiled(run, dir, m.Step, "the loss is still finite")
		}
		if err := m.saveTraining(dir); err != nil {
			return err
		}
		run.saved, run.hasSaved = time.Now(), true
	}
	run.tell(p, on)
	if stopped != nil && updated && m.Step < steps {
		message := fmt.Sprintf("training stopped at step %d of %d", m.Step, steps)
		if dir != "" {
			message += ", and is saved in " + dir
		}
		return &stoppedError{message, stopped}
	}
	return nil
}

// madeBy is what the metrics say of the run that begins.
func (m *Model) madeBy() madeBy {
	return madeBy{Engine: m.backend.Name(), Devices: max(m.Devices, 1), Version: Version(), Go: runtime.Version(), Config: m.Config}
}

// stoppedError is the end of work that its context ended: it says how far the work had come, and wraps the context's error.
type stoppedError struct {
	message string
	cause   error
}

func (e *stoppedError) Error() string { return e.message }
func (e *stoppedError) Unwrap() error { return e.cause }

// startAverages makes the averages of the weights where the configuration asks for them and there are none yet.
func (m *Model) startAverages() error {
	if m.Config.EMA < 0 || m.averaged() {
		return nil
	}
	for _, p := range parametersOf(m.Config) {
		if err := copyVariable(m.store, p.path(averages), m.store.GetVariable(p.path(weights)), false); err != nil {
			return err
		}
	}
	return nil
}

// trainStep builds the loss of one batch of pictures x0 [batch, height, width, 3] as a scalar.
func (m *Model) trainStep(scope *model.Scope, x0 *Node) *Node {
	state := m.store.GetVariable(model.RNGStateVariableName)
	y, t, eps, rng := m.drawn(x0, state.NodeValue(x0), m.Config.DropCondition)
	state.SetNodeValue(rng)
	if m.taught() {
		x0, eps = m.lesson(scope.At("%s", teachers), m.schedule.QSample(x0, t, eps), y, t)
	}
	return Loss(network(scope), m.schedule, m.Config, x0, y, t, eps)
}

// drawn draws all that is random about a batch of pictures: the noise of their low-resolution versions, which conditions are
// dropped, timesteps and noise. It returns the random state that follows, too.
func (m *Model) drawn(x0, rng *Node, drop float64) (y, t, eps, newRNG *Node) {
	g, batch := x0.Graph(), x0.Shape().Dimensions[0]
	uniform := func() (u *Node) {
		rng, u = RandomUniform(rng, shapes.Make(dtypes.Float32, batch))
		return u
	}
	low, level := Degrade(m.Config, x0), Zeros(g, shapes.Make(dtypes.Float32, batch))
	if m.Config.Noise > 0 {
		var n *Node
		level = MulScalar(uniform(), m.Config.Noise)
		rng, n = Normal(rng, low.Shape())
		low = Add(low, Mul(n, Reshape(level, batch, 1, 1, 1)))
	}
	y = ShownCondition(m.Config, low, level)
	if drop > 0 {
		y = Drop(y, LessThan(uniform(), Scalar(g, dtypes.Float32, drop)))
	}
	rng, t = m.drawTimestep(rng, batch)
	rng, eps = Normal(rng, x0.Shape())
	return y, t, eps, rng
}

// clock measures a run.
type clock struct {
	first                int // the step at which the run began
	started, saved, last time.Time
	perStep              float64 // seconds, averaged over the last steps
	hasSaved             bool
	metrics              *metricsFile // nil without a folder
	divergence
}

func newClock(step int) *clock {
	now := time.Now()
	return &clock{first: step, started: now, saved: now, last: now}
}

// tell calls the listeners; what they take is no step's time.
func (c *clock) tell(p Progress, on []func(Progress)) {
	for _, listener := range on {
		listener(p)
	}
	c.last = time.Now()
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
	if err := m.keep(dir, file); err != nil {
		return err
	}
	return m.Save(filepath.Join(dir, ModelFile))
}

// Resume returns the model of a training run as it was last saved in dir, so that Train goes on where it stopped. Where the last
// save is damaged, it is the newest of those before that is not; Model.Damaged says what was passed over.
func Resume(backend compute.Backend, dir string) (*Model, error) {
	var damaged []error
	for _, path := range checkpointsIn(dir) {
		m, err := resume(backend, path)
		if err == nil {
			m.Damaged = damaged
			return m, nil
		}
		damaged = append(damaged, err)
	}
	return nil, fmt.Errorf("nothing to resume: %w", damaged[0])
}

func resume(backend compute.Backend, path string) (*Model, error) {
	m, file, err := open(backend, path)
	if err != nil {
		return nil, err
	}
	for _, p := range parametersOf(m.Config) {
		t := file.Tensors[p.path(weights)]
		if want := shapes.Make(dtypes.Float32, p.dims...); t == nil || !t.Shape().Equal(want) {
			return nil, fmt.Errorf("%s does not fit: weight %s is missing or not %s", path, p.name, want)
		}
	}
	for name, t := range file.Tensors {
		v, err := m.store.CreateVariable(name, t)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", path, name, err)
		}
		v.SetTrainable(strings.HasPrefix(name, "/"+weights+"/"))
	}
	return m, nil
}

// NoiseError returns the mean squared error of the predicted noise, Schedule.Eps of what the network predicts, over the first
// batches of src, with timesteps and noise that follow from the seed alone: on pictures that training does not see, it tells how
// well the network does. For the tutorial's setting it is the mean of Loss.
func (m *Model) NoiseError(ctx context.Context, src dataset.Source, batches int, seed int64) (float64, error) {
	if m.Config.Prediction == Regresses {
		return 0, errors.New("this model was trained for regression, which predicts no noise: measure its pictures")
	}
	program, err := m.noiseErrorProgram()
	if err != nil {
		return 0, err
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
		out, err := program.Call(x0, rng)
		if err != nil {
			return 0, fmt.Errorf("measuring the noise error: %w", err)
		}
		sum += float64(tensors.ToScalar[float32](out[0]))
		rng = out[1]
	}
	return sum / float64(batches), nil
}

// noiseErrorProgram returns the program of NoiseError for the weights in use: x_0, random state -> loss, random state.
func (m *Model) noiseErrorProgram() (*model.Exec, error) {
	use := m.weights()
	if m.noiseErrors[use] == nil {
		program, err := m.NewExec(func(scope *model.Scope, inputs []*Node) []*Node {
			x0 := inputs[0]
			y, t, eps, rng := m.drawn(x0, inputs[1], 0)
			xt := m.schedule.QSample(x0, t, eps)
			predicted := m.schedule.Eps(m.Config.Prediction, xt, t, Predict(scope, m.Config, xt, y, t))
			return []*Node{ReduceAllMean(Square(Sub(eps, predicted))), rng}
		})
		if err != nil {
			return nil, err
		}
		m.noiseErrors[use] = program
	}
	return m.noiseErrors[use], nil
}
