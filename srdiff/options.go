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

// SampleOptions are the settings of a sampler. The zero value is the tutorial's sampler with the
// seed 0. A zero field means the default, which follows the semicolon beside it.
type SampleOptions struct {
	Seed int64

	Sampler       diffusion.SamplerName // diffusion.DDPM, or diffusion.DDIM for a model that was distilled
	Steps         int                   // number of timesteps to visit; all, or the steps of a distilled model
	Spacing       diffusion.Spacing     // how they are chosen; diffusion.Trailing
	Eta           float64               // share of DDPM's noise that diffusion.DDIM adds, 0 to 1; 0
	SmallVariance bool                  // diffusion.DDPM takes the lower bound of the variance, not the upper one
	Clip          diffusion.Clipping    // of the predicted x_0; diffusion.ClipStatic

	BackProject int // back-projections of x_0 a step, 0 to 16; 0: see degrade.Config.BackProject

	// SelfEnsemble has a regression predict the picture turned and mirrored in all eight ways, and
	// takes the mean (Timofte et al. 2016), which takes eight times as long.
	SelfEnsemble bool

	// Classifier-free guidance: see diffusion.Guide. It needs a model trained with
	// TrainingConfig.DropCondition.
	Guidance     float64 // its weight w, 0 to 100; 0, no guidance
	Rescale      float64 // share of the added spread that is removed, 0 to 1; 0
	GuidanceFrom int     // first timestep with guidance; 0
	GuidanceTo   int     // the timestep after the last one with guidance (Kynkäänniemi et al. 2024); T

	// Noise is the standard deviation of the noise in the pictures, for a model trained with
	// degrade.Config.Noise; 0.
	Noise float64

	// Precision is the number type of the networks; nn.Float32. In nn.BFloat16 results differ by
	// about one of 255 levels, and the joints of tiles may show.
	Precision nn.Precision

	// Prediction, if not empty, is the expected prediction. A model that predicts anything else is
	// an error.
	Prediction diffusion.Prediction

	// Fidelity is the share of the sampled residual that a model that refines omits: 0 keeps all of
	// the sampled detail; 1 returns the predictor's mean, which has the least squared error and is
	// blurred where the input allows several pictures; 0.
	Fidelity float64

	// Memory is about how many bytes the whole program may use in Upscale; DefaultMemory. A picture
	// that needs more is an error. It does not change results.
	Memory int64

	// Each, if not nil, is called after every step, or after every tile of a picture in tiles.
	Each func(SampleStep)

	// Refined, if not nil, is called in the last step of a model that refines, with the rows of the
	// result from the top down as they are made.
	Refined func(Refined)
}

// WithDefaults returns the options with the default in place of every zero, for a model with the
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

// Validate returns an error that names the first value with which a model of the given
// configuration cannot be sampled. Zeros stand for their defaults.
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
	case o.SelfEnsemble && c.Diffusion.Prediction != diffusion.Regression:
		return fmt.Errorf("self-ensemble belongs to a regression, and this model samples (it predicts %s): omit it", c.Diffusion.Prediction)
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

// steps returns the sampler's steps. Options and configuration must be complete.
func (o SampleOptions) steps(c Config) ([]diffusion.Step, error) {
	if c.Diffusion.Prediction == diffusion.Regression { // the prediction is the result
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

// SampleStep is the state of a trajectory after one reverse step, or after one tile of a step. The
// tensors are valid only during the callback, and nil for a picture in tiles. Where the steps go
// down a picture together (see Model.UpscaleStrips), Done and Tile count tiles of all steps, and T
// is that of the last tile. A part (see Model.UpscalePart) counts as one step.
type SampleStep struct {
	Done, Steps int             // reverse steps done, and their total
	Tile, Tiles int             // tiles of the next step that are done, and their total: 0 of 1 without tiles
	T           int             // the timestep of this step, rounded; 0 at the last step
	X           *tensors.Tensor // x_s, where s is the next timestep, [batch, height, width, 3]
	X0          *tensors.Tensor // the predicted x_0, clipped, of the same shape
}
