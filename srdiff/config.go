// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"cmp"
	"fmt"
)

// Config says what is trained and how. The zero value is the tutorial's setting: a field that is zero means the default
// given beside it. It is a plain value, made to be edited in a notebook's cell.
type Config struct {
	// The noise schedule: see NewSchedule.
	Kind      string  `json:"kind"`       // "linear"
	Timesteps int     `json:"timesteps"`  // T, 1000
	BetaStart float64 `json:"beta_start"` // beta at t = 0, 1e-4
	BetaEnd   float64 `json:"beta_end"`   // beta at t = T-1, 0.02

	// The network: see UNet.
	BaseChannels int `json:"base_channels"` // channels of its first stage, 32

	// Training: see Train.
	ImageSize    int     `json:"image_size"`    // height and width of the training pictures, 32; a multiple of 4
	BatchSize    int     `json:"batch_size"`    // pictures a step, 32
	LearningRate float64 `json:"learning_rate"` // Adam's, 1e-4
	Seed         int64   `json:"seed"`          // first weights, pictures, timesteps and noise all follow from it
}

// WithDefaults returns the configuration with the tutorial's value in place of every zero.
func (c Config) WithDefaults() Config {
	return Config{
		Kind:         cmp.Or(c.Kind, "linear"),
		Timesteps:    cmp.Or(c.Timesteps, 1000),
		BetaStart:    cmp.Or(c.BetaStart, 1e-4),
		BetaEnd:      cmp.Or(c.BetaEnd, 0.02),
		BaseChannels: cmp.Or(c.BaseChannels, 32),
		ImageSize:    cmp.Or(c.ImageSize, 32),
		BatchSize:    cmp.Or(c.BatchSize, 32),
		LearningRate: cmp.Or(c.LearningRate, 1e-4),
		Seed:         c.Seed,
	}
}

// Validate reports the first value that cannot be used, with what was expected. Zeros stand for their defaults.
func (c Config) Validate() error {
	c = c.WithDefaults()
	if _, err := c.Schedule(); err != nil {
		return err
	}
	switch {
	case c.BaseChannels < 1 || c.BaseChannels > 1024:
		return fmt.Errorf("base channels is %d: want a number from 1 to 1024", c.BaseChannels)
	case c.ImageSize < Scale || c.ImageSize%Scale != 0 || c.ImageSize > 1024:
		return fmt.Errorf("image size is %d: want a multiple of %d, at most 1024", c.ImageSize, Scale)
	case c.BatchSize < 1 || c.BatchSize > 4096:
		return fmt.Errorf("batch size is %d: want a number from 1 to 4096", c.BatchSize)
	case !(c.LearningRate > 0 && c.LearningRate < 1):
		return fmt.Errorf("learning rate is %g: want a number between 0 and 1", c.LearningRate)
	}
	return nil
}

// Schedule returns the noise schedule that the configuration names, or what is wrong with it.
func (c Config) Schedule() (*Schedule, error) {
	c = c.WithDefaults()
	return NewSchedule(c.Kind, c.Timesteps, c.BetaStart, c.BetaEnd)
}
