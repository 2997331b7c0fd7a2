// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/srdiff/srlab/srdiff/diffusion"
	"github.com/srdiff/srlab/srdiff/imaging"
	"github.com/srdiff/srlab/srdiff/internal/tiles"
	"github.com/srdiff/srlab/srdiff/networks"
	"github.com/srdiff/srlab/srdiff/nn"
)

// Sample draws one high-resolution picture for each low-resolution one (the tutorial's
// sample_diffusion; Ho et al. 2020, algorithm 2, with the predicted x_0 clipped):
//
//	x ~ N(0, I)
//	for each step of the sampler, from x_t to x_s:
//		x_0 = ClipX0(X0(x, Predict(x, t, low)))   (after BackProject, if the options ask for it)
//		x   = OfXt x + OfX0 x_0 + OfBefore x_0' + Sigma z
//
// With the options' zero value the steps are DDPM's at every timestep, and the last line is
// PSample's. The low-resolution pictures must have one size; the results are Config.Factor times
// larger in each direction. The same seed gives the same pictures on the same engine. When ctx
// ends, Sample stops with an error that wraps ctx's. Options that do not fit the model are an
// error: see SampleOptions.Validate.
//
// The loop runs on the engine. One call takes as many steps as fit into about a second, so that
// Sample stops soon after ctx ends. With a callback, one call takes one step. A local network works
// in tiles.
//
// Each size of picture needs a compiled program. Sample therefore pads pictures to few sizes, by
// mirroring them at their borders, and crops the results. A result does not depend on earlier
// calls.
func (m *Model) Sample(ctx context.Context, o SampleOptions, low ...imaging.Picture) ([]imaging.Picture, error) {
	o, steps, err := m.prepare(o)
	if err != nil {
		return nil, err
	}
	for i, p := range low {
		if err := checkPicture(p, m.Config.Factor); err != nil {
			return nil, err
		}
		if p.Width != low[0].Width || p.Height != low[0].Height { // padding could make them equal
			return nil, fmt.Errorf("picture %d is %dx%d and the first one %dx%d: want one size for all",
				i, p.Width, p.Height, low[0].Width, low[0].Height)
		}
	}
	if m.isLocal() {
		return m.sampleEach(ctx, o, low)
	}
	padded := make([]imaging.Picture, len(low))
	for i, p := range low {
		padded[i] = m.pad(p)
		if err := m.checkSize(padded[i].Width*m.Config.Factor, padded[i].Height*m.Config.Factor); err != nil {
			return nil, err
		}
	}
	lowTensor, err := Tensor(padded...)
	if err != nil {
		return nil, err
	}
	width, height := low[0].Width*m.Config.Factor, low[0].Height*m.Config.Factor
	if each := o.Each; each != nil {
		o.Each = func(s SampleStep) {
			for _, x := range []**tensors.Tensor{&s.X, &s.X0} {
				if cropped, err := cropTensor(*x, width, height); err == nil { // it was a picture before
					*x = cropped
				}
			}
			each(s)
		}
	}
	x, err := m.sample(ctx, o, steps, lowTensor)
	if err == nil {
		x, err = cropTensor(x, width, height)
	}
	if err != nil {
		return nil, err
	}
	pictures, err := Pictures(x)
	for _, p := range pictures {
		err = cmp.Or(err, checkFinite(p))
	}
	if err != nil {
		return nil, err
	}
	return pictures, nil
}

// cropTensor crops pictures [batch, height, width, 3] to their upper left part of the given size.
func cropTensor(t *tensors.Tensor, width, height int) (*tensors.Tensor, error) {
	if d := t.Shape().Dimensions; d[1] == height && d[2] == width {
		return t, nil
	}
	pictures, err := Pictures(t)
	if err != nil {
		return nil, err
	}
	for i, p := range pictures {
		pictures[i] = tiles.Part(p, 0, 0, width, height)
	}
	return Tensor(pictures...)
}

// pad mirrors a low-resolution picture at its right and lower border, up to a size that few
// programs serve: see paddedSide. A picture larger than a tile is padded to a multiple: see
// networks.Network.Multiple.
func (m *Model) pad(low imaging.Picture) imaging.Picture {
	most := m.tileSize() / m.Config.Factor
	side := func(n int) int { return m.paddedSide(n, most) }
	if max(low.Width, low.Height) > most {
		side = m.multipleSide
	}
	width, height := side(low.Width), side(low.Height)
	if width == low.Width && height == low.Height {
		return low
	}
	return tiles.Part(low, 0, 0, width, height)
}

// checkPicture returns an error for a low-resolution picture without pixels, with another number of
// values than its size needs, or that is too large.
func checkPicture(p imaging.Picture, factor int) error {
	if err := checkSides(p.Width, p.Height, factor); err != nil {
		return err
	}
	if want := 3 * p.Width * p.Height; len(p.Pix) != want {
		return fmt.Errorf("the picture is %dx%d and has %d values: want %d, three for each pixel", p.Width, p.Height, len(p.Pix), want)
	}
	return nil
}

// checkFinite returns an error for a result with values that are not finite.
func checkFinite(p imaging.Picture) error {
	for _, v := range p.Pix {
		if v-v != 0 { // NaN or infinite
			return errors.New("the model predicts values that are not finite numbers: its weights are damaged or its training diverged, " +
				"use another checkpoint")
		}
	}
	return nil
}

// checkSize returns an error for results that are too large for the network.
func (m *Model) checkSize(width, height int) error {
	if most := m.maxPixels(); width*height > most {
		return fmt.Errorf("the result would be %dx%d, too large for this network's attention, which has every pixel look at all others: "+
			"want at most %d pixels, so crop the picture", width, height, most)
	}
	return nil
}

// maxPixels returns the greatest number of pixels of x_t that the network takes.
func (m *Model) maxPixels() int {
	if limited, ok := m.network.(networks.Limited); ok {
		return limited.MaxPixels()
	}
	return math.MaxInt
}

// sample is the loop of Sample. The options are complete, and the low-resolution pictures, [batch,
// height, width, 3], are checked. It returns x_0.
func (m *Model) sample(ctx context.Context, o SampleOptions, steps []diffusion.Step, low *tensors.Tensor) (*tensors.Tensor, error) {
	rng, err := RNGStateFromSeed(o.Seed)
	if err != nil {
		return nil, fmt.Errorf("seeding the noise: %w", err)
	}
	begin, err := m.program(samplerVariant{weights: m.inUse(), start: true}, low)
	if err != nil {
		return nil, err
	}
	start, err := begin.Call(low, rng, float32(o.Noise))
	if err != nil {
		return nil, plain("starting to sample", err)
	}
	x, x0, level, rng := start[0], start[1], start[2], start[3]
	rows := tensors.FromValue(table(steps, o))
	variant := samplerVariant{weights: m.inUse(), stochastic: diffusion.Stochastic(steps), clip: o.Clip, backProject: o.BackProject,
		selfEnsemble: o.SelfEnsemble, precision: o.Precision}
	stride := 1
	for k, end := 0, 0; k < len(steps); k = end {
		t := steps[k].T
		if ctx.Err() != nil {
			return nil, &stoppedError{fmt.Sprintf("sampling stopped at timestep %.0f", t), ctx.Err()}
		}
		variant.guided = o.guided(t)
		reverse, err := m.program(variant, x)
		if err != nil {
			return nil, err
		}
		for end = k + 1; end < len(steps) && end < k+stride && o.guided(steps[end].T) == variant.guided; {
			end++
		}
		began := time.Now()
		next, err := reverse.Call(x, x0, rng, int32(k), int32(end), low, level, rows)
		if err == nil {
			err = finalize(x, x0, rng)
		}
		if err != nil {
			return nil, plain(fmt.Sprintf("sampling at timestep %.0f", t), err)
		}
		x, x0, rng = next[0], next[1], next[2]
		if o.Each != nil {
			o.Each(SampleStep{Done: end, Steps: len(steps), Tiles: 1, T: int(math.Round(t)), X: x, X0: x0})
			continue
		}
		perStep := max(1, time.Since(began)/time.Duration(end-k))
		stride = max(1, int(time.Second/perStep))
	}
	return x, nil
}

// prepare returns the options complete with their defaults, and the steps that they describe.
func (m *Model) prepare(o SampleOptions) (SampleOptions, []diffusion.Step, error) {
	if err := o.Validate(m.Config); err != nil {
		return o, nil, err
	}
	o = o.WithDefaults(m.Config)
	steps, err := o.steps(m.Config)
	return o, steps, err
}

// table returns the steps as rows of numbers, as the graph reads them: see rowOf.
func table(steps []diffusion.Step, o SampleOptions) [][]float32 {
	rows := make([][]float32, len(steps))
	for k, s := range steps {
		for _, v := range []float64{s.T, math.Sqrt(s.AlphaBar), math.Sqrt(1 - s.AlphaBar),
			s.OfXt, s.OfX0, s.OfBefore, s.Sigma, o.Guidance, o.Rescale} {
			rows[k] = append(rows[k], float32(v))
		}
	}
	return rows
}

// stepNodes are the numbers of a sampler's step, as nodes.
type stepNodes struct {
	at                                             diffusion.Time
	ofXt, ofX0, ofBefore, sigma, guidance, rescale *Node // [1, 1, 1, 1]
}

// rowOf splits a row of table.
func rowOf(row *Node) stepNodes {
	c := func(i int) *Node { return Reshape(Slice(row, AxisElem(i)), 1, 1, 1, 1) }
	return stepNodes{diffusion.Time{T: Reshape(c(0)), Signal: c(1), Noise: c(2)}, c(3), c(4), c(5), c(6), c(7), c(8)}
}

// samplerVariant identifies a sampler's program, apart from the size of pictures.
type samplerVariant struct {
	weights            string // see Model.inUse
	stochastic, guided bool
	clip               diffusion.Clipping
	backProject        int
	selfEnsemble       bool
	precision          nn.Precision
	start              bool // the program is Model.startOf
	mean               bool // the program is Model.tileMean
	tiles              bool // the program is Model.tileX0
	padded             bool // for a local network: the tile extends beyond the picture, see nn.Scope.Within
	last               bool // for a model that refines: the program returns the two parts of Model.refined
}

// build makes the graph of a program.
func (m *Model) build(scope *nn.Scope, v samplerVariant, inputs []*Node) []*Node {
	scope = scope.Computing(v.precision)
	switch {
	case v.start:
		return m.startOf(inputs)
	case v.mean:
		return m.tileMean(scope, v, inputs)
	case v.tiles:
		return m.tileX0(scope, v, inputs)
	}
	return m.reverseSteps(scope, v, inputs)
}

// startOf returns the start of a trajectory: low, random state, noise level -> x_T, zeros, noise
// level of each picture, random state.
func (m *Model) startOf(inputs []*Node) []*Node {
	low, rng, level := inputs[0], inputs[1], inputs[2]
	d := low.Shape().Dimensions
	rng, xT := diffusion.Normal(rng, shapes.Make(dtypes.Float32, d[0], m.Config.Factor*d[1], m.Config.Factor*d[2], 3))
	return []*Node{xT, Zeros(low.Graph(), xT.Shape()), BroadcastToDims(level, d[0]), rng}
}

// reverseSteps builds the loop over reverse steps k up to before end:
//
//	x_t, x_0', random state, k, end, low, level, table -> x_s, x_0, random state
func (m *Model) reverseSteps(scope *nn.Scope, v samplerVariant, state []*Node) []*Node {
	// The state carries everything that the loop uses, the weights too: XLA's engines refuse loops
	// that use outer values (TestLoops). GoMLX shares constants between a loop and its
	// surroundings, so none is made here.
	var variables []*model.Variable
	inputs := len(state)
	for _, w := range m.weights {
		variable := m.variable(w, v.weights)
		variables, state = append(variables, variable), append(state, variable.NodeValue(state[0]))
	}
	received := func(g *Graph) []*Node {
		list := make([]*Node, len(state))
		for i, s := range state {
			list[i] = Parameter(g, fmt.Sprintf("state%d", i), s.Shape())
		}
		return list
	}
	more := NewClosure(state[0].Graph(), func(g *Graph) []*Node {
		s := received(g)
		return []*Node{LessThan(s[3], s[4])}
	})
	turn := NewClosure(state[0].Graph(), func(g *Graph) []*Node {
		s := received(g)
		for i, w := range variables {
			w.SetNodeValue(s[inputs+i])
		}
		k := s[3]
		step := rowOf(Gather(s[7], Reshape(k, 1)))
		x, x0, rng := m.reverseStep(scope, v, step, s[0], s[1], s[2], networks.Inputs{Low: s[5], Level: s[6]})
		return append([]*Node{x, x0, rng, AddScalar(k, 1)}, s[4:]...)
	})
	for i, w := range variables {
		w.SetNodeValue(state[inputs+i])
	}
	return While(more, turn, state...)[:3]
}

// reverseStep is one iteration of Sample's loop: x_t, x_0', random state -> x_s, x_0, random state.
func (m *Model) reverseStep(scope *nn.Scope, v samplerVariant, step stepNodes, xt, before, rng *Node, in networks.Inputs) (
	x, x0, newRNG *Node) {
	in.Xt = xt
	x0 = m.predictX0(scope, v, step, in)
	x = Add(Add(Mul(step.ofXt, xt), Mul(step.ofX0, x0)), Mul(step.ofBefore, before))
	if v.stochastic {
		var z *Node
		rng, z = diffusion.Normal(rng, xt.Shape())
		x = Add(x, Mul(step.sigma, z))
	}
	return x, x0, rng
}

// predictX0 predicts the x_0 of a reverse step, with the variant's guidance, back-projection and
// clipping.
func (m *Model) predictX0(scope *nn.Scope, v samplerVariant, step stepNodes, in networks.Inputs) *Node {
	xt, low, d := in.Xt, in.Low, m.denoiser()
	var predicted *Node
	switch {
	case v.selfEnsemble:
		predicted = d.selfEnsemble(scope, step.at, in)
	case v.guided: // both predictions as one doubled batch
		batch := xt.Shape().Dimensions[0]
		in.Xt = Concatenate([]*Node{xt, xt}, 0)
		in.Low = Concatenate([]*Node{low, ZerosLike(low)}, 0)
		in.Level = Concatenate([]*Node{in.Level, ZerosLike(in.Level)}, 0)
		both := d.predict(scope, step.at, in)
		predicted = diffusion.Guide(Slice(both, AxisRange(0, batch)), Slice(both, AxisRange(batch)), step.guidance, step.rescale)
	default:
		predicted = d.predict(scope, step.at, in)
	}
	x0 := m.Config.Diffusion.Prediction.X0(step.at, xt, predicted)
	if m.Config.refines() {
		return x0
	}
	for range v.backProject {
		x0 = m.Config.Degradation.BackProject(x0, withoutBorder(low, in.Margin))
	}
	// Values that are not finite must stay so: clipping would turn them into a picture.
	return Where(IsFinite(x0), v.clip.X0(x0), x0)
}

// withoutBorder crops a border of the given width off a picture.
func withoutBorder(x *Node, width int) *Node {
	if width == 0 {
		return x
	}
	return Slice(x, AxisRange(), AxisRange(width, -width), AxisRange(width, -width))
}

// finalize frees tensors at once, rather than when the garbage collector comes to them.
func finalize(list ...*tensors.Tensor) error {
	for _, t := range list {
		if err := t.FinalizeAll(); err != nil {
			return err
		}
	}
	return nil
}
