// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// Package diffusion holds the equations of diffusion: the noise schedule, the forward process, the
// predictions, the loss, and the samplers. It works on graph nodes and does not depend on networks.
//
// A timestep t counts from 0: index t of a table stands for step t+1 of the papers, so that t = 0
// has the least noise and t = T-1 the most. Pictures are float32 in [-1, 1], [batch, height, width,
// 3].
//
// As in GoMLX, building a graph panics on misuse.
package diffusion

import (
	"cmp"
	"errors"
	"fmt"
)

// Config describes the noise schedule and the prediction. The zero value is the tutorial's. A zero
// field means the default, which stands beside it.
type Config struct {
	Schedule  ScheduleKind `json:"schedule"`   // Linear
	Timesteps int          `json:"timesteps"`  // T, 1000
	BetaStart float64      `json:"beta_start"` // beta at t = 0, 1e-4
	BetaEnd   float64      `json:"beta_end"`   // beta at t = T-1, 0.02
	ZeroSNR   bool         `json:"zero_snr"`   // see Schedule.RescaleToZeroSNR; not with PredictEps

	Prediction Prediction `json:"prediction"` // PredictEps
	Distilled  int        `json:"distilled"`  // DDIM steps that the model was distilled to; 0, none
}

// WithDefaults returns the configuration with the default in place of every zero.
func (c Config) WithDefaults() Config {
	c.Schedule = cmp.Or(c.Schedule, Linear)
	c.Timesteps = cmp.Or(c.Timesteps, 1000)
	c.BetaStart = cmp.Or(c.BetaStart, 1e-4)
	c.BetaEnd = cmp.Or(c.BetaEnd, 0.02)
	c.Prediction = cmp.Or(c.Prediction, PredictEps)
	return c
}

// Validate returns an error that names the first value that cannot be used. Zeros stand for their
// defaults.
func (c Config) Validate() error {
	c = c.WithDefaults()
	if _, err := NewSchedule(c); err != nil {
		return err
	}
	if err := c.Prediction.check(); err != nil {
		return err
	}
	switch {
	case c.ZeroSNR && c.Prediction == PredictEps:
		return errors.New("zero terminal SNR with a prediction of eps: the last timestep's noise does not determine the " +
			"picture, predict v or x0")
	case c.Distilled < 0 || c.Distilled > c.Timesteps || c.Distilled > 0 && !c.Prediction.distillable():
		return fmt.Errorf("distilled to %d steps, predicting %s: want at most the %d timesteps, and %s or %s",
			c.Distilled, c.Prediction, c.Timesteps, PredictV, PredictX0)
	}
	return nil
}

// distillable reports whether a model with this prediction can be distilled: in one step from pure
// noise, eps does not determine x_0, and a regression is one step already.
func (p Prediction) distillable() bool { return p != PredictEps && p != Regression }
