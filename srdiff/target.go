// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"
)

// What a network may be trained to predict. Given x_t and t, each of the three says what the others are.
const (
	PredictsEps = "eps" // the noise, as in the tutorial
	PredictsX0  = "x0"  // the picture
	PredictsV   = "v"   // the velocity v = sqrt(alpha_bar_t) eps - sqrt(1 - alpha_bar_t) x_0 (Salimans and Ho 2022)
)

// Regresses is a prediction that is no diffusion at all: the picture, from the condition alone and in one step. It is what
// diffusion is to be compared with: trained by the squared error it says the mean of all pictures that may be behind y, which is
// closest to each of them and as blurred as they differ.
const Regresses = "regression"

// checkPrediction returns an error unless prediction is one of the four above.
func checkPrediction(prediction string) error {
	switch prediction {
	case PredictsEps, PredictsX0, PredictsV, Regresses:
		return nil
	}
	return fmt.Errorf("prediction is %q: want %s, %s, %s or %s", prediction, PredictsEps, PredictsX0, PredictsV, Regresses)
}

// Target is what a network of the given kind of prediction should say of QSample(x0, t, eps): eps, x_0, or
//
//	v = sqrt(alpha_bar_t) eps - sqrt(1 - alpha_bar_t) x_0
//
// Shapes are QSample's.
func (s *Schedule) Target(prediction string, x0, t, eps *Node) *Node {
	switch prediction {
	case PredictsX0, Regresses:
		return x0
	case PredictsV:
		return Sub(Mul(s.signal(t), eps), Mul(s.noise(t), x0))
	}
	return eps
}

// X0 is the x_0 that a prediction of the given kind implies: PredictX0's for eps, the prediction itself for x_0, and
//
//	x_0 = sqrt(alpha_bar_t) x_t - sqrt(1 - alpha_bar_t) v
//
// Shapes are QSample's. The result may leave [-1, 1]: see ClipX0.
func (s *Schedule) X0(prediction string, xt, t, predicted *Node) *Node {
	switch prediction {
	case PredictsX0, Regresses:
		return predicted
	case PredictsV:
		return Sub(Mul(s.signal(t), xt), Mul(s.noise(t), predicted))
	}
	return s.PredictX0(xt, t, predicted)
}

// Eps is the noise that a prediction of the given kind implies: the prediction itself for eps, and else
//
//	eps = (x_t - sqrt(alpha_bar_t) x_0) / sqrt(1 - alpha_bar_t)
//	eps = sqrt(alpha_bar_t) v + sqrt(1 - alpha_bar_t) x_t
//
// Shapes are QSample's.
func (s *Schedule) Eps(prediction string, xt, t, predicted *Node) *Node {
	switch prediction {
	case PredictsX0:
		return Div(Sub(xt, Mul(s.signal(t), predicted)), s.noise(t))
	case PredictsV:
		return Add(Mul(s.signal(t), predicted), Mul(s.noise(t), xt))
	}
	return predicted
}

// signal is sqrt(alpha_bar_t), and noise is sqrt(1 - alpha_bar_t): see lookUp for the shape.
func (s *Schedule) signal(t *Node) *Node {
	return s.lookUp(func(t int) float64 { return sqrt(s.AlphaBars[t]) }, t)
}

func (s *Schedule) noise(t *Node) *Node {
	return s.lookUp(func(t int) float64 { return sqrt(1 - s.AlphaBars[t]) }, t)
}
