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

// Predict, then refine (Whang et al. 2022; Li et al. 2022). A predictor returns the mean of all pictures
// that the low-resolution picture may come from. Diffusion samples only the residual, which is divided by
// its predicted standard deviation, so that it has about unit size everywhere:
//
//	mu, features = predictor(low)
//	s            = exp(ResidualScale(features))
//	r_0          = C (x_0 - mu) / s,   which takes the place of x_0 in QSample, Loss and the samplers
//	result       = mu + (1 - fidelity) min(s, maxDetail) C^-1 r_0
//
// C multiplies the colour, which differs much less from the mean than the brightness does:
// see networks.ResidualChroma.
//
// A model that refines holds all three networks. The predictor is trained first, alone. Training the
// refiner does not change it.

// The names of the three networks in a model's weights.
const (
	predictorScope = "predictor"
	scaleScope     = "scale"
	refinerScope   = "refiner"
)

// maxResidual bounds r_0 in training, in units of s.
const maxResidual = 6

// scaleLossWeight is the weight of networks.ScaleLoss in a refiner's loss. The two losses train
// different weights, so it matters only if the norm of all gradients is clipped.
const scaleLossWeight = 0.1

// refines reports whether the model's network refines the result of a predictor.
func (c Config) refines() bool { return c.Predictor.Name != "" }

// validatePredictor validates the settings of a model that refines. The configuration is complete.
func (c Config) validatePredictor() error {
	if c.Network.Name == networks.Residual && !c.refines() {
		return errors.New("the network residual refines the result of a predictor: set a predictor, such as pixelshuffle")
	}
	if !c.refines() {
		return nil
	}
	if _, err := newPredictor(c); err != nil {
		return err
	}
	switch {
	case c.Diffusion.Prediction == diffusion.Regression:
		return errors.New("predictor and regression are both set: a regression has no residual to refine; omit one of the two")
	case c.Degradation.Noise > 0:
		return errors.New("predictor and noise are both set: a predictor does not get the noise level; omit one of the two")
	case c.Training.DropCondition > 0:
		return errors.New("predictor and drop condition are both set: a predictor needs the condition; omit one of the two")
	}
	return nil
}

// newPredictor returns the predictor of a configuration, or nil if it has none.
func newPredictor(c Config) (networks.MeanPredictor, error) {
	if !c.refines() {
		return nil, nil
	}
	network, err := networks.New(c.Predictor)
	if err != nil {
		return nil, fmt.Errorf("predictor: %w", err)
	}
	predictor, ok := network.(networks.MeanPredictor)
	if !ok {
		return nil, fmt.Errorf("predictor is %s, which also needs x_t: want %s", c.Predictor.Name, networks.PixelShuffle)
	}
	return predictor, nil
}

// withMean adds the predictor's results for in.Low to the inputs. No gradient passes to the predictor.
func (d denoiser) withMean(scope *nn.Scope, in networks.Inputs) networks.Inputs {
	factor := d.config.Factor
	mean, features := d.predictor.PredictMean(scope.In(predictorScope), in.Low, factor)
	in.Mean, in.Features = StopGradient(mean), StopGradient(features)
	in.LogScale = networks.ResidualScale(scope.In(scaleScope), in.Features, factor)
	return in
}

// residual prepares the inputs of a model that refines for training on pictures x_0. It returns r_0,
// which takes the place of x_0, and the loss of the scale. For other models, and for inputs that are
// prepared already, it returns its arguments and a nil loss.
func (d denoiser) residual(scope *nn.Scope, in networks.Inputs, x0 *Node) (out networks.Inputs, r0, ofScale *Node) {
	if d.predictor == nil || in.Mean != nil {
		return in, x0, nil
	}
	in = d.withMean(scope, in)
	logScale := nn.PixelShuffle(in.LogScale, d.config.Factor) // [batch, height, width, 1]
	off := networks.ScaleChroma(Sub(x0, in.Mean), 1/networks.ResidualChroma)
	r0 = ClipScalar(Mul(off, Exp(Neg(logScale))), -maxResidual, maxResidual)
	ofScale = MulScalar(networks.ScaleLoss(off, logScale), scaleLossWeight)
	in.LogScale = StopGradient(in.LogScale)
	return in, StopGradient(r0), ofScale
}

// maxDetail bounds s in results, on the scale -1..1. Where the predictor may be further off, such as at
// edges of strong colours, a short training leaves noise in r_0, which would be seen as speckles.
const maxDetail = 0.2

// refined returns the mean mu and the detail min(s, maxDetail) C^-1 r_0. Back-projection is affine, so
// the detail after it is the difference of two back-projected pictures.
func (m *Model) refined(in networks.Inputs, r0 *Node, backProject int) []*Node {
	s := MinScalar(Exp(nn.PixelShuffle(in.LogScale, m.Config.Factor)), maxDetail)
	mean, detail := in.Mean, Mul(s, networks.ScaleChroma(r0, networks.ResidualChroma))
	if backProject == 0 {
		return []*Node{mean, detail}
	}
	whole := Add(mean, detail)
	for range backProject {
		mean, whole = m.Config.Degradation.BackProject(mean, in.Low), m.Config.Degradation.BackProject(whole, in.Low)
	}
	return []*Node{mean, Sub(whole, mean)}
}

// Refined is a strip of rows of the result of a model that refines, before its strength is chosen. Its
// pictures have one size and are valid only during a call of SampleOptions.Refined.
type Refined struct {
	Mean   imaging.Picture // the predictor's
	Detail imaging.Picture // what the sample adds to it
}

// At returns the rows of the result with the given SampleOptions.Fidelity: Mean + (1 - fidelity) Detail.
// Every result is mixed by this function. So a program that keeps the two parts can make the result of
// any fidelity, bit for bit, without sampling again.
func (r Refined) At(fidelity float64) imaging.Picture {
	amount := float32(1 - fidelity)
	out := imaging.New(r.Mean.Width, r.Mean.Height)
	for i, mean := range r.Mean.Pix {
		out.Pix[i] = mean + float32(amount*r.Detail.Pix[i]) // the conversion keeps Go from fusing the two operations
	}
	return out
}

// sampleEach is Sample for a local network. It samples the pictures one after the other.
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

// backProjectionReach is how many low-resolution pixels a back-projection adds to the reach.
const backProjectionReach = 3

// isLocal reports whether the network is local: see networks.Local.
func (m *Model) isLocal() bool { return m.reach(0) > 0 }

// reach returns how many low-resolution pixels around a tile its x_0 depends on, or 0 for a network
// that is not local: see networks.Local.
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

// scaleReach is how many low-resolution pixels networks.ResidualScale adds to the features' reach.
const scaleReach = 2
