// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/srdiff/srlab/srdiff/degrade"
	"github.com/srdiff/srlab/srdiff/diffusion"
	"github.com/srdiff/srlab/srdiff/networks"
	"github.com/srdiff/srlab/srdiff/nn"
)

// Config describes a model and its training. The zero value is the tutorial's setting with averaged
// weights. A zero field means the default, which follows the semicolon beside it. Config is a plain
// value, which a notebook's cell can edit.
type Config struct {
	Factor    int              `json:"factor"`    // how many times larger results are than inputs in each direction: 2, 3, 4 or 8; 4
	Diffusion diffusion.Config `json:"diffusion"` // the noise schedule, and what is predicted
	Network   networks.Config  `json:"network"`   // the network that predicts

	// Predictor is the network whose result a model refines: it predicts x_0 first, and diffusion
	// samples the residual. An empty name means none.
	Predictor networks.Config `json:"predictor"`

	Degradation degrade.Config `json:"degradation"` // how low-resolution pictures are made
	Training    TrainingConfig `json:"training"`    // how the network is trained; in a model file, a record of it
}

// TrainingConfig describes how a network is trained: see Model.Train. A zero field means the
// default, which follows the semicolon beside it.
type TrainingConfig struct {
	Loss          diffusion.LossKind `json:"loss"`           // diffusion.MSE
	MinSNRGamma   float64            `json:"min_snr_gamma"`  // see diffusion.Prediction.MinSNR, 5 in its paper; 0 for none
	DropCondition float64            `json:"drop_condition"` // share of pictures trained without condition, for guidance; 0

	Precision nn.Precision `json:"precision"` // number type of the networks in training; nn.Float32

	ImageSize    int     `json:"image_size"`    // height and width of the training pictures; 32, or 36 for a factor of 3
	BatchSize    int     `json:"batch_size"`    // pictures a step; 32
	Flip         bool    `json:"flip"`          // mirrors half of the pictures
	LearningRate float64 `json:"learning_rate"` // Adam's; 1e-4
	WarmUp       int     `json:"warm_up"`       // steps in which the learning rate rises from 0; 0
	Decay        int     `json:"decay"`         // steps after the warm-up in which it falls to 0 as half a cosine; 0 for a constant rate
	ClipNorm     float64 `json:"clip_norm"`     // greatest norm of all gradients together; 0 for no limit
	Accumulate   int     `json:"accumulate"`    // steps for each update, which uses their mean gradient; 1
	EMA          float64 `json:"ema"`           // decay of the averaged weights, or -1 for no average; 0.999
	Seed         int64   `json:"seed"`          // of the first weights, the pictures, timesteps and noise
}

// factors are the values of Config.Factor.
var factors = []int{2, 3, 4, 8}

// WithDefaults returns the configuration with the default in place of every zero.
func (c Config) WithDefaults() Config {
	c.Factor = cmp.Or(c.Factor, 4)
	c.Diffusion = c.Diffusion.WithDefaults()
	c.Network = c.Network.WithDefaults()
	if c.Predictor.Name != "" {
		c.Predictor = c.Predictor.WithDefaults()
	}
	c.Degradation = c.Degradation.WithDefaults()
	if c.Training.ImageSize == 0 {
		multiple := c.multiple()
		c.Training.ImageSize = (32 + multiple - 1) / multiple * multiple
	}
	c.Training = c.Training.withDefaults()
	return c
}

func (c TrainingConfig) withDefaults() TrainingConfig {
	c.Loss = cmp.Or(c.Loss, diffusion.MSE)
	c.Precision = cmp.Or(c.Precision, nn.Float32)
	c.BatchSize = cmp.Or(c.BatchSize, 32)
	c.LearningRate = cmp.Or(c.LearningRate, 1e-4)
	c.Accumulate = cmp.Or(c.Accumulate, 1)
	c.EMA = cmp.Or(c.EMA, 0.999)
	return c
}

// Validate returns an error that names the first value that cannot be used. Zeros stand for their
// defaults.
func (c Config) Validate() error {
	c = c.WithDefaults()
	if err := firstError(c.Diffusion.Validate(), c.Network.Validate(), c.Degradation.Validate(), c.Training.validate()); err != nil {
		return err
	}
	if err := c.validatePredictor(); err != nil {
		return err
	}
	multiple := c.multiple()
	switch t := c.Training; {
	case !slices.Contains(factors, c.Factor):
		return fmt.Errorf("factor is %d: want 2, 3, 4 or 8", c.Factor)
	case c.Diffusion.Prediction == diffusion.Regression && (t.MinSNRGamma > 0 || t.DropCondition > 0):
		return errors.New("min-SNR gamma or a drop condition with regression: a regression has no timesteps and needs the " +
			"condition; omit them")
	case t.ImageSize < multiple || t.ImageSize%multiple != 0 || t.ImageSize > 1024:
		return fmt.Errorf("image size is %d: want a multiple of %d, at most 1024", t.ImageSize, multiple)
	case t.ImageSize*t.ImageSize > c.maxPixels():
		return fmt.Errorf("image size is %d: the network's attention, which compares all pairs of pixels, takes at most %d pixels; "+
			"take smaller pictures or less attention", t.ImageSize, c.maxPixels())
	}
	if err := (SampleOptions{}).Validate(c); err != nil {
		return fmt.Errorf("such a model could not be sampled: %w", err)
	}
	return nil
}

// maxPixels returns the greatest number of pixels that the network of a valid configuration takes
// at once.
func (c Config) maxPixels() int {
	network, err := networks.New(c.Network)
	if limited, ok := network.(networks.Limited); err == nil && ok {
		return limited.MaxPixels()
	}
	return 1 << 40
}

func (c TrainingConfig) validate() error {
	switch {
	case c.Loss != diffusion.MSE && c.Loss != diffusion.L1 && c.Loss != diffusion.Huber:
		return fmt.Errorf("loss is %q: want %s, %s or %s", c.Loss, diffusion.MSE, diffusion.L1, diffusion.Huber)
	case !(c.MinSNRGamma >= 0 && c.MinSNRGamma <= 1e6): // written so that NaN fails too
		return fmt.Errorf("min-SNR gamma is %g: want 0 for none, or a positive number such as 5", c.MinSNRGamma)
	case !(c.DropCondition >= 0 && c.DropCondition < 1):
		return fmt.Errorf("drop condition is %g: want a share from 0 to below 1, such as 0.1", c.DropCondition)
	case c.BatchSize < 1 || c.BatchSize > 4096:
		return fmt.Errorf("batch size is %d: want a number from 1 to 4096", c.BatchSize)
	case !(c.LearningRate > 0 && c.LearningRate < 1):
		return fmt.Errorf("learning rate is %g: want a number between 0 and 1", c.LearningRate)
	case c.WarmUp < 0 || c.WarmUp > maxSteps:
		return fmt.Errorf("warm-up is %d: want a number of steps", c.WarmUp)
	case c.Decay < 0 || c.Decay > maxSteps:
		return fmt.Errorf("decay is %d: want a number of steps", c.Decay)
	case !(c.ClipNorm >= 0):
		return fmt.Errorf("clip norm is %g: want 0 for none, or a positive number such as 1", c.ClipNorm)
	case c.Precision.Validate() != nil:
		return c.Precision.Validate()
	case c.Accumulate < 1 || c.Accumulate > 4096:
		return fmt.Errorf("accumulate is %d: want a number from 1 to 4096", c.Accumulate)
	case c.EMA != -1 && !(c.EMA > 0 && c.EMA < 1):
		return fmt.Errorf("EMA decay is %g: want a number between 0 and 1, such as 0.999, or -1 for none", c.EMA)
	}
	return nil
}

// multiple returns the number of which the height and width of x_t must be multiples, for the
// network and the factor. For an invalid configuration it is the factor.
func (c Config) multiple() int {
	network, err := networks.New(c.Network)
	if err != nil || c.Factor < 1 {
		return max(1, c.Factor)
	}
	return leastCommonMultiple(c.Factor, network.Multiple())
}

func leastCommonMultiple(a, b int) int {
	n := a
	for n%b != 0 {
		n += a
	}
	return n
}

// firstError returns the first of the errors that is not nil.
func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
