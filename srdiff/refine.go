// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"context"
	"errors"
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/srdiff/srlab/srdiff/diffusion"
	"github.com/srdiff/srlab/srdiff/imaging"
	"github.com/srdiff/srlab/srdiff/networks"
	"github.com/srdiff/srlab/srdiff/nn"
)

// Predict, then refine (Whang et al. 2022; Li et al. 2022). A predictor gives the mean of all pictures
// that the low-resolution one may come from: what is certain. Diffusion is of the rest alone, on a scale
// that makes it of unit size everywhere:
//
//	mu, features = predictor(low)
//	s            = exp(ResidualScale(features))
//	r_0          = (x_0 - mu) / s,   which takes the place of x_0 in QSample, Loss and the samplers
//	result       = mu + (1 - fidelity) s r_0
//
// A model that refines holds all three networks. The predictor is trained first, alone, and is not
// changed by the refiner's training.

// The names of the three networks in a model's weights.
const (
	predictorScope = "predictor"
	scaleScope     = "scale"
	refinerScope   = "refiner"
)

// maxResidual bounds r_0 in training, in units of s.
const maxResidual = 6

// scaleLossWeight is the share of networks.ScaleLoss in a refiner's loss. The two train different
// weights, so it matters only where the gradients' common norm is clipped.
const scaleLossWeight = 0.1

// refines reports whether the model's network refines what a predictor says.
func (c Config) refines() bool { return c.Predictor.Name != "" }

// validatePredictor validates what belongs to a model that refines, given a complete configuration.
func (c Config) validatePredictor() error {
	if c.Network.Name == networks.Residual && !c.refines() {
		return errors.New("the network residual refines what a predictor says: set a predictor, such as pixelshuffle")
	}
	if !c.refines() {
		return nil
	}
	if _, err := newPredictor(c); err != nil {
		return err
	}
	switch {
	case c.Diffusion.Prediction == diffusion.Regression:
		return errors.New("a predictor with regression: a regression has nothing to refine, omit one of the two")
	case c.Degradation.Noise > 0:
		return errors.New("a predictor with a known noise: predictors are not given the noise, omit one of the two")
	case c.Training.DropCondition > 0:
		return errors.New("a predictor with a drop condition: without the condition there is no predictor, omit one of the two")
	}
	return nil
}

// newPredictor returns the predictor of a configuration, or nil if it has none.
func newPredictor(c Config) (networks.Guesser, error) {
	if !c.refines() {
		return nil, nil
	}
	network, err := networks.New(c.Predictor)
	if err != nil {
		return nil, fmt.Errorf("predictor: %w", err)
	}
	guesser, ok := network.(networks.Guesser)
	if !ok {
		return nil, fmt.Errorf("predictor is %s, which needs more than the low-resolution picture: want %s", c.Predictor.Name, networks.PixelShuffle)
	}
	return guesser, nil
}

// guess adds to the inputs what the predictor says of in.Low. No gradient passes to the predictor.
func (d denoiser) guess(scope *nn.Scope, in networks.Inputs) networks.Inputs {
	factor := d.config.Factor
	mean, features := d.predictor.Guess(scope.In(predictorScope), in.Low, factor)
	in.Guess, in.Features = StopGradient(mean), StopGradient(features)
	in.LogScale = networks.ResidualScale(scope.In(scaleScope), in.Features, factor)
	return in
}

// residual prepares the inputs of a model that refines for training on pictures x_0. It returns the
// target r_0 in the place of x_0, and the loss of the scale. For other models, and for inputs that are
// prepared already, it changes nothing, and the loss is nil.
func (d denoiser) residual(scope *nn.Scope, in networks.Inputs, x0 *Node) (out networks.Inputs, r0, ofScale *Node) {
	if d.predictor == nil || in.Guess != nil {
		return in, x0, nil
	}
	in = d.guess(scope, in)
	logScale := nn.PixelShuffle(in.LogScale, d.config.Factor) // [batch, height, width, 1]
	off := Sub(x0, in.Guess)
	r0 = ClipScalar(Mul(off, Exp(Neg(logScale))), -maxResidual, maxResidual)
	ofScale = MulScalar(networks.ScaleLoss(off, logScale), scaleLossWeight)
	in.LogScale = StopGradient(in.LogScale)
	return in, StopGradient(r0), ofScale
}

// refined is the picture of a residual r_0: mu + amount s r_0, and then as many back-projections.
func (m *Model) refined(in networks.Inputs, r0, amount *Node, backProject int) *Node {
	s := Exp(nn.PixelShuffle(in.LogScale, m.Config.Factor))
	x0 := Add(in.Guess, Mul(amount, Mul(s, r0)))
	for range backProject {
		x0 = m.Config.Degradation.BackProject(x0, in.Low)
	}
	return x0
}

// sampleEach is Sample for a network that is local, one picture after the other.
func (m *Model) sampleEach(ctx context.Context, o SampleOptions, low []imaging.Picture) ([]imaging.Picture, error) {
	if len(low) == 0 {
		return nil, errors.New("no pictures: want at least one")
	}
	results := make([]imaging.Picture, len(low))
	for i, p := range low {
		var err error
		if results[i], err = m.sampleTiles(ctx, o, p); err != nil {
			return nil, err
		}
	}
	return results, nil
}

// backProjectionReach is how many low-resolution pixels further a back-projection looks.
const backProjectionReach = 3

// isLocal reports whether the network's tiles can be told apart from their picture: see
// networks.Local.
func (m *Model) isLocal() bool { return m.reach(0) > 0 }

// reach is how many low-resolution pixels around a tile its x_0 depends on, or 0 for a network whose
// tiles cannot be told apart from their picture: see networks.Local.
func (m *Model) reach(backProject int) int {
	network, ok := m.network.(networks.Local)
	if !ok {
		return 0
	}
	reach := network.Reach() + backProject*backProjectionReach
	if predictor, ok := m.predictor.(networks.Local); ok {
		reach += predictor.Reach() + scaleReach
	}
	return reach
}

// scaleReach is how much further networks.ResidualScale looks than the features that it is given.
const scaleReach = 2
