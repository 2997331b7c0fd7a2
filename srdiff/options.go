// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/srdiff/srlab/srdiff/diffusion"
	"github.com/srdiff/srlab/srdiff/nn"
)

// SampleOptions describe how to sample. The zero value is the tutorial's sampler with the seed 0: a
// field that is zero means the default given beside it.
type SampleOptions struct {
	Seed int64

	Sampler       diffusion.SamplerName // diffusion.DDPM, or diffusion.DDIM for a model that was distilled
	Steps         int                   // how many of the model's timesteps are visited; all, or what it was distilled to
	Spacing       diffusion.Spacing     // which ones; diffusion.Trailing
	Eta           float64               // of diffusion.DDIM, 0 to 1: how much of DDPM's noise is added; 0
	SmallVariance bool                  // of diffusion.DDPM: the lower bound of the variance, not the upper one
	Clip          diffusion.Clipping    // of the predicted x_0; diffusion.ClipStatic

	BackProject int // how often each step brings x_0 closer to the input, up to 16; 0: see degrade.Config.BackProject

	// Classifier-free guidance: see diffusion.Guide. It needs a model trained with
	// TrainingConfig.DropCondition.
	Guidance     float64 // its weight w, 0 to 100; 0, no guidance
	Rescale      float64 // how much of the spread that guidance adds is taken back, 0 to 1; 0
	GuidanceFrom int     // guidance acts at timesteps from this one; 0
	GuidanceTo   int     // to below this one (Kynkäänniemi et al. 2024); T

	// Noise is the standard deviation of the noise in the pictures, for a model trained with
	// degrade.Config.Noise; 0.
	Noise float64

	// Precision is the number type that the networks compute in; nn.Float32. In nn.BFloat16 a result is
	// off by about one of 255 levels, and its tiles may be seen to join.
	Precision nn.Precision

	// Prediction, if not empty, is what the model is expected to predict; another one is an error.
	Prediction diffusion.Prediction

	// Fidelity, of a model that refines, is how far the result is drawn back from the sample to the
	// predictor: 0 for the sample, with all the detail that it makes up, to 1 for the predictor, which is
	// closest in the mean and as blurred as the input leaves it open; 0.
	Fidelity float64

	// Memory is about how many bytes the whole program may take in Upscale; DefaultMemory. A
	// picture that needs more is an error. The result does not depend on it.
	Memory int64

	// Each, if not nil, is called after every step; where Upscale works in tiles, after every tile.
	Each func(SampleStep)
}

// WithDefaults returns the options with the default in place of every zero, for a model of the
// given configuration.
func (o SampleOptions) WithDefaults(c Config) SampleOptions {
	c = c.WithDefaults()
	if c.Diffusion.Prediction == diffusion.Regression {
		o.Steps = cmp.Or(o.Steps, 1)
	}
	if c.refines() {
		o.Sampler = cmp.Or(o.Sampler, diffusion.DDIM)
		o.Steps = cmp.Or(o.Steps, c.Diffusion.Distilled, 4)
		o.Clip = cmp.Or(o.Clip, diffusion.ClipNone) // a residual has no range
	}
	if c.Diffusion.Distilled > 0 {
		o.Sampler = cmp.Or(o.Sampler, diffusion.DDIM)
		o.Steps = cmp.Or(o.Steps, c.Diffusion.Distilled)
	}
	o.Sampler = cmp.Or(o.Sampler, diffusion.DDPM)
	o.Steps = cmp.Or(o.Steps, c.Diffusion.Timesteps)
	o.Spacing = cmp.Or(o.Spacing, diffusion.Trailing)
	o.Precision = cmp.Or(o.Precision, nn.Float32)
	o.Clip = cmp.Or(o.Clip, diffusion.ClipStatic)
	o.GuidanceTo = cmp.Or(o.GuidanceTo, c.Diffusion.Timesteps)
	o.Prediction = cmp.Or(o.Prediction, c.Diffusion.Prediction)
	return o
}

// Validate reports the first value that a model of the given configuration cannot be sampled with,
// and what was expected. Zeros stand for their defaults.
func (o SampleOptions) Validate(c Config) error {
	c = c.WithDefaults()
	o = o.WithDefaults(c)
	_, err := o.steps(c)
	switch {
	case err != nil:
		return err
	case o.Precision.Validate() != nil:
		return o.Precision.Validate()
	case c.Diffusion.Prediction == diffusion.Regression && o.Steps != 1:
		return fmt.Errorf("sampling steps is %d: regression models take exactly 1 step, omit it", o.Steps)
	case c.Diffusion.Distilled > 0 && (o.Sampler != diffusion.DDIM || o.Steps != c.Diffusion.Distilled || o.Spacing != diffusion.Trailing || o.Eta != 0):
		return fmt.Errorf("this model was distilled to %d steps of %s, %s, and is sampled in no other way: omit sampler, steps, "+
			"spacing and eta", c.Diffusion.Distilled, diffusion.DDIM, diffusion.Trailing)
	case o.Clip != diffusion.ClipStatic && o.Clip != diffusion.ClipDynamic && o.Clip != diffusion.ClipNone:
		return fmt.Errorf("clip is %q: want %s, %s or %s", o.Clip, diffusion.ClipStatic, diffusion.ClipDynamic, diffusion.ClipNone)
	case o.BackProject < 0 || o.BackProject > 16:
		return fmt.Errorf("back-projections is %d: want a number from 0 to 16, such as 2", o.BackProject)
	case o.BackProject > 0 && c.Degradation.Name != "":
		return fmt.Errorf("back-projections with the degradation %s, which has no form in a graph: omit them", c.Degradation.Name)
	case !(o.Fidelity >= 0 && o.Fidelity <= 1):
		return fmt.Errorf("fidelity is %g: want a number from 0, the sample, to 1, the predictor", o.Fidelity)
	case o.Fidelity > 0 && !c.refines():
		return errors.New("fidelity belongs to a model that refines a predictor's result: omit it")
	case c.refines() && o.Clip != diffusion.ClipNone:
		return fmt.Errorf("clip is %q: a model that refines predicts a residual, which has no range, omit it", o.Clip)
	case o.BackProject > 0 && o.Noise > 0:
		return fmt.Errorf("back-projections with an input noise of %g: they would bring the noise into the result, omit one",
			o.Noise)
	case !(o.Guidance >= 0 && o.Guidance <= 100):
		return fmt.Errorf("guidance is %g: want a weight from 0, which is none, to 100", o.Guidance)
	case o.Guidance > 0 && c.Training.DropCondition == 0:
		return errors.New("guidance needs a model that was trained with some of its conditions dropped: train one with " +
			"a drop condition such as 0.1, or omit guidance")
	case !(o.Rescale >= 0 && o.Rescale <= 1):
		return fmt.Errorf("guidance rescale is %g: want a number from 0 to 1", o.Rescale)
	case o.GuidanceFrom < 0 || o.GuidanceTo > c.Diffusion.Timesteps || o.GuidanceFrom >= o.GuidanceTo:
		return fmt.Errorf("guidance from timestep %d to %d: want an interval within 0 to %d",
			o.GuidanceFrom, o.GuidanceTo, c.Diffusion.Timesteps)
	case o.Noise > 0 && c.Degradation.Noise == 0:
		return fmt.Errorf("the pictures' noise is %g, and the model was trained with none: omit it", o.Noise)
	case !(o.Noise >= 0 && o.Noise <= c.Degradation.Noise):
		return fmt.Errorf("the pictures' noise is %g: want a number from 0 to %g, the most that the model was trained with",
			o.Noise, c.Degradation.Noise)
	case o.Prediction != c.Diffusion.Prediction:
		return fmt.Errorf("the model predicts %s, not %s: sample it as what it is", c.Diffusion.Prediction, o.Prediction)
	}
	return nil
}

// steps returns the steps that complete options describe for a model of a complete configuration,
// or what is wrong with the options.
func (o SampleOptions) steps(c Config) ([]diffusion.Step, error) {
	if c.Diffusion.Prediction == diffusion.Regression { // x_0 itself, of an x_t that is pure noise
		return []diffusion.Step{{OfX0: 1}}, nil
	}
	schedule, err := diffusion.NewSchedule(c.Diffusion)
	if err != nil {
		return nil, err
	}
	points, err := o.Spacing.Points(schedule, o.Steps)
	if err != nil {
		return nil, err
	}
	of := diffusion.SamplerOptions{Eta: o.Eta, SmallVariance: o.SmallVariance}
	if err := o.Sampler.Validate(of); err != nil {
		return nil, err
	}
	return o.Sampler.Steps(points, of), nil
}

// guided reports whether guidance acts at timestep t.
func (o SampleOptions) guided(t float64) bool {
	return o.Guidance > 0 && float64(o.GuidanceFrom) <= t && t < float64(o.GuidanceTo)
}

// SampleStep is the state of a trajectory after one reverse step, or after one tile of it. The
// tensors are valid during the callback only. A picture in tiles has none.
type SampleStep struct {
	Done, Steps int             // reverse steps done, and in all
	Tile, Tiles int             // tiles of the next step that are done, and in all: 0 of 1 for pictures in one piece
	T           int             // the timestep that was undone, rounded: T-1 at first where all are visited, 0 at last
	X           *tensors.Tensor // x_s, where s is the timestep that comes next, [batch, height, width, 3]
	X0          *tensors.Tensor // the predicted x_0, clipped, of the same shape
}
