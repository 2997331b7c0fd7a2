// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package diffusion

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	. "github.com/gomlx/gomlx/core/graph"
)

// Prediction is what a network is trained to predict. Given x_t and t, each of eps, x_0 and v
// determines the others.
type Prediction string

// The predictions.
const (
	PredictEps Prediction = "eps" // the noise, as in the tutorial
	PredictX0  Prediction = "x0"  // the picture
	PredictV   Prediction = "v"   // the velocity v = sqrt(alpha_bar_t) eps - sqrt(1 - alpha_bar_t) x_0 (Salimans and Ho 2022)

	// Regression is no diffusion: the picture from the condition alone, in one step. Diffusion is
	// compared with it. Trained with squared error, it predicts the mean of all pictures consistent
	// with the condition, which is blurry wherever they disagree. It is PredictX0 where x_t is pure
	// noise.
	Regression Prediction = "regression"
)

// Parametrization defines a prediction as a sum of x_0 and eps with coefficients that depend on the
// time:
//
//	prediction = ofX0 x_0 + ofEps eps
//
// They have the shape of at.Signal. All else about the prediction follows from them.
type Parametrization func(at Time) (ofX0, ofEps *Node)

var parametrizations = map[Prediction]Parametrization{
	PredictEps: func(at Time) (ofX0, ofEps *Node) { return ZerosLike(at.Signal), OnesLike(at.Signal) },
	PredictX0:  func(at Time) (ofX0, ofEps *Node) { return OnesLike(at.Signal), ZerosLike(at.Signal) },
	PredictV:   func(at Time) (ofX0, ofEps *Node) { return Neg(at.Noise), at.Signal },
	Regression: func(at Time) (ofX0, ofEps *Node) { return OnesLike(at.Signal), ZerosLike(at.Signal) },
}

// RegisterPrediction makes a prediction known by a name. Registering a name twice panics.
func RegisterPrediction(name Prediction, p Parametrization) {
	if parametrizations[name] != nil {
		panic(fmt.Errorf("the prediction %s is registered already", name))
	}
	parametrizations[name] = p
}

// check returns an error unless the prediction is a known one.
func (p Prediction) check() error {
	if parametrizations[p] != nil {
		return nil
	}
	return fmt.Errorf("prediction is %q: want %s", p, oneOf(slices.Sorted(maps.Keys(parametrizations))))
}

// oneOf writes names as "a, b or c".
func oneOf[T ~string](names []T) string {
	var texts []string
	for _, name := range names {
		texts = append(texts, string(name))
	}
	last := len(texts) - 1
	return strings.Join(texts[:last], ", ") + " or " + texts[last]
}

// coefficients are the parametrization's at a time, and
//
//	determinant = ofX0 sqrt(1 - alpha_bar_t) - ofEps sqrt(alpha_bar_t)
//
// by which x_0 and eps follow from a prediction and x_t.
func (p Prediction) coefficients(at Time) (ofX0, ofEps, determinant *Node) {
	if err := p.check(); err != nil {
		panic(err)
	}
	ofX0, ofEps = parametrizations[p](at)
	return ofX0, ofEps, Sub(Mul(ofX0, at.Noise), Mul(ofEps, at.Signal))
}

// Target returns what a network should predict of x_t = QSample(x_0, t, eps):
//
//	ofX0 x_0 + ofEps eps,   for v: sqrt(alpha_bar_t) eps - sqrt(1 - alpha_bar_t) x_0
//
// Shapes are QSample's.
func (p Prediction) Target(at Time, x0, eps *Node) *Node {
	ofX0, ofEps, _ := p.coefficients(at)
	return Add(Mul(ofX0, x0), Mul(ofEps, eps))
}

// X0 returns the x_0 that follows from a prediction and x_t:
//
//	x_0 = (sqrt(1 - alpha_bar_t) predicted - ofEps x_t) / determinant
//	    = (x_t - sqrt(1 - alpha_bar_t) eps) / sqrt(alpha_bar_t)          for eps
//	    = sqrt(alpha_bar_t) x_t - sqrt(1 - alpha_bar_t) v                for v
//
// Shapes are QSample's. The result may leave [-1, 1]: see ClipX0.
func (p Prediction) X0(at Time, xt, predicted *Node) *Node {
	_, ofEps, determinant := p.coefficients(at)
	ofPredicted, ofXt := Div(at.Noise, determinant), Neg(Div(ofEps, determinant))
	return Add(Mul(ofPredicted, predicted), Mul(ofXt, xt))
}

// Eps returns the noise that follows from a prediction and x_t:
//
//	eps = (ofX0 x_t - sqrt(alpha_bar_t) predicted) / determinant
//	    = (x_t - sqrt(alpha_bar_t) x_0) / sqrt(1 - alpha_bar_t)          for x_0
//	    = sqrt(alpha_bar_t) v + sqrt(1 - alpha_bar_t) x_t                for v
//
// Shapes are QSample's. A Regression predicts no noise.
func (p Prediction) Eps(at Time, xt, predicted *Node) *Node {
	ofX0, _, determinant := p.coefficients(at)
	ofPredicted, ofXt := Neg(Div(at.Signal, determinant)), Div(ofX0, determinant)
	return Add(Mul(ofPredicted, predicted), Mul(ofXt, xt))
}

// Precondition returns the coefficients by which the output F of a network is added to a
// closed-form estimate, so that F has about unit size at every time (Karras et al. 2022, section
// 5):
//
//	prediction = ofXt x_t + ofY y + ofF F
//
// Without F, it is the posterior mean under the assumption that x_0 is normal around y with the
// standard deviation s = spread:
//
//	E[x_0 | x_t, y] = (sqrt(alpha_bar) s^2 x_t + (1 - alpha_bar) y) / V
//	V = alpha_bar s^2 + 1 - alpha_bar
//
// converted to the prediction. ofF is the standard deviation of this estimate's error. The
// coefficients have the shape of at.Signal.
//
// For a Regression, x_t counts as pure noise at every time.
func (p Prediction) Precondition(at Time, spread float64) (ofXt, ofY, ofF *Node) {
	if p == Regression {
		at.Signal, at.Noise = ZerosLike(at.Signal), OnesLike(at.Noise)
	}
	ofX0, ofEps, determinant := p.coefficients(at)
	s2 := spread * spread
	V := Add(MulScalar(Square(at.Signal), s2), Square(at.Noise))
	ofXt = Div(Add(MulScalar(Mul(ofX0, at.Signal), s2), Mul(ofEps, at.Noise)), V)
	ofY = Div(Mul(determinant, at.Noise), V)
	ofF = Div(MulScalar(Abs(determinant), spread), Sqrt(V))
	return ofXt, ofY, ofF
}

// MinSNR returns the weight of a squared error at a time, of the shape of at.Signal. It keeps the
// easy timesteps, whose signal-to-noise ratio is large, from dominating the training (Hang et al.
// 2023, section 3.4):
//
//	x_0: min(SNR_t, gamma),   eps: min(SNR_t, gamma) / SNR_t,   v: min(SNR_t, gamma) / (SNR_t + 1)
//
// which is min(SNR_t, gamma) for the error of the x_0 that follows from the prediction.
func (p Prediction) MinSNR(at Time, gamma float64) *Node {
	_, _, determinant := p.coefficients(at)
	snr := Square(Div(at.Signal, at.Noise))
	return Mul(MinScalar(snr, gamma), Square(Div(at.Noise, determinant)))
}
