// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"cmp"
	"errors"
	"fmt"
)

// The kinds of loss: see Loss.
const (
	MSE   = "mse"
	L1    = "l1"
	Huber = "huber"
)

// The precisions in which a network computes; its weights are float32 in all of them.
const (
	Float32  = "float32"
	BFloat16 = "bfloat16"
)

// Config says what is trained and how. The zero value is the tutorial's setting, plus averaged weights: a field that is zero
// means the default given beside it. It is a plain value, made to be edited in a notebook's cell.
type Config struct {
	// The noise schedule: see NewSchedule.
	Kind      string  `json:"kind"`       // KindLinear, KindScaledLinear, KindCosine or KindSigmoid; KindLinear
	Timesteps int     `json:"timesteps"`  // T, 1000
	BetaStart float64 `json:"beta_start"` // beta at t = 0, 1e-4
	BetaEnd   float64 `json:"beta_end"`   // beta at t = T-1, 0.02
	ZeroSNR   bool    `json:"zero_snr"`   // see Schedule.RescaleToZeroSNR; not for PredictsEps

	// The network: see UNet, and ResidualUNet for all but NetworkTutorial.
	Network      string `json:"network"`       // NetworkTutorial, NetworkTiny, NetworkSmall or NetworkBase; NetworkTutorial
	Prediction   string `json:"prediction"`    // PredictsEps, PredictsX0, PredictsV or Regresses; PredictsEps
	BaseChannels int    `json:"base_channels"` // channels of its first stage; 32, tiny 16, small 32, base 64
	Precision    string `json:"precision"`     // Float32 or BFloat16, of what it computes; Float32

	// A ResidualUNet's parts.
	Attention    int     `json:"attention"`    // resolutions with Attention, the smallest first, 1; at most 3, -1 for none
	Transformers int     `json:"transformers"` // Transformer blocks at the bottleneck; 0
	AddTime      bool    `json:"add_time"`     // the time is added, rather than told by AdaptiveNorm: see ResBlock
	Dropout      float64 `json:"dropout"`      // share of values that training leaves out in every block; 0

	Distilled int `json:"distilled"` // steps of DDIM that it was distilled to, and is sampled in: see Model.Student; 0, none

	// What the network is shown: see Degrade.
	Degradation string  `json:"degradation"` // Bilinear, Bicubic or Area; Bilinear
	Blur        float64 `json:"blur"`        // Gaussian blur before it, its standard deviation in pixels, up to 8; 0, none
	Noise       float64 `json:"noise"`       // noise after it, its greatest standard deviation, up to 1; 0, none

	// The loss: see Loss.
	Loss          string  `json:"loss"`           // MSE, L1 or Huber; MSE
	MinSNRGamma   float64 `json:"min_snr_gamma"`  // see Schedule.MinSNR, 5 in its paper; 0, which weighs all timesteps alike
	DropCondition float64 `json:"drop_condition"` // share of pictures trained without condition, for guidance; 0

	// Training: see Train.
	ImageSize    int     `json:"image_size"`    // height and width of the training pictures, 32; a multiple of 4
	BatchSize    int     `json:"batch_size"`    // pictures a step, 32
	Flip         bool    `json:"flip"`          // mirror half of the pictures
	LearningRate float64 `json:"learning_rate"` // Adam's, 1e-4
	WarmUp       int     `json:"warm_up"`       // steps in which the learning rate rises from 0; 0
	Decay        int     `json:"decay"`         // steps after those in which it falls to 0, like half a cosine; 0, never
	ClipNorm     float64 `json:"clip_norm"`     // greatest norm of all gradients together; 0, which leaves them
	Accumulate   int     `json:"accumulate"`    // steps whose mean gradient changes the weights once, 1
	EMA          float64 `json:"ema"`           // decay of the averaged weights, 0.999: see Train; -1 for no average
	Seed         int64   `json:"seed"`          // first weights, pictures, timesteps and noise all follow from it
}

// WithDefaults returns the configuration with the default in place of every zero.
func (c Config) WithDefaults() Config {
	c.Kind = cmp.Or(c.Kind, KindLinear)
	c.Timesteps = cmp.Or(c.Timesteps, 1000)
	c.BetaStart = cmp.Or(c.BetaStart, 1e-4)
	c.BetaEnd = cmp.Or(c.BetaEnd, 0.02)
	c.Prediction = cmp.Or(c.Prediction, PredictsEps)
	c.Network = cmp.Or(c.Network, NetworkTutorial)
	if c.Network == NetworkTutorial {
		c.BaseChannels = cmp.Or(c.BaseChannels, 32)
	} else {
		c.BaseChannels = cmp.Or(c.BaseChannels, sizes[c.Network].channels)
		c.Attention = cmp.Or(c.Attention, 1)
	}
	c.Precision = cmp.Or(c.Precision, Float32)
	c.Degradation = cmp.Or(c.Degradation, Bilinear)
	c.Loss = cmp.Or(c.Loss, MSE)
	c.ImageSize = cmp.Or(c.ImageSize, 32)
	c.BatchSize = cmp.Or(c.BatchSize, 32)
	c.LearningRate = cmp.Or(c.LearningRate, 1e-4)
	c.Accumulate = cmp.Or(c.Accumulate, 1)
	c.EMA = cmp.Or(c.EMA, 0.999)
	return c
}

// Validate reports the first value that cannot be used, with what was expected. Zeros stand for their defaults.
func (c Config) Validate() error {
	c = c.WithDefaults()
	if _, err := c.Schedule(); err != nil {
		return err
	}
	if err := checkPrediction(c.Prediction); err != nil {
		return err
	}
	switch {
	case c.ZeroSNR && c.Prediction == PredictsEps:
		return errors.New("zero terminal SNR with a prediction of eps: the last timestep's noise says nothing about the " +
			"picture, predict v or x0")
	case c.Prediction == Regresses && (c.MinSNRGamma > 0 || c.DropCondition > 0):
		return errors.New("min-SNR gamma or a drop condition with regression: it knows no timesteps and nothing but the " +
			"condition, leave them away")
	case c.Distilled < 0 || c.Distilled > c.Timesteps || c.Distilled > 0 && (c.Prediction == PredictsEps || c.Prediction == Regresses):
		return fmt.Errorf("distilled to %d steps, predicting %s: want at most the %d timesteps, and %s or %s",
			c.Distilled, c.Prediction, c.Timesteps, PredictsV, PredictsX0)
	case c.Network != NetworkTutorial && sizes[c.Network].blocks == 0:
		return fmt.Errorf("network is %q: want %s, %s, %s or %s",
			c.Network, NetworkTutorial, NetworkTiny, NetworkSmall, NetworkBase)
	case c.Network == NetworkTutorial && (c.Attention != 0 || c.Transformers != 0 || c.AddTime || c.Dropout != 0):
		return fmt.Errorf("attention, transformers, added time and dropout belong to the networks %s, %s and %s, not to the "+
			"tutorial's", NetworkTiny, NetworkSmall, NetworkBase)
	case c.Attention < -1 || c.Attention > 3:
		return fmt.Errorf("attention is %d: want the number of resolutions that have it, 1 to 3, or -1 for none", c.Attention)
	case c.Transformers < 0 || c.Transformers > 64:
		return fmt.Errorf("transformers is %d: want a number from 0 to 64", c.Transformers)
	case !(c.Dropout >= 0 && c.Dropout < 1):
		return fmt.Errorf("dropout is %g: want a share from 0 to below 1, such as 0.1", c.Dropout)
	case c.Network != NetworkTutorial && c.BaseChannels%groups != 0:
		return fmt.Errorf("base channels is %d: want a multiple of %d for the network %s", c.BaseChannels, groups, c.Network)
	case c.BaseChannels < 1 || c.BaseChannels > 1024:
		return fmt.Errorf("base channels is %d: want a number from 1 to 1024", c.BaseChannels)
	case c.Precision != Float32 && c.Precision != BFloat16:
		return fmt.Errorf("precision is %q: want %s or %s", c.Precision, Float32, BFloat16)
	case c.Degradation != Bilinear && c.Degradation != Bicubic && c.Degradation != Area:
		return fmt.Errorf("degradation is %q: want %s, %s or %s", c.Degradation, Bilinear, Bicubic, Area)
	case !(c.Blur >= 0 && c.Blur <= 8): // written so that NaN fails too
		return fmt.Errorf("blur is %g: want a standard deviation from 0 to 8 pixels", c.Blur)
	case !(c.Noise >= 0 && c.Noise <= 1):
		return fmt.Errorf("noise is %g: want a standard deviation from 0 to 1", c.Noise)
	case c.Loss != MSE && c.Loss != L1 && c.Loss != Huber:
		return fmt.Errorf("loss is %q: want %s, %s or %s", c.Loss, MSE, L1, Huber)
	case !(c.MinSNRGamma >= 0 && c.MinSNRGamma <= 1e6):
		return fmt.Errorf("min-SNR gamma is %g: want 0 for none, or a positive number such as 5", c.MinSNRGamma)
	case !(c.DropCondition >= 0 && c.DropCondition < 1):
		return fmt.Errorf("drop condition is %g: want a share from 0 to below 1, such as 0.1", c.DropCondition)
	case c.ImageSize < Scale || c.ImageSize%Scale != 0 || c.ImageSize > 1024:
		return fmt.Errorf("image size is %d: want a multiple of %d, at most 1024", c.ImageSize, Scale)
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
	case c.Accumulate < 1 || c.Accumulate > 4096:
		return fmt.Errorf("accumulate is %d: want a number from 1 to 4096", c.Accumulate)
	case c.EMA != -1 && !(c.EMA > 0 && c.EMA < 1):
		return fmt.Errorf("EMA decay is %g: want a number between 0 and 1, such as 0.999, or -1 for none", c.EMA)
	}
	return nil
}

// Schedule returns the noise schedule that the configuration names, or what is wrong with it.
func (c Config) Schedule() (*Schedule, error) {
	c = c.WithDefaults()
	s, err := NewSchedule(c.Kind, c.Timesteps, c.BetaStart, c.BetaEnd)
	if err != nil || !c.ZeroSNR {
		return s, err
	}
	return s.RescaleToZeroSNR()
}
