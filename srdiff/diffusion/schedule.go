// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package diffusion

import (
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// ScheduleKind is a formula for the betas of a noise schedule: see NewSchedule.
type ScheduleKind string

// The kinds of noise schedule.
const (
	Linear       ScheduleKind = "linear"
	ScaledLinear ScheduleKind = "scaled-linear"
	Cosine       ScheduleKind = "cosine"
	Sigmoidal    ScheduleKind = "sigmoid"
)

// maxTimesteps bounds T: a schedule is a table, and 100 times the tutorial's is more than any paper
// uses.
const maxTimesteps = 100_000

// minBetaStart bounds betaStart: 1 - alpha_bar_0 would be lost in rounding, which the posterior
// divides by.
const minBetaStart = 1e-12

// minAlphaBar bounds alpha_bar: x_0 of a prediction of eps is divided by its root, in float32.
const minAlphaBar = 1e-60

// maxCosineBeta keeps the cosine schedule from destroying a picture in one step (Nichol and
// Dhariwal 2021, section 3.2).
const maxCosineBeta = 0.999

// Schedule is the noise schedule of the forward process and everything that follows from it, in
// float64, indexed by the timestep t = 0..T-1 (Ho, Jain and Abbeel 2020, section 2).
type Schedule struct {
	Kind      ScheduleKind `json:"kind"`
	ZeroSNR   bool         `json:"zero_snr"`   // RescaleToZeroSNR was applied
	Timesteps int          `json:"timesteps"`  // T
	Betas     []float64    `json:"betas"`      // beta_t: the variance of the noise that step t adds
	Alphas    []float64    `json:"alphas"`     // alpha_t = 1 - beta_t
	AlphaBars []float64    `json:"alpha_bars"` // alpha_bar_t = prod_{s<=t} alpha_s: the share of x_0's variance left at t
}

// NewSchedule makes the schedule that a configuration describes. With T timesteps and u = t / (T-1)
// in [0, 1], which is 0 where T is 1:
//
//	Linear        beta_t = betaStart + u (betaEnd - betaStart)
//	ScaledLinear  beta_t = (sqrt(betaStart) + u (sqrt(betaEnd) - sqrt(betaStart)))^2
//	Sigmoidal     beta_t = betaStart + sigmoid(12 u - 6) (betaEnd - betaStart)
//	Cosine        beta_t = min(1 - f((t+1)/T) / f(t/T), 0.999)
//	              f(r) = cos^2((r + 0.008) / 1.008 pi/2)
//
// Linear is the tutorial's (Ho et al. 2020); ScaledLinear is of Rombach et al. 2022, Sigmoidal of
// Xu et al. 2022, Cosine of Nichol and Dhariwal 2021.
//
// Cosine ignores the betas of the configuration. With c.ZeroSNR the result is rescaled: see
// RescaleToZeroSNR.
//
// It returns an error that names the value when the kind is unknown, T is not in 1..100000, the
// betas are not 1e-12 <= betaStart <= betaEnd < 1, or alpha_bar falls below 1e-60. Zeros stand for
// their defaults.
func NewSchedule(c Config) (*Schedule, error) {
	c = c.WithDefaults()
	if err := c.checkSchedule(); err != nil {
		return nil, err
	}
	timesteps, betaStart, betaEnd := c.Timesteps, c.BetaStart, c.BetaEnd
	var beta func(t int, u float64) float64
	switch c.Schedule {
	case Linear:
		beta = func(_ int, u float64) float64 { return between(betaStart, betaEnd, u) }
	case ScaledLinear:
		beta = func(_ int, u float64) float64 { return square(between(sqrt(betaStart), sqrt(betaEnd), u)) }
	case Sigmoidal:
		beta = func(_ int, u float64) float64 { return between(betaStart, betaEnd, 1/(1+math.Exp(6-12*u))) }
	case Cosine:
		f := func(t int) float64 {
			return square(math.Cos((float64(t)/float64(timesteps) + 0.008) / 1.008 * math.Pi / 2))
		}
		beta = func(t int, _ float64) float64 { return min(1-f(t+1)/f(t), maxCosineBeta) }
	default:
		return nil, fmt.Errorf("schedule is %q: want %s, %s, %s or %s",
			c.Schedule, Linear, ScaledLinear, Cosine, Sigmoidal)
	}
	betas := make([]float64, timesteps)
	for t := range betas {
		betas[t] = beta(t, float64(t)/float64(max(1, timesteps-1)))
	}
	s := &Schedule{Kind: c.Schedule, Timesteps: timesteps, Betas: betas,
		Alphas: make([]float64, timesteps), AlphaBars: make([]float64, timesteps)}
	alphaBar := 1.0
	for t, beta := range betas {
		s.Alphas[t] = 1 - beta
		alphaBar *= s.Alphas[t]
		s.AlphaBars[t] = alphaBar
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	if c.ZeroSNR {
		return s.RescaleToZeroSNR()
	}
	return s, nil
}

// checkSchedule validates the numbers of a schedule.
func (c Config) checkSchedule() error {
	switch {
	case c.Timesteps < 1 || c.Timesteps > maxTimesteps:
		return fmt.Errorf("timesteps is %d: want a number from 1 to %d", c.Timesteps, maxTimesteps)
	case !(c.BetaStart >= minBetaStart && c.BetaStart < 1): // written so that NaN fails too
		return fmt.Errorf("beta_start is %g: want a number from %g to below 1, such as 1e-4", c.BetaStart, minBetaStart)
	case !(c.BetaEnd > 0 && c.BetaEnd < 1):
		return fmt.Errorf("beta_end is %g: want a number between 0 and 1, such as 0.02", c.BetaEnd)
	case c.BetaStart > c.BetaEnd:
		return fmt.Errorf("beta_start %g is greater than beta_end %g: noise must not shrink with t, swap them",
			c.BetaStart, c.BetaEnd)
	}
	return nil
}

// RescaleToZeroSNR returns the schedule with its last timestep made pure noise, as sampling assumes
// that it is (Lin et al. 2023, algorithm 1): sqrt(alpha_bar) is shifted so that its last value is
// 0, and scaled so that its first value stays.
//
//	a_t = sqrt(alpha_bar_t);  a'_t = (a_t - a_{T-1}) a_0 / (a_0 - a_{T-1});  alpha_bar'_t = a'_t^2
//
// At the last timestep the noise does not determine x_0, so a network for such a schedule predicts
// x_0 or v. It returns an error for a schedule of one timestep, which has no signal left to keep.
func (s *Schedule) RescaleToZeroSNR() (*Schedule, error) {
	if s.Timesteps == 1 {
		return nil, fmt.Errorf("zero terminal SNR with 1 timestep: want at least 2")
	}
	first, last := sqrt(s.AlphaBars[0]), sqrt(s.AlphaBars[s.Timesteps-1])
	r := &Schedule{Kind: s.Kind, ZeroSNR: true, Timesteps: s.Timesteps, Betas: make([]float64, s.Timesteps),
		Alphas: make([]float64, s.Timesteps), AlphaBars: make([]float64, s.Timesteps)}
	for t := range r.AlphaBars {
		r.AlphaBars[t] = square((sqrt(s.AlphaBars[t]) - last) * first / (first - last))
		r.Alphas[t] = r.AlphaBars[t] / r.alphaBarBefore(t)
		r.Betas[t] = 1 - r.Alphas[t]
	}
	return r, r.check()
}

// check returns an error unless x_t keeps some signal and has some noise at every timestep, and all
// numbers are finite. The last timestep of a rescaled schedule has no signal.
func (s *Schedule) check() error {
	for t, alphaBar := range s.AlphaBars {
		least := minAlphaBar
		if s.ZeroSNR && t == s.Timesteps-1 {
			least = 0
		}
		if !(alphaBar >= least && alphaBar < 1 && s.Betas[t] >= 0 && s.Betas[t] <= 1) { // NaN fails too
			return fmt.Errorf("the schedule has alpha_bar %g and beta %g at timestep %d of %d: want alpha_bar from %g to below 1, "+
				"so take fewer timesteps or another beta_end", alphaBar, s.Betas[t], t, s.Timesteps, least)
		}
	}
	return nil
}

func square(x float64) float64 { return x * x }

// SNR returns the signal-to-noise ratio of x_t:
//
//	SNR_t = alpha_bar_t / (1 - alpha_bar_t)
func (s *Schedule) SNR(t int) float64 { return s.AlphaBars[t] / (1 - s.AlphaBars[t]) }

// alphaBarBefore returns alpha_bar_{t-1}, which is 1 for t = 0: there is no noise before the first
// step.
func (s *Schedule) alphaBarBefore(t int) float64 {
	if t == 0 {
		return 1
	}
	return s.AlphaBars[t-1]
}

// PosteriorMean returns the coefficients of the mean of q(x_{t-1} | x_t, x_0), which is ofX0 x_0 +
// ofXt x_t (Ho et al. 2020, equation 7):
//
//	ofX0 = sqrt(alpha_bar_{t-1}) beta_t / (1 - alpha_bar_t)
//	ofXt = sqrt(alpha_t) (1 - alpha_bar_{t-1}) / (1 - alpha_bar_t)
func (s *Schedule) PosteriorMean(t int) (ofX0, ofXt float64) {
	before, now := s.alphaBarBefore(t), s.AlphaBars[t]
	return sqrt(before) * s.Betas[t] / (1 - now), sqrt(s.Alphas[t]) * (1 - before) / (1 - now)
}

// PosteriorVariance returns the variance of q(x_{t-1} | x_t, x_0) (Ho et al. 2020, equation 7); it
// is 0 for t = 0:
//
//	beta~_t = beta_t (1 - alpha_bar_{t-1}) / (1 - alpha_bar_t)
func (s *Schedule) PosteriorVariance(t int) float64 {
	return s.Betas[t] * (1 - s.alphaBarBefore(t)) / (1 - s.AlphaBars[t])
}

// Time is the time t of an x_t in a graph.
type Time struct {
	T *Node // the timestep, a number, [batch] or a scalar for all; it may lie between two of the schedule's

	// sqrt(alpha_bar_t) and sqrt(1 - alpha_bar_t), shaped to multiply pictures: float32 [batch, 1,
	// 1, 1], or [1, 1, 1, 1] for all.
	Signal, Noise *Node
}

// At returns the time of timesteps t, an integer node [batch] in 0..T-1, or a scalar for all.
func (s *Schedule) At(t *Node) Time {
	return Time{
		T:      t,
		Signal: s.LookUp(func(t int) float64 { return sqrt(s.AlphaBars[t]) }, t),
		Noise:  s.LookUp(func(t int) float64 { return sqrt(1 - s.AlphaBars[t]) }, t),
	}
}

// LookUp returns f(t) for timesteps t, an integer node [batch] in 0..T-1, or a scalar for all. The
// result is shaped to multiply pictures: float32 [batch, 1, 1, 1], or [1, 1, 1, 1] for a scalar t.
// The table of f is a constant of the graph.
func (s *Schedule) LookUp(f func(t int) float64, t *Node) *Node {
	values := make([]float64, s.Timesteps)
	for t := range values {
		values[t] = f(t)
	}
	table := ConstAsDType(t.Graph(), dtypes.Float32, values) // [T]
	n := t.Shape().Size()
	return Reshape(Gather(table, Reshape(t, n, 1)), n, 1, 1, 1)
}

func sqrt(x float64) float64 { return math.Sqrt(x) }
