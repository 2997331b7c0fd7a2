// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package diffusion

import (
	"fmt"
	"math"
)

// Point is a time at which a sampler asks the network.
type Point struct {
	T        float64 // the timestep, which may lie between two of the schedule's
	AlphaBar float64 // alpha_bar_t
}

// Points returns the points of timesteps of the schedule.
func (s *Schedule) Points(timesteps ...int) []Point {
	points := make([]Point, len(timesteps))
	for i, t := range timesteps {
		points[i] = Point{float64(t), s.AlphaBars[t]}
	}
	return points
}

// Spacing is a way to choose the times that a sampler visits.
type Spacing string

// The spacings: see Spacing.Timesteps and Spacing.Points.
const (
	Trailing Spacing = "trailing"
	Leading  Spacing = "leading"
	Linspace Spacing = "linspace"
	Karras   Spacing = "karras"
)

// Timesteps returns the timesteps that a sampler visits, greatest first: steps of the T timesteps
// (Lin et al. 2023, table 2):
//
//	Trailing  T-1 and every T/steps below it: begins where noise is purest
//	Leading   0 and every T/steps (rounded down) above it: never visits the noisiest ones
//	Linspace  evenly from T-1 to 0
//
// It returns an error for another spacing, and unless 1 <= steps <= timesteps.
func (spacing Spacing) Timesteps(timesteps, steps int) ([]int, error) {
	if steps < 1 || steps > timesteps {
		return nil, fmt.Errorf("sampling steps is %d: want a number from 1 to the model's %d timesteps", steps, timesteps)
	}
	list := make([]int, steps)
	T, n := float64(timesteps), float64(steps)
	for i := range list {
		switch spacing {
		case Trailing:
			list[i] = int(math.RoundToEven(T-float64(i)*T/n)) - 1
		case Leading:
			list[i] = (steps - 1 - i) * (timesteps / steps)
		case Linspace:
			list[i] = int(math.RoundToEven((T - 1) * (1 - float64(i)/max(1, n-1))))
		default:
			return nil, fmt.Errorf("spacing is %q: want %s, %s or %s", spacing, Trailing, Leading, Linspace)
		}
	}
	return list, nil
}

// Points returns the points that a sampler visits, the noisiest first: those of Timesteps, or for
// Karras points between timesteps, which are spaced by their noise (Karras et al. 2022, equation 5,
// rho = 7). With sigma = sqrt(1 - alpha_bar) / sqrt(alpha_bar), from that of T-1 to that of 0:
//
//	sigma_i = (sigma_max^(1/7) + i / (steps-1) (sigma_min^(1/7) - sigma_max^(1/7)))^7
//
// It returns an error for an unknown spacing, unless 1 <= steps <= T, and for Karras where the last
// timestep has no signal.
func (spacing Spacing) Points(s *Schedule, steps int) ([]Point, error) {
	switch spacing {
	case Trailing, Leading, Linspace:
		list, err := spacing.Timesteps(s.Timesteps, steps)
		if err != nil {
			return nil, err
		}
		return s.Points(list...), nil
	case Karras:
		return s.karras(steps)
	}
	return nil, fmt.Errorf("spacing is %q: want %s, %s, %s or %s", spacing, Trailing, Leading, Linspace, Karras)
}

func (s *Schedule) karras(steps int) ([]Point, error) {
	last := s.Timesteps - 1
	if steps < 1 || steps > s.Timesteps {
		return nil, fmt.Errorf("sampling steps is %d: want a number from 1 to the model's %d timesteps", steps, s.Timesteps)
	}
	if s.AlphaBars[last] == 0 {
		return nil, fmt.Errorf("spacing is %s, and the schedule ends with pure noise, whose sigma is infinite: want another spacing", Karras)
	}
	const rho = 7
	root := func(t int) float64 { return math.Pow(s.SNR(t), -0.5/rho) } // sigma^(1/rho)
	first, end := root(last), root(0)
	points := make([]Point, steps)
	for i := range points {
		sigma := math.Pow(between(first, end, float64(i)/float64(max(1, steps-1))), rho)
		points[i] = s.at(1 / (1 + sigma*sigma))
	}
	return points, nil
}

// at returns the point of a given alpha_bar, within the schedule's. Its timestep is interpolated in
// log sigma.
func (s *Schedule) at(alphaBar float64) Point {
	logSigma := func(alphaBar float64) float64 { return math.Log((1-alphaBar)/alphaBar) / 2 }
	low, high := 0, s.Timesteps-1 // the timesteps around it
	for high-low > 1 {
		if middle := (low + high) / 2; s.AlphaBars[middle] >= alphaBar {
			low = middle
		} else {
			high = middle
		}
	}
	from, to := logSigma(s.AlphaBars[low]), logSigma(s.AlphaBars[high])
	share := 0.0
	if to > from {
		share = min(max((logSigma(alphaBar)-from)/(to-from), 0), 1)
	}
	return Point{between(float64(low), float64(high), share), alphaBar}
}

// between returns the number that lies the given share of the way from one to another.
func between(from, to, share float64) float64 { return from + share*(to-from) }
