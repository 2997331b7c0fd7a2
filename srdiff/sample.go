// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/srdiff/srlab/srdiff/imaging"
)

// What SampleOptions.Clip may be.
const (
	ClipStatic  = "static"  // ClipX0
	ClipDynamic = "dynamic" // ThresholdX0
	ClipNone    = "none"
)

// SampleOptions says how to sample. The zero value is the tutorial's sampler with the seed 0: a field that is zero means the
// default given beside it.
type SampleOptions struct {
	Seed int64

	Sampler       string  // DDPM, DDIM or DPMpp2M; DDPM, or DDIM for a model that was distilled
	Steps         int     // how many of the model's timesteps are visited; all, or what it was distilled to
	Spacing       string  // which ones: Trailing, Leading or Linspace; Trailing
	Eta           float64 // of DDIM, 0 to 1: how much of DDPM's noise is added; 0
	SmallVariance bool    // of DDPM: the lower bound of the variance, not the upper one
	Clip          string  // of the predicted x_0: ClipStatic, ClipDynamic or ClipNone; ClipStatic

	BackProject int // how often BackProject brings the predicted x_0 closer to the input, up to 16; 0

	// Classifier-free guidance: see Guide. It needs a model that was trained with Config.DropCondition.
	Guidance     float64 // its weight w, 0 to 100; 0, no guidance
	Rescale      float64 // how much of the spread that guidance adds is taken back, 0 to 1; 0
	GuidanceFrom int     // guidance acts at timesteps from this one; 0
	GuidanceTo   int     // to below this one (Kynkäänniemi et al. 2024); T

	// Noise is the standard deviation of the noise in the pictures, for a model that was trained with Config.Noise; 0.
	Noise float64

	// Prediction, if not empty, is what the model is expected to predict; another one is an error.
	Prediction string

	// Memory is about how many bytes Upscale may take, all of the program together; DefaultMemory. A picture that needs more is an
	// error. The result does not depend on it.
	Memory int64

	// Each, if not nil, is called after every step, and where Upscale makes a picture in tiles, after every tile.
	Each func(SampleStep)
}

// WithDefaults returns the options with the default in place of every zero, for a model of the given configuration.
func (o SampleOptions) WithDefaults(c Config) SampleOptions {
	c = c.WithDefaults()
	if c.Prediction == Regresses {
		o.Steps = cmp.Or(o.Steps, 1)
	}
	if c.Distilled > 0 {
		o.Sampler = cmp.Or(o.Sampler, DDIM)
		o.Steps = cmp.Or(o.Steps, c.Distilled)
	}
	o.Sampler = cmp.Or(o.Sampler, DDPM)
	o.Steps = cmp.Or(o.Steps, c.Timesteps)
	o.Spacing = cmp.Or(o.Spacing, Trailing)
	o.Clip = cmp.Or(o.Clip, ClipStatic)
	o.GuidanceTo = cmp.Or(o.GuidanceTo, c.Timesteps)
	o.Prediction = cmp.Or(o.Prediction, c.Prediction)
	return o
}

// Validate reports the first value that a model of the given configuration cannot be sampled with, and what was expected.
// Zeros stand for their defaults.
func (o SampleOptions) Validate(c Config) error {
	c = c.WithDefaults()
	o = o.WithDefaults(c)
	_, err := Spacing(o.Spacing, c.Timesteps, o.Steps)
	switch {
	case err != nil:
		return err
	case c.Prediction == Regresses && o.Steps != 1:
		return fmt.Errorf("sampling steps is %d: this model was trained for regression, which is 1 step, leave it away", o.Steps)
	case c.Distilled > 0 && (o.Sampler != DDIM || o.Steps != c.Distilled || o.Spacing != Trailing || o.Eta != 0):
		return fmt.Errorf("this model was distilled to %d steps of %s, %s, and is sampled in no other way: leave sampler, steps, "+
			"spacing and eta away", c.Distilled, DDIM, Trailing)
	case o.Sampler != DDPM && o.Sampler != DDIM && o.Sampler != DPMpp2M:
		return fmt.Errorf("sampler is %q: want %s, %s or %s", o.Sampler, DDPM, DDIM, DPMpp2M)
	case !(o.Eta >= 0 && o.Eta <= 1): // written so that NaN fails too
		return fmt.Errorf("eta is %g: want a number from 0 to 1", o.Eta)
	case o.Eta > 0 && o.Sampler != DDIM:
		return fmt.Errorf("eta is %g with the sampler %s: eta belongs to %s, leave it away", o.Eta, o.Sampler, DDIM)
	case o.SmallVariance && o.Sampler != DDPM:
		return fmt.Errorf("small variance with the sampler %s: it belongs to %s, leave it away", o.Sampler, DDPM)
	case o.Clip != ClipStatic && o.Clip != ClipDynamic && o.Clip != ClipNone:
		return fmt.Errorf("clip is %q: want %s, %s or %s", o.Clip, ClipStatic, ClipDynamic, ClipNone)
	case o.BackProject < 0 || o.BackProject > 16:
		return fmt.Errorf("back-projections is %d: want a number from 0 to 16, such as 2", o.BackProject)
	case o.BackProject > 0 && o.Noise > 0:
		return fmt.Errorf("back-projections with an input noise of %g: they would bring the noise into the result, leave one away",
			o.Noise)
	case !(o.Guidance >= 0 && o.Guidance <= 100):
		return fmt.Errorf("guidance is %g: want a weight from 0, which is none, to 100", o.Guidance)
	case o.Guidance > 0 && c.DropCondition == 0:
		return errors.New("guidance needs a model that was trained with some of its conditions dropped: train one with " +
			"a drop condition such as 0.1, or leave guidance away")
	case !(o.Rescale >= 0 && o.Rescale <= 1):
		return fmt.Errorf("guidance rescale is %g: want a number from 0 to 1", o.Rescale)
	case o.GuidanceFrom < 0 || o.GuidanceTo > c.Timesteps || o.GuidanceFrom >= o.GuidanceTo:
		return fmt.Errorf("guidance from timestep %d to %d: want an interval within 0 to %d",
			o.GuidanceFrom, o.GuidanceTo, c.Timesteps)
	case o.Noise > 0 && c.Noise == 0:
		return fmt.Errorf("the pictures' noise is %g, and the model was trained with none: leave it away", o.Noise)
	case !(o.Noise >= 0 && o.Noise <= c.Noise):
		return fmt.Errorf("the pictures' noise is %g: want a number from 0 to %g, the most that the model was trained with",
			o.Noise, c.Noise)
	case o.Prediction != c.Prediction:
		return fmt.Errorf("the model predicts %s, not %s: sample it as what it is", c.Prediction, o.Prediction)
	}
	return nil
}

// steps returns the steps of the sampler, for options that are valid and complete.
func (o SampleOptions) steps(c Config, s *Schedule) ([]ReverseStep, error) {
	if c.Prediction == Regresses {
		return []ReverseStep{{OfX0: 1}}, nil
	}
	timesteps, err := Spacing(o.Spacing, s.Timesteps, o.Steps)
	if err != nil {
		return nil, err
	}
	switch o.Sampler {
	case DDIM:
		return s.DDIM(timesteps, o.Eta), nil
	case DPMpp2M:
		return s.DPMpp2M(timesteps), nil
	}
	return s.DDPM(timesteps, o.SmallVariance), nil
}

// guided is whether guidance acts at timestep t.
func (o SampleOptions) guided(t int) bool {
	return o.Guidance > 0 && o.GuidanceFrom <= t && t < o.GuidanceTo
}

// SampleStep is where a trajectory stands after one reverse step, or after one tile of it. The tensors are valid during the
// callback only; of a picture in tiles there are none.
type SampleStep struct {
	Done, Steps int             // reverse steps done, and in all
	Tile, Tiles int             // tiles of the next step that are done, and in all: 0 of 1 for pictures in one piece
	T           int             // the timestep that was undone: T-1 at first where all are visited, 0 at last
	X           *tensors.Tensor // x_s, where s is the timestep that comes next, [batch, height, width, 3]
	X0          *tensors.Tensor // the predicted x_0, clipped, of the same shape
}

// Sample draws one high-resolution picture for each low-resolution one (the tutorial's sample_diffusion; Ho et al. 2020,
// algorithm 2, with the predicted x_0 clipped):
//
//	x ~ N(0, I), y = Upscale(low)
//	for each step of the sampler, from x_t to x_s:
//		x_0 = ClipX0(X0(x, Predict(x, t, y)))      (after BackProject, where the options say so)
//		x   = OfXt x + OfX0 x_0 + OfBefore x_0' + Sigma z
//
// With the options' zero value the steps are Schedule.DDPM's at every timestep, and the last line is PSample's. The
// low-resolution pictures have one size; the results are Scale times larger each way. The same seed gives the same pictures
// on the same engine. When ctx ends, Sample stops with an error that wraps ctx's. Options that do not fit the model are an
// error: see SampleOptions.Validate.
//
// The loop runs on the engine, as many steps at a time as take about a second, so that ctx is heeded; with a callback, one.
func (m *Model) Sample(ctx context.Context, o SampleOptions, low ...imaging.Picture) ([]imaging.Picture, error) {
	o, steps, err := m.prepare(o)
	if err != nil {
		return nil, err
	}
	for _, p := range low {
		if err := m.Config.checkAttention(p.Width*Scale, p.Height*Scale); err != nil {
			return nil, err
		}
	}
	lowTensor, err := Tensor(low...)
	if err != nil {
		return nil, err
	}
	rng, err := RNGStateFromSeed(o.Seed)
	if err != nil {
		return nil, fmt.Errorf("seeding the noise: %w", err)
	}
	start, err := m.start.Call(lowTensor, rng, float32(o.Noise))
	if err != nil {
		return nil, fmt.Errorf("starting to sample: %w", err)
	}
	x, x0, y, rng := start[0], start[1], start[2], start[3]
	timesteps, table := tables(steps, o)
	variant := samplerVariant{weights: m.weights(), stochastic: stochastic(steps), clip: o.Clip, backProject: o.BackProject}
	stride := 1
	for k, end := 0, 0; k < len(steps); k = end {
		t := steps[k].T
		if ctx.Err() != nil {
			return nil, &stoppedError{fmt.Sprintf("sampling stopped at timestep %d", t), ctx.Err()}
		}
		variant.guided = o.guided(t)
		reverse, err := m.sampler(variant)
		if err != nil {
			return nil, err
		}
		for end = k + 1; end < len(steps) && end < k+stride && o.guided(steps[end].T) == variant.guided; {
			end++
		}
		began := time.Now()
		next, err := reverse.Call(x, x0, rng, int32(k), int32(end), y, timesteps, table, lowTensor)
		if err == nil {
			err = finalize(x, x0, rng)
		}
		if err != nil {
			return nil, fmt.Errorf("sampling at timestep %d: %w", t, err)
		}
		x, x0, rng = next[0], next[1], next[2]
		if o.Each != nil {
			o.Each(SampleStep{Done: end, Steps: len(steps), Tiles: 1, T: t, X: x, X0: x0})
			continue
		}
		perStep := max(1, time.Since(began)/time.Duration(end-k))
		stride = max(1, int(time.Second/perStep))
	}
	return Pictures(x)
}

// prepare returns the options complete with their defaults, and the steps that they say.
func (m *Model) prepare(o SampleOptions) (SampleOptions, []ReverseStep, error) {
	if err := o.Validate(m.Config); err != nil {
		return o, nil, err
	}
	o = o.WithDefaults(m.Config)
	steps, err := o.steps(m.Config, m.schedule)
	return o, steps, err
}

// tables are the steps as the loop reads them: their timesteps, [steps] int32, and a row of coefficients each, [steps, 6].
func tables(steps []ReverseStep, o SampleOptions) (timesteps, coefficients *tensors.Tensor) {
	times, rows := make([]int32, len(steps)), make([][]float32, len(steps))
	for k, s := range steps {
		times[k] = int32(s.T)
		for _, c := range []float64{s.OfXt, s.OfX0, s.OfBefore, s.Sigma, o.Guidance, o.Rescale} {
			rows[k] = append(rows[k], float32(c))
		}
	}
	return tensors.FromValue(times), tensors.FromValue(rows)
}

// samplerVariant is what makes one program of reverse steps another one.
type samplerVariant struct {
	weights            string // see Model.weights
	stochastic, guided bool
	clip               string
	backProject        int
	tiles              bool // the program is Model.tileX0
}

// sampler returns the program of the reverse steps k up to before end, or of the tiles' x_0: see Model.tileX0.
//
//	x_t, x_0', random state, k, end, y, timesteps, table, low -> x_s, x_0, random state
func (m *Model) sampler(v samplerVariant) (*model.Exec, error) {
	if exec := m.samplers[v]; exec != nil {
		return exec, nil
	}
	exec, err := model.NewExec(m.backend, m.store, func(scope *model.Scope, inputs []*Node) []*Node {
		if v.tiles {
			return []*Node{m.tileX0(scope, v, inputs)}
		}
		return m.reverseSteps(scope, v, inputs)
	})
	if err != nil {
		return nil, err
	}
	exec.SetMaxCache(-1) // pictures come in any number of sizes
	m.samplers[v] = exec
	return exec, nil
}

// newStart makes the program that sampling begins with: low, random state, noise of low -> x_T, zeros, y, random state.
func (m *Model) newStart() (err error) {
	m.start, err = NewExec(m.backend, func(low, rng, level *Node) []*Node {
		levels := BroadcastToDims(level, low.Shape().Dimensions[0])
		y := ShownCondition(m.Config, low, levels)
		shape := Upscale(low).Shape()
		newRNG, xT := Normal(rng, shape)
		return []*Node{xT, Zeros(low.Graph(), shape), y, newRNG}
	})
	if err == nil {
		m.start.SetMaxCache(-1)
	}
	return err
}

// reverseSteps builds the loop over reverse steps.
func (m *Model) reverseSteps(scope *model.Scope, v samplerVariant, state []*Node) []*Node {
	// All that a turn of the loop uses travels in its state, the weights too: XLA's engines refuse what comes from around it
	// (TestLoopsSeeNothingAround). That holds for constants as well, which GoMLX would share with the loop, so none is made
	// here.
	var variables []*model.Variable
	inputs := len(state)
	for _, p := range parametersOf(m.Config) {
		w := m.store.GetVariable(p.path(v.weights))
		variables, state = append(variables, w), append(state, w.NodeValue(state[0]))
	}
	received := func(g *Graph) []*Node {
		list := make([]*Node, len(state))
		for i, s := range state {
			list[i] = Parameter(g, fmt.Sprintf("state%d", i), s.Shape())
		}
		return list
	}
	more := NewClosure(state[0].Graph(), func(g *Graph) []*Node {
		s := received(g)
		return []*Node{LessThan(s[3], s[4])}
	})
	turn := NewClosure(state[0].Graph(), func(g *Graph) []*Node {
		s := received(g)
		for i, w := range variables {
			w.SetNodeValue(s[inputs+i])
		}
		k := s[3]
		x, x0, rng := m.reverseStep(scope, v, s[0], s[1], s[2], s[5], row(s[6], k), row(s[7], k), s[8])
		return append([]*Node{x, x0, rng, AddScalar(k, 1)}, s[4:]...)
	})
	for i, w := range variables {
		w.SetNodeValue(state[inputs+i])
	}
	return While(more, turn, state...)[:3]
}

// row returns row k of a table.
func row(table, k *Node) *Node { return Gather(table, Reshape(k, 1)) }

// reverseStep is one turn of Sample's loop: x_t, x_0', random state, y, t, coefficients, low -> x_s, x_0, random state.
func (m *Model) reverseStep(scope *model.Scope, v samplerVariant, xt, before, rng, y, t, coefficients, low *Node) (
	x, x0, newRNG *Node) {
	c := func(i int) *Node { return Reshape(Slice(coefficients, AxisElem(i)), 1, 1, 1, 1) }
	ofXt, ofX0, ofBefore, sigma, guidance, rescale := c(0), c(1), c(2), c(3), c(4), c(5)
	x0 = m.predictX0(scope, v, xt, y, t, guidance, rescale, low)
	x = Add(Add(Mul(ofXt, xt), Mul(ofX0, x0)), Mul(ofBefore, before))
	if v.stochastic {
		var z *Node
		rng, z = Normal(rng, xt.Shape())
		x = Add(x, Mul(sigma, z))
	}
	return x, x0, rng
}

// predictX0 is the x_0 that a reverse step goes by: what the network predicts, with guidance, back-projection and clipping as the
// variant says.
func (m *Model) predictX0(scope *model.Scope, v samplerVariant, xt, y, t, guidance, rescale, low *Node) *Node {
	var predicted *Node
	if v.guided { // both predictions as one doubled batch
		batch := xt.Shape().Dimensions[0]
		both := Predict(scope.In("%s", v.weights), m.Config, Concatenate([]*Node{xt, xt}, 0),
			Concatenate([]*Node{y, ZerosLike(y)}, 0), t)
		predicted = Guide(Slice(both, AxisRange(0, batch)), Slice(both, AxisRange(batch)), guidance, rescale)
	} else {
		predicted = Predict(scope.In("%s", v.weights), m.Config, xt, y, t)
	}
	x0 := m.schedule.X0(m.Config.Prediction, xt, t, predicted)
	for range v.backProject {
		x0 = BackProject(m.Config, x0, low)
	}
	switch v.clip {
	case ClipStatic:
		x0 = ClipX0(x0)
	case ClipDynamic:
		x0 = ThresholdX0(x0)
	}
	return x0
}

// finalize frees tensors at once, rather than when the garbage collector comes to them.
func finalize(list ...*tensors.Tensor) error {
	for _, t := range list {
		if err := t.FinalizeAll(); err != nil {
			return err
		}
	}
	return nil
}
