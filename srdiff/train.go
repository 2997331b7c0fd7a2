// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"
	"github.com/srdiff/srlab/srdiff/dataset"
	"github.com/srdiff/srlab/srdiff/degrade"
	"github.com/srdiff/srlab/srdiff/diffusion"
	"github.com/srdiff/srlab/srdiff/internal/training"
	"github.com/srdiff/srlab/srdiff/networks"
	"github.com/srdiff/srlab/srdiff/nn"
)

// The files that Train writes to its folder.
const (
	ModelFile    = "model.safetensors"     // the weights: see Model.Save
	TrainingFile = training.CheckpointFile // all that Resume needs: weights, Adam's moments, random state
	MetricsFile  = "metrics.jsonl"         // one Progress a line; the first line of a run, and of a resumed one, tells what made it
)

// maxSteps is what GoMLX's loop has memory for, which keeps the time of every step.
const maxSteps = 100_000_000

// saveEvery is how much work a power cut can cost. It is a variable for the tests.
var saveEvery = time.Minute

// Progress describes a training run after a step.
type Progress struct {
	Step            int           `json:"step"` // steps that the weights have seen
	Steps           int           `json:"-"`    // the step at which the run ends
	Loss            float64       `json:"loss"` // of the step's batch: see Loss
	ImagesPerSecond float64       `json:"images_per_second"`
	Elapsed, Left   time.Duration `json:"-"`
	Saved           bool          `json:"-"` // the files were written at this step
}

// Train trains the model on batches of src until it has seen the given number of steps altogether,
// the tutorial's train_diffusion. Each step is, for a batch x_0:
//
//	low = Shrink(x_0);  t ~ U{0..T-1};  eps ~ N(0, I);  minimise Loss(x_0, low, t, eps) with Adam
//
// and after it the averaged weights, with which the model samples, move towards the new ones
// (unless TrainingConfig.EMA is -1):
//
//	average = d average + (1 - d) weight,   d = min(EMA, (1 + n) / (10 + n)) after n updates
//
// With TrainingConfig.Accumulate > 1 the weights change every so many steps only, and steps must be
// a multiple of it. A Student learns from its teacher in place of the pictures. Batches, timesteps
// and noise follow from TrainingConfig.Seed and the step, so that a run that was stopped and
// resumed gives the weights of one that was not. With a folder dir (made if missing; "" for none),
// the files above are written there every minute, at the end, and when ctx ends, which stops
// training after the current step; then the error wraps ctx's. An error of src, or a panic of a
// listener, ends training too, and what was done is saved first. Steps of half an update are given
// up.
//
// One run at a time uses a folder. A folder with files of another run, or of another program, is an
// error.
//
// The last three saves are kept, as training-STEP.safetensors.
//
// Each listener is called after every step, in order. A loss that is not finite, or has exploded,
// ends training with an error, and so does a weight that is not finite when it is to be saved: then
// the files and the model are as they were last saved.
func (m *Model) Train(ctx context.Context, src dataset.Source, steps int, dir string, on ...func(Progress)) (err error) {
	if err := firstError(m.checkConfig(), m.checkSource(src)); err != nil || steps <= m.Step {
		return err
	}
	if err := firstError(m.checkSteps(steps), m.devices().Check()); err != nil {
		return err
	}
	if m.Config.Training.Flip {
		src = dataset.Flip(src, uint64(m.Config.Training.Seed))
	}
	batches, err := m.devices().Batches(m.store, src, m.Step)
	if err != nil {
		return err
	}
	if name := m.Config.Degradation.Name; name != "" {
		if m.Devices > 1 {
			return fmt.Errorf("training with the degradation %s on %d devices is not possible: want 1", name, m.Devices)
		}
		d, err := degrade.New(m.Config.Degradation)
		if err != nil {
			return err
		}
		batches = training.Degraded{Dataset: batches, Degradation: d, Factor: m.Config.Factor, Seed: m.Config.Training.Seed, First: m.Step}
	}
	data := idOf(src)
	r := &run{m: m, ctx: ctx, steps: steps, dir: dir, on: on, first: m.Step, savedStep: m.Step, clock: training.NewClock(m.Step), saved: time.Now()}
	if dir != "" {
		defer func() { err = firstError(err, r.closeFolder()) }()
		if err := r.openFolder(); err != nil {
			return err
		}
	}
	trainer, err := m.trainer()
	if err != nil {
		return err
	}
	loop := train.NewLoop(trainer)
	// The loop wraps what a hook returns in the names of its own parts; ended is the plain error.
	var ended error
	loop.OnStep("srdiff", 0, func(_ *train.Loop, metrics []*tensors.Tensor) error {
		ended = r.afterStep(float64(tensors.ToScalar[float32](metrics[0])))
		return ended
	})
	if err := r.noteUpdate(); err != nil {
		return err
	}
	m.data = data
	returned := false
	defer func() {
		if !returned { // a listener panicked
			_ = r.saveLast()
		}
	}()
	_, err = loop.RunSteps(batches, steps-m.Step)
	returned = true
	if err = firstError(ended, r.plain(err)); err == nil {
		return nil
	}
	if unsaved := r.saveLast(); unsaved != nil {
		return fmt.Errorf("%w; saving what was done failed: %w", err, unsaved)
	}
	if stopped, ok := errors.AsType[*stoppedError](err); ok {
		return r.stopped(stopped.cause)
	}
	return err
}

// plain takes an error out of what the loop wraps it in.
func (r *run) plain(err error) error {
	if err == nil {
		return nil
	}
	if batch, ok := errors.AsType[*training.BatchError](err); ok {
		return batch.Err
	}
	for inner := err; inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	return fmt.Errorf("the engine %s failed at step %d: %w", r.m.backend.Name(), r.m.Step+1, err)
}

// stopped is the error of a run that its context ended.
func (r *run) stopped(cause error) error {
	message := fmt.Sprintf("training stopped at step %d of %d", r.m.Step, r.steps)
	if r.dir != "" {
		message += ", and is saved in " + r.dir
	}
	return &stoppedError{message, cause}
}

// noteUpdate remembers the random state after an update of the weights. Where gradients accumulate
// over several steps, it is all that the steps of half an update change, beside the gradients.
func (r *run) noteUpdate() (err error) {
	r.updated = r.m.Step
	if r.m.Config.Training.Accumulate == 1 {
		return nil
	}
	state, err := r.m.store.GetVariable(model.RNGStateVariableName).Value()
	if err == nil {
		r.randomState, err = state.LocalClone()
	}
	return err
}

// undoHalfUpdate goes back to the last update of the weights: half an update can be neither saved
// nor resumed.
func (r *run) undoHalfUpdate() error {
	if r.m.Step == r.updated {
		return nil
	}
	r.m.Step = r.updated
	for v := range r.m.store.IterVariables() {
		if !strings.HasPrefix(v.Path(), "/"+train.AccumulatedGradientsScope+"/") {
			continue
		}
		if err := v.SetValue(tensors.FromShape(v.Shape())); err != nil {
			return err
		}
	}
	return r.m.store.GetVariable(model.RNGStateVariableName).SetValue(r.randomState)
}

// saveLast saves a run that ended early at its last complete step.
func (r *run) saveLast() error {
	if r.isBroken {
		return nil
	}
	if err := r.undoHalfUpdate(); err != nil {
		return err
	}
	if r.dir == "" || r.m.Step == r.savedStep {
		return nil
	}
	return r.save()
}

// checkConfig returns an error unless the model can be trained as its configuration says now. It is
// complete, so a zero does not stand for a default.
func (m *Model) checkConfig() error {
	now := m.Config
	now.Training = m.made.Training
	if now != m.made {
		return errors.New("the configuration was changed after the model was made: of it, only Training may change, make another model")
	}
	if size := m.Config.Training.ImageSize; size < 1 {
		return fmt.Errorf("image size is %d: want a positive number", size)
	}
	return firstError(m.Config.Training.validate(), m.Config.Validate())
}

// checkSource returns an error unless the model can be trained on pictures of src.
func (m *Model) checkSource(src dataset.Source) error {
	if size := m.Config.Training.ImageSize; src.Size() != size {
		return fmt.Errorf("the pictures of %s are %d pixels wide and the model is for %d: want the same size", src.Name(), src.Size(), size)
	}
	if m.Config.Diffusion.Distilled > 0 && !m.hasTeacher() {
		return errors.New("this model was distilled, and without its teacher it cannot be trained: go on with its run, or train " +
			"and distill another")
	}
	return nil
}

// checkSteps returns an error unless the model can be trained up to the given step.
func (m *Model) checkSteps(steps int) error {
	if steps > maxSteps {
		return fmt.Errorf("training for %d steps: want at most %d", steps, maxSteps)
	}
	if each := m.Config.Training.Accumulate; steps%each != 0 || m.Step%each != 0 {
		return fmt.Errorf("training from step %d to %d, of which every %d change the weights once: want multiples", m.Step, steps, each)
	}
	return nil
}

func (m *Model) devices() training.Devices {
	return training.Devices{Backend: m.backend, Count: m.Devices, BatchSize: m.Config.Training.BatchSize, Accumulate: m.Config.Training.Accumulate}
}

// trainer makes GoMLX's trainer for the model, with what the store needs for it.
func (m *Model) trainer() (*train.Trainer, error) {
	if m.store.GetVariable(model.RNGStateVariableName) == nil {
		if err := m.store.SetRNGStateFromSeed(m.Config.Training.Seed); err != nil {
			return nil, fmt.Errorf("seeding the noise: %w", err)
		}
	}
	if err := m.startAverages(); err != nil {
		return nil, err
	}
	trainer := train.NewTrainer(m.backend, m.store, m.trainStep,
		func(_, predictions []*Node) *Node { return predictions[0] }, // trainStep returns the loss
		m.adam().New(), nil, nil)
	if m.Config.Training.Accumulate > 1 {
		if err := trainer.AccumulateGradients(m.Config.Training.Accumulate); err != nil {
			return nil, err
		}
	}
	return trainer, nil
}

func (m *Model) adam() training.Adam {
	c := m.Config.Training
	a := training.Adam{LearningRate: c.LearningRate, WarmUp: c.WarmUp, Decay: c.Decay, ClipNorm: c.ClipNorm, Accumulate: c.Accumulate, EMA: c.EMA}
	if c.EMA > 0 {
		for _, w := range m.weights {
			a.Averages = append(a.Averages, training.Average{Weight: w.Path(weightsScope), Average: w.Path(averagesScope)})
		}
	}
	return a
}

// startAverages makes the averages of the weights where the configuration asks for them and there
// are none yet.
func (m *Model) startAverages() error {
	if m.Config.Training.EMA < 0 || m.averaged() {
		return nil
	}
	return m.copyWeights(averagesScope, m, weightsScope, false)
}

// trainStep builds the loss of one batch as a scalar: see draw for the inputs.
func (m *Model) trainStep(scope *model.Scope, _ any, inputs []*Node) []*Node {
	state, x0 := m.store.GetVariable(model.RNGStateVariableName), inputs[0]
	in, t, eps, rng := m.draw(inputs, state.NodeValue(x0), m.Config.Training.DropCondition)
	state.SetNodeValue(rng)
	if m.hasTeacher() {
		in, x0, eps = m.taught(scope, in, x0, t, eps)
	}
	return []*Node{m.denoiser().loss(m.trained(scope, weightsScope), in, x0, t, eps)}
}

// trained is the scope of the weights in the given place for a step of training.
func (m *Model) trained(root *model.Scope, place string) *nn.Scope {
	return weightsAt(root, place).Computing(m.Config.Training.Precision)
}

// draw draws all that is random about a batch: the noise of low-resolution pictures, which
// conditions are dropped, timesteps and noise. It also returns the random state that follows. The
// inputs are pictures x0, [batch, height, width, 3]; of a registered degradation, their
// low-resolution pictures and noise levels too.
func (m *Model) draw(inputs []*Node, rng *Node, drop float64) (in networks.Inputs, t, eps, newRNG *Node) {
	x0 := inputs[0]
	g, batch := x0.Graph(), x0.Shape().Dimensions[0]
	uniform := func() (u *Node) {
		rng, u = RandomUniform(rng, shapes.Make(dtypes.Float32, batch))
		return u
	}
	var low, level *Node
	if len(inputs) == 3 {
		low, level = inputs[1], inputs[2]
	} else {
		low, level = m.Config.Degradation.Shrink(x0, m.Config.Factor), Zeros(g, shapes.Make(dtypes.Float32, batch))
	}
	if noise := m.Config.Degradation.Noise; noise > 0 && len(inputs) == 1 {
		var n *Node
		level = MulScalar(uniform(), noise)
		rng, n = diffusion.Normal(rng, low.Shape())
		low = Add(low, Mul(n, Reshape(level, batch, 1, 1, 1)))
	}
	if drop > 0 {
		dropped := LessThan(uniform(), Scalar(g, dtypes.Float32, drop))
		low, level = diffusion.Drop(low, dropped), diffusion.Drop(level, dropped)
	}
	rng, t = m.drawTimestep(rng, batch)
	rng, eps = diffusion.Normal(rng, x0.Shape())
	return networks.Inputs{Low: low, Level: level}, t, eps, rng
}

// drawTimestep draws a timestep for every picture of a batch: any, or one of those that a student
// is sampled at.
func (m *Model) drawTimestep(rng *Node, batch int) (newRNG, t *Node) {
	shape := shapes.Make(dtypes.Int32, batch)
	if m.Config.Diffusion.Distilled == 0 {
		return RandomIntN(rng, m.schedule.Timesteps, shape)
	}
	var list []int32
	for _, t := range m.studentTimesteps(m.Config.Diffusion.Distilled) {
		list = append(list, int32(t))
	}
	newRNG, k := RandomIntN(rng, m.Config.Diffusion.Distilled, shape)
	return newRNG, Reshape(Gather(Const(rng.Graph(), list), Reshape(k, batch, 1)), batch)
}

// run is a call of Train.
type run struct {
	m          *Model
	ctx        context.Context
	first      int // the step at which the run began
	steps      int
	dir        string // "" for none
	on         []func(Progress)
	metrics    *training.Metrics // nil without a folder
	release    func()            // of the folder's lock; nil without a folder
	divergence training.Divergence
	clock      *training.Clock
	saved      time.Time // when the run was last saved, or began
	savedStep  int       // the step at which it was, or began
	hasSaved   bool
	isBroken   bool // it diverged or could not be saved, so there is nothing more to save

	updated     int             // the step of the last update of the weights
	randomState *tensors.Tensor // after it, where gradients accumulate
}

// madeBy describes what a run's losses come from.
type madeBy struct {
	Engine  string `json:"engine"`
	Devices int    `json:"devices"`
	Version string `json:"version"` // of srdiff
	Go      string `json:"go"`
	Config  Config `json:"config"` // the seed, too
}

func (m *Model) madeBy() madeBy {
	return madeBy{Engine: m.backend.Name(), Devices: max(m.Devices, 1), Version: Version(), Go: runtime.Version(), Config: m.Config}
}

// afterStep counts the step just done, saves when it is time, and calls the listeners. It returns
// an error to end the run.
func (r *run) afterStep(loss float64) error {
	m := r.m
	if problem := r.divergence.Check(loss); problem != "" {
		return r.diverged(m.Step+1, problem)
	}
	m.Step++
	p := r.progress(loss)
	updated := m.Step%m.Config.Training.Accumulate == 0 // see undoHalfUpdate
	if updated {
		if err := r.noteUpdate(); err != nil {
			return err
		}
	}
	stopped := r.ctx.Err() // asked once: a run that stops here is saved here
	p.Saved = r.dir != "" && updated && (m.Step == r.steps || stopped != nil || time.Since(r.saved) >= saveEvery)
	if r.metrics != nil { // before the model: a run that is killed between the two writes its last lines again
		r.metrics.Write(training.MetricsLine{Step: p.Step, Loss: p.Loss, ImagesPerSecond: p.ImagesPerSecond}, p.Saved)
	}
	if p.Saved {
		if err := r.save(); err != nil {
			return err
		}
	}
	r.notify(p)
	if stopped != nil && m.Step < r.steps {
		return &stoppedError{"training stopped", stopped} // it says more when the run is saved
	}
	return nil
}

// progress takes the time of the step just done.
func (r *run) progress(loss float64) Progress {
	perStep, elapsed := r.clock.Step(r.m.Step)
	return Progress{
		Step: r.m.Step, Steps: r.steps, Loss: loss,
		ImagesPerSecond: float64(r.m.Config.Training.BatchSize) / perStep,
		Elapsed:         elapsed,
		Left:            time.Duration(float64(r.steps-r.m.Step) * perStep * float64(time.Second)),
	}
}

// notify calls the listeners. Their time is not counted as training time.
func (r *run) notify(p Progress) {
	for _, listener := range r.on {
		listener(p)
	}
	r.clock.Continue()
}

// save writes the run's files, unless a weight is not finite, which ends the run.
func (r *run) save() (err error) {
	defer func() { r.isBroken = r.isBroken || err != nil }()
	if name, err := r.m.notFinite(); err != nil {
		return err
	} else if name != "" {
		return r.diverged(r.m.Step, "the loss is still finite")
	}
	if err := r.m.saveTraining(r.dir); err != nil {
		return err
	}
	r.saved, r.savedStep, r.hasSaved = time.Now(), r.m.Step, true
	return nil
}

// diverged is the error of a run that diverged in a step. The model becomes what it was at the last
// checkpoint of the run, if there is one.
func (r *run) diverged(step int, problem string) error {
	m := r.m
	r.isBroken = true
	if name, err := m.notFinite(); err == nil && name != "" {
		problem += fmt.Sprintf(", and %s is not finite", name)
	}
	problem = fmt.Sprintf("%s at step %d: training diverged", problem, step)
	rate := m.Config.Training.LearningRate
	for _, path := range training.Checkpoints(r.dir) {
		if r.dir == "" || r.first == 0 && !r.hasSaved {
			break // what is in the folder is not of this run
		}
		if err := m.restore(path); err == nil {
			return fmt.Errorf("%s; all is as it was saved at step %d: go on from there with a smaller learning rate than %g",
				problem, m.Step, rate)
		}
	}
	return fmt.Errorf("%s, and nothing was saved before: begin again with a smaller learning rate than %g", problem, rate)
}

// notFinite names the first weight, in the network's order, that holds a NaN or an infinity; then
// the first variable of any other kind. It returns "" if there is none.
func (m *Model) notFinite() (name string, err error) {
	for _, w := range m.weights {
		if bad, err := hasNotFinite(m.variable(w, weightsScope)); bad || err != nil {
			return w.Name, err
		}
	}
	for v := range m.store.IterVariables() {
		if bad, err := hasNotFinite(v); bad || err != nil {
			return v.Path(), err
		}
	}
	return "", nil
}

func hasNotFinite(v *model.Variable) (bad bool, err error) {
	value, err := v.Value()
	if err != nil || value.DType() != dtypes.Float32 {
		return false, err
	}
	finite, err := nn.Finite(value)
	return !finite, err
}

// stoppedError is the end of work that its context ended: how far the work had come. It wraps the
// context's error.
type stoppedError struct {
	message string
	cause   error
}

func (e *stoppedError) Error() string { return e.message }
func (e *stoppedError) Unwrap() error { return e.cause }
