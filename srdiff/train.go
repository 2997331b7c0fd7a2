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
	TrainingFile = training.CheckpointFile // what Resume needs: weights, Adam's moments, random state
	MetricsFile  = "metrics.jsonl"         // one Progress a line; the first line of a run, and of a resumed run, has its configuration
)

// maxSteps bounds the steps of a run: GoMLX's loop keeps the time of every step in memory.
const maxSteps = 100_000_000

// saveEvery is the time between two saves of a run. Tests change it.
var saveEvery = time.Minute

// Progress describes a training run after a step.
type Progress struct {
	Step            int           `json:"step"` // steps of training so far
	Steps           int           `json:"-"`    // the step at which the run ends
	Loss            float64       `json:"loss"` // of the step's batch: see Loss
	ImagesPerSecond float64       `json:"images_per_second"`
	Elapsed, Left   time.Duration `json:"-"`
	Saved           bool          `json:"-"` // the files were written at this step
}

// Train trains the model on batches of src until it has the given number of steps in total, as the
// tutorial's train_diffusion does. Each step is, for a batch x_0:
//
//	low = Shrink(x_0);  t ~ U{0..T-1};  eps ~ N(0, I);  minimise Loss(x_0, low, t, eps) with Adam
//
// After each update the averaged weights, with which the model samples, move towards the new
// weights (unless TrainingConfig.EMA is -1):
//
//	average = d average + (1 - d) weight,   d = min(EMA, (1 + n) / (10 + n)) after n updates
//
// With TrainingConfig.Accumulate = k > 1 the weights change every k steps, and steps must be a
// multiple of k. A Student learns from its teacher's predictions instead of the pictures. Batches,
// timesteps and noise depend only on TrainingConfig.Seed and the step. So a run that is stopped and
// resumed ends with the same weights as one that is not.
//
// Train makes the folder dir if it is missing, and writes the files above to it every minute and at
// the end. It keeps the last three checkpoints, as training-STEP.safetensors. If dir is "", it
// writes no files. One run at a time uses a folder. A folder with files of another run or another
// program is an error.
//
// When ctx ends, training stops after the current step, and the error wraps ctx's. Training also
// ends if src returns an error or a listener panics. In each case Train saves the steps so far; it
// drops the steps since the last update of the weights.
//
// Each listener is called after every step, in order. A loss that is not finite or has exploded
// ends training with an error. So does a weight that is not finite at a save. Then the files and
// the model are as they were last saved.
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
	batches, err := m.batches(src)
	if err != nil {
		return err
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
	if err := r.noteUpdate(); err != nil {
		return err
	}
	m.data = data
	return r.train(trainer, batches)
}

// batches returns the batches of a run from the model's step on, with low-resolution pictures if
// the degradation works on the host.
func (m *Model) batches(src dataset.Source) (train.Dataset, error) {
	batches, err := m.devices().Batches(m.store, src, m.Step)
	name := m.Config.Degradation.Name
	if err != nil || name == "" {
		return batches, err
	}
	if m.Devices > 1 {
		return nil, fmt.Errorf("training with the degradation %s on %d devices is not possible: want 1", name, m.Devices)
	}
	d, err := degrade.New(m.Config.Degradation)
	if err != nil {
		return nil, err
	}
	return training.Degraded{Dataset: batches, Degradation: d, Factor: m.Config.Factor, Seed: m.Config.Training.Seed, First: m.Step}, nil
}

// train takes the run's steps. If they end early, it saves the steps so far.
func (r *run) train(trainer *train.Trainer, batches train.Dataset) error {
	returned := false
	defer func() {
		if !returned { // a listener panicked
			_ = r.saveLast()
		}
	}()
	err := r.takeSteps(trainer, batches)
	returned = true
	if err == nil {
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

// takeSteps runs GoMLX's training loop.
func (r *run) takeSteps(trainer *train.Trainer, batches train.Dataset) error {
	loop := train.NewLoop(trainer)
	// The loop wraps a hook's error in the names of its own parts; ended is the plain error.
	var ended error
	loop.OnStep("srdiff", 0, func(_ *train.Loop, metrics []*tensors.Tensor) error {
		ended = r.afterStep(float64(tensors.ToScalar[float32](metrics[0])))
		return ended
	})
	_, err := loop.RunSteps(batches, r.steps-r.m.Step)
	return firstError(ended, r.plain(err))
}

// plain returns the cause of an error that GoMLX's loop has wrapped.
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

// stopped returns the error of a run whose context ended.
func (r *run) stopped(cause error) error {
	message := fmt.Sprintf("training stopped at step %d of %d", r.m.Step, r.steps)
	if r.dir != "" {
		message += ", and is saved in " + r.dir
	}
	return &stoppedError{message, cause}
}

// noteUpdate stores the random state after an update of the weights, for undoHalfUpdate. Steps
// between two updates change only the random state and the accumulated gradients.
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

// undoHalfUpdate goes back to the last update of the weights. Accumulated gradients are not saved,
// so a run can only be saved at an update.
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

// checkConfig returns an error unless the model can be trained with its present configuration. The
// configuration is complete: a zero does not mean the default.
func (m *Model) checkConfig() error {
	now := m.Config
	now.Training = m.made.Training
	if now != m.made {
		return errors.New("the configuration was changed after the model was made: only its Training may change; make another model")
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
		return errors.New("this model was distilled, and cannot be trained without its teacher: resume its run, or train " +
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
		return fmt.Errorf("training from step %d to %d: want multiples of %d, the number of steps for each update", m.Step, steps, each)
	}
	return nil
}

func (m *Model) devices() training.Devices {
	return training.Devices{Backend: m.backend, Count: m.Devices, BatchSize: m.Config.Training.BatchSize, Accumulate: m.Config.Training.Accumulate}
}

// trainer makes GoMLX's trainer for the model, and the variables that it needs.
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

// startAverages makes the averaged weights if the configuration asks for them and they do not exist
// yet.
func (m *Model) startAverages() error {
	if m.Config.Training.EMA < 0 || m.averaged() {
		return nil
	}
	return m.copyWeights(averagesScope, m, weightsScope, false)
}

// trainStep builds the loss of one batch as a scalar. The inputs are those of draw.
func (m *Model) trainStep(scope *model.Scope, _ any, inputs []*Node) []*Node {
	state, x0 := m.store.GetVariable(model.RNGStateVariableName), inputs[0]
	in, t, eps, rng := m.draw(inputs, state.NodeValue(x0), m.Config.Training.DropCondition)
	state.SetNodeValue(rng)
	if m.hasTeacher() {
		in, x0, eps = m.learnFromTeacher(scope, in, x0, t, eps)
	}
	return []*Node{m.denoiser().loss(m.trained(scope, weightsScope), in, x0, t, eps)}
}

// trained is the scope of the weights in the given place for a step of training.
func (m *Model) trained(root *model.Scope, place string) *nn.Scope {
	return weightsAt(root, place).Computing(m.Config.Training.Precision)
}

// draw draws the random inputs of a batch: the noise of low-resolution pictures, the dropped
// conditions, timesteps and noise. It also returns the next random state. The inputs are the
// pictures x0, [batch, height, width, 3], and for a registered degradation also their
// low-resolution pictures and noise levels.
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

// drawTimestep draws a timestep for every picture of a batch: any timestep, or for a student one of
// those at which it samples.
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
	first      int    // the step at which the run began
	steps      int    // the step at which it ends
	dir        string // "" for none
	on         []func(Progress)
	metrics    *training.Metrics // nil without a folder
	release    func()            // of the folder's lock; nil without a folder
	divergence training.Divergence
	clock      *training.Clock
	saved      time.Time // when the run was last saved, or began
	savedStep  int       // the step of the last save, or the first step
	hasSaved   bool
	isBroken   bool // it diverged or could not be saved: it is not saved again

	updated     int             // the step of the last update of the weights
	randomState *tensors.Tensor // after that update; nil without accumulation
}

// madeBy is the first line of a run in the metrics file: how its losses came about.
type madeBy struct {
	Engine  string `json:"engine"`
	Devices int    `json:"devices"`
	Version string `json:"version"` // of srdiff
	Go      string `json:"go"`
	Config  Config `json:"config"` // with the seed
}

func (m *Model) madeBy() madeBy {
	return madeBy{Engine: m.backend.Name(), Devices: max(m.Devices, 1), Version: Version(), Go: runtime.Version(), Config: m.Config}
}

// afterStep counts the step, saves if it is time to, and calls the listeners. An error ends the
// run.
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
	stopped := r.ctx.Err() // read once, so that a run that stops here is saved here
	p.Saved = r.dir != "" && updated && (m.Step == r.steps || stopped != nil || time.Since(r.saved) >= saveEvery)
	if r.metrics != nil { // before the model: a run that is killed in between takes its last steps again
		r.metrics.Write(training.MetricsLine{Step: p.Step, Loss: p.Loss, ImagesPerSecond: p.ImagesPerSecond}, p.Saved)
	}
	if p.Saved {
		if err := r.save(); err != nil {
			return err
		}
	}
	r.notify(p)
	if stopped != nil && m.Step < r.steps {
		return &stoppedError{"training stopped", stopped} // r.stopped completes it after the save
	}
	return nil
}

// progress measures the time of the step and returns the run's progress.
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

// save writes the run's files. A weight that is not finite ends the run.
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

// diverged returns the error of a run that diverged, and restores the model from the run's last
// checkpoint, if there is one.
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
			break // the checkpoints belong to another run
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
