// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/srdiff/srlab/srdiff"
	"github.com/srdiff/srlab/srdiff/degrade"
	"github.com/srdiff/srlab/srdiff/diffusion"
	"github.com/srdiff/srlab/srdiff/nn"
)

// positive is a flag that refuses zero: zero means the default in srdiff.Config and is a mistake on
// a command line.
type positive[T int | float64] struct {
	value *T
	parse func(string) (T, error)
	kind  string
}

func (p positive[T]) String() string {
	if p.value == nil || *p.value == 0 {
		return ""
	}
	return strconv.FormatFloat(float64(*p.value), 'g', -1, 64)
}

func (p positive[T]) Type() string { return p.kind }

func (p positive[T]) Set(text string) error {
	v, err := p.parse(text)
	if err != nil || !(v > 0) {
		return errors.New("want a " + p.kind + " greater than 0")
	}
	*p.value = v
	return nil
}

func intFlag(flags *pflag.FlagSet, value *int, name, usage string) {
	flags.Var(positive[int]{value, strconv.Atoi, "number"}, name, usage)
}

// nameFlag is a flag that takes a name, such as a sampler's.
func nameFlag[T ~string](flags *pflag.FlagSet, value *T, name string, preset T, usage string) {
	*value = preset
	flags.Var(text[T]{value}, name, usage)
}

type text[T ~string] struct{ value *T }

func (t text[T]) String() string {
	if t.value == nil {
		return ""
	}
	return string(*t.value)
}

func (t text[T]) Type() string { return "string" }

func (t text[T]) Set(to string) error {
	*t.value = T(to)
	return nil
}

func floatFlag(flags *pflag.FlagSet, value *float64, name, usage string) {
	parse := func(text string) (float64, error) { return strconv.ParseFloat(text, 64) }
	flags.Var(positive[float64]{value, parse, "value"}, name, usage)
}

// average is the flag of the averaged weights, which "off" turns off.
type average struct{ decay *float64 }

func (a average) String() string {
	if a.decay == nil || *a.decay < 0 {
		return "off"
	}
	return strconv.FormatFloat(*a.decay, 'g', -1, 64)
}

func (a average) Type() string { return "value" }

func (a average) Set(text string) error {
	if text == "off" {
		*a.decay = -1
		return nil
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || !(v > 0 && v < 1) {
		return errors.New("want a value between 0 and 1, or off")
	}
	*a.decay = v
	return nil
}

// share is a flag from 0 to 1.
type share float64

func (s *share) String() string { return strconv.FormatFloat(float64(*s), 'g', -1, 64) }

func (s *share) Type() string { return "value" }

func (s *share) Set(text string) error {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || !(v >= 0 && v <= 1) {
		return errors.New("want a value from 0 to 1")
	}
	*s = share(v)
	return nil
}

// strength is a flag from 0 to 1 that sets a number, such as SampleOptions.Fidelity, to 1 minus its value.
type strength struct{ rest *float64 }

func (s strength) String() string {
	if s.rest == nil {
		return ""
	}
	return strconv.FormatFloat(1-*s.rest, 'g', -1, 64)
}

func (s strength) Type() string { return "value" }

func (s strength) Set(text string) error {
	var v share
	err := v.Set(text)
	if err == nil {
		*s.rest = 1 - float64(v)
	}
	return err
}

// degradation is the flag that sets the kernel of a degradation, or a registered degradation.
type degradation struct{ config *degrade.Config }

func (d degradation) String() string {
	switch {
	case d.config == nil:
		return ""
	case d.config.Name != "":
		return string(d.config.Name)
	}
	return string(d.config.Kernel)
}

func (d degradation) Type() string { return "string" }

func (d degradation) Set(name string) error {
	c := degrade.Named(name)
	d.config.Kernel, d.config.Name = c.Kernel, c.Name
	return nil
}

// scheduleFlags adds the noise schedule's flags.
func scheduleFlags(flags *pflag.FlagSet, c *srdiff.Config) {
	nameFlag(flags, &c.Diffusion.Schedule, "kind", c.Diffusion.Schedule, "kind of noise schedule: linear, scaled-linear, cosine or sigmoid")
	flags.BoolVar(&c.Diffusion.ZeroSNR, "zero-snr", c.Diffusion.ZeroSNR, "rescale the schedule so that the last timestep is pure noise")
	intFlag(flags, &c.Diffusion.Timesteps, "timesteps", "number of timesteps T")
	floatFlag(flags, &c.Diffusion.BetaStart, "beta-start", "beta at the first timestep")
	floatFlag(flags, &c.Diffusion.BetaEnd, "beta-end", "beta at the last timestep")
}

// trainingFlags adds the other flags of a training run.
func trainingFlags(flags *pflag.FlagSet, c *srdiff.Config) {
	intFlag(flags, &c.Factor, "factor", "how many times larger results are in each direction: 2, 3, 4 or 8")
	nameFlag(flags, &c.Network.Name, "network", c.Network.Name, "network: tutorial; tiny, small or base, with attention; pixelshuffle or residual, at low resolution")
	nameFlag(flags, &c.Predictor.Name, "predictor", c.Predictor.Name, "network whose result --network residual refines: pixelshuffle; see --from")
	flags.IntVar(&c.Network.Blocks, "blocks", c.Network.Blocks, "residual blocks (default: tiny 1, small 1, base 2, pixelshuffle 8, residual 6)")
	intFlag(flags, &c.Network.BaseChannels, "base-channels", "width of the network (default: tutorial 32, tiny 16, small 32, base 64)")
	flags.IntVar(&c.Network.Attention, "attention", c.Network.Attention,
		"number of resolutions with self-attention, from the lowest up, 1 to 3; -1 for none (default: 1; the tutorial's network has none)")
	flags.IntVar(&c.Network.Transformers, "transformers", c.Network.Transformers, "transformer blocks at the lowest resolution")
	flags.BoolVar(&c.Network.AddTime, "add-time", c.Network.AddTime, "add the time embedding to the features, in place of adaptive normalisation")
	flags.Float64Var(&c.Network.Dropout, "dropout", c.Network.Dropout, "dropout rate of each block, such as 0.1")
	nameFlag(flags, &c.Diffusion.Prediction, "prediction", c.Diffusion.Prediction, "what the network predicts: eps, x0 or v; regression predicts the picture without diffusion")
	flags.Var(degradation{&c.Degradation}, "degradation", "filter that shrinks training pictures: bilinear, bicubic, area or matlab-bicubic; or photo, for blur, noise and JPEG of random strength")
	flags.Float64Var(&c.Degradation.Blur, "blur", c.Degradation.Blur, "Gaussian blur before shrinking, in pixels")
	flags.Float64Var(&c.Degradation.Noise, "noise", c.Degradation.Noise, "noise after shrinking: its greatest standard deviation, on the scale -1..1")
	nameFlag(flags, &c.Training.Loss, "loss", c.Training.Loss, "loss function: mse, l1 or huber")
	flags.Float64Var(&c.Training.MinSNRGamma, "min-snr-gamma", c.Training.MinSNRGamma, "weigh timesteps by min-SNR-gamma, such as 5; 0 for none")
	flags.Float64Var(&c.Training.DropCondition, "drop-condition", c.Training.DropCondition,
		"share of pictures trained without their condition, such as 0.1, for sampling with --guidance")
	intFlag(flags, &c.Training.ImageSize, "size", "height and width of the training pictures (default: 32, or 36 for a factor of 3)")
	intFlag(flags, &c.Training.BatchSize, "batch", "pictures per batch")
	flags.BoolVar(&c.Training.Flip, "flip", c.Training.Flip, "mirror half of the pictures")
	floatFlag(flags, &c.Training.LearningRate, "lr", "Adam's learning rate")
	flags.IntVar(&c.Training.WarmUp, "warm-up", c.Training.WarmUp, "batches in which the learning rate rises from 0")
	flags.IntVar(&c.Training.Decay, "decay", c.Training.Decay, "batches after the warm-up in which the learning rate falls to 0; 0 for a constant rate")
	flags.Float64Var(&c.Training.ClipNorm, "clip-norm", c.Training.ClipNorm, "greatest norm of all gradients together, such as 1; 0 for no limit")
	intFlag(flags, &c.Training.Accumulate, "accumulate", "batches per weight update, which uses their mean gradient")
	flags.Var(average{&c.Training.EMA}, "ema", "decay of the averaged weights, with which the model samples; off for no average")
	seedFlag(flags, &c.Training.Seed)
}

// samplingFlags adds the flags of a sampler, except for the prediction: see predictionFlag.
func samplingFlags(flags *pflag.FlagSet, o *srdiff.SampleOptions) {
	nameFlag(flags, &o.Sampler, "sampler", "", "ddpm, ddim or dpmpp2m (default: ddpm, or what the model was distilled for)")
	intFlag(flags, &o.Steps, "sampling-steps",
		"number of timesteps to visit (default: all, 4 for a refining model, or the steps of a distilled model)")
	nameFlag(flags, &o.Spacing, "spacing", diffusion.Trailing, "spacing of those timesteps: trailing, leading, linspace or karras")
	flags.Float64Var(&o.Eta, "eta", 0, "share of ddpm's noise that ddim adds, 0 to 1")
	flags.BoolVar(&o.SmallVariance, "small-variance", false, "give ddpm's noise the posterior's variance in place of beta")
	nameFlag(flags, &o.Clip, "clip", "", "how the predicted picture is kept in range: static, dynamic or none (default: static, or none for a refining model)")
	flags.Var(strength{&o.Fidelity}, "strength",
		"share of sampled detail in the result of a refining model: from 0 for the predictor alone to 1 for the whole sample")
	flags.IntVar(&o.BackProject, "back-project", 0,
		"back-projections per step, such as 2; each makes the predicted picture fit the input better")
	flags.BoolVar(&o.SelfEnsemble, "self-ensemble", false,
		"take the mean of a predictor's results for the picture turned and mirrored in eight ways: slightly closer to the original, in 8 times the time")
	flags.Float64Var(&o.Guidance, "guidance", 0, "weight of classifier-free guidance; 0 for no guidance")
	flags.Float64Var(&o.Rescale, "guidance-rescale", 0, "share of the contrast that guidance adds to be removed, 0 to 1")
	flags.IntVar(&o.GuidanceFrom, "guidance-from", 0, "least timestep with guidance; timestep 0 has the least noise")
	intFlag(flags, &o.GuidanceTo, "guidance-to", "timestep above all with guidance (default: the number of timesteps)")
	nameFlag(flags, &o.Precision, "sampling-precision", nn.Float32, "number type that sampling computes in: float32 or bfloat16")
	flags.Float64Var(&o.Noise, "input-noise", 0, "standard deviation of the input's noise, for a model trained with --noise")
}

// predictionFlag adds the flag for the expected prediction of a model.
func predictionFlag(flags *pflag.FlagSet, o *srdiff.SampleOptions) {
	nameFlag(flags, &o.Prediction, "prediction", "", "require a model that predicts this: eps, x0 or v")
}

func seedFlag(flags *pflag.FlagSet, seed *int64) {
	flags.Int64Var(seed, "seed", 0, "random seed: the same seed gives the same result")
}

// required marks the flags that the command requires.
func required(cmd *cobra.Command, names ...string) {
	for _, name := range names {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err) // the flag was never defined: a mistake in this program
		}
	}
}
