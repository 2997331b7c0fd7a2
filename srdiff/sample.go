// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"context"
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
//		x_0 = ClipX0(X0(x, Predict(x, t, low)))   (after BackProject, where that is asked for)
//		x   = OfXt x + OfX0 x_0 + OfBefore x_0' + Sigma z
//
// With the options' zero value the steps are DDPM's at every timestep, and the last line is
// PSample's. The low-resolution pictures have one size; the results are Config.Factor times larger
// in each direction. The same seed gives the same pictures on the same engine. When ctx ends,
// Sample stops with an error that wraps ctx's. Options that do not fit the model are an error: see
// SampleOptions.Validate.
//
// The loop runs on the engine, as many steps at a time as take about a second, so that ctx is
// heeded. With a callback, it runs one step at a time.
func (m *Model) Sample(ctx context.Context, o SampleOptions, low ...imaging.Picture) ([]imaging.Picture, error) {
	o, steps, err := m.prepare(o)
	if err != nil {
		return nil, err
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
	x, err := m.sample(ctx, o, steps, lowTensor)
	if err != nil {
		return nil, err
	}
	pictures, err := Pictures(x)
	for i, p := range low {
		if err == nil && (p.Width != padded[i].Width || p.Height != padded[i].Height) {
			pictures[i] = tiles.Part(pictures[i], 0, 0, p.Width*m.Config.Factor, p.Height*m.Config.Factor)
		}
	}
	return pictures, err
}

// pad repeats the last row and column of a low-resolution picture until the network can take its
// result: see networks.Network.Multiple.
func (m *Model) pad(low imaging.Picture) imaging.Picture {
	multiple := m.Config.multiple() / m.Config.Factor // of the low-resolution picture
	up := func(n int) int { return (n + multiple - 1) / multiple * multiple }
	width, height := up(low.Width), up(low.Height)
	if width == low.Width && height == low.Height {
		return low
	}
	return tiles.Part(low, 0, 0, width, height)
}

// checkSize returns an error for results that are too large for the network.
func (m *Model) checkSize(width, height int) error {
	if most := m.maxPixels(); width*height > most {
		return fmt.Errorf("the result would be %dx%d, too large for this network's attention, which has every pixel look at all others: "+
			"want at most %d pixels, so crop the picture", width, height, most)
	}
	return nil
}

// maxPixels is how many pixels the network can take at once.
func (m *Model) maxPixels() int {
	if limited, ok := m.network.(networks.Limited); ok {
		return limited.MaxPixels()
	}
	return math.MaxInt
}

// sample is the loop of Sample, for options and low-resolution pictures [batch, height, width, 3]
// that are checked: it returns x_0.
func (m *Model) sample(ctx context.Context, o SampleOptions, steps []diffusion.Step, low *tensors.Tensor) (*tensors.Tensor, error) {
	rng, err := RNGStateFromSeed(o.Seed)
	if err != nil {
		return nil, fmt.Errorf("seeding the noise: %w", err)
	}
	start, err := m.start.Call(low, rng, float32(o.Noise))
	if err != nil {
		return nil, fmt.Errorf("starting to sample: %w", err)
	}
	x, x0, level, rng := start[0], start[1], start[2], start[3]
	rows := tensors.FromValue(table(steps, o))
	variant := samplerVariant{weights: m.inUse(), stochastic: diffusion.Stochastic(steps), clip: o.Clip, backProject: o.BackProject}
	stride := 1
	for k, end := 0, 0; k < len(steps); k = end {
		t := steps[k].T
		if ctx.Err() != nil {
			return nil, &stoppedError{fmt.Sprintf("sampling stopped at timestep %.0f", t), ctx.Err()}
		}
		variant.guided = o.guided(t)
		reverse, err := m.sampler(variant)
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
			return nil, fmt.Errorf("sampling at timestep %.0f: %w", t, err)
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

// table has a row for each step, as the graph reads it: see rowOf.
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

// stepNodes are a step of a sampler in a graph.
type stepNodes struct {
	at                                             diffusion.Time
	ofXt, ofX0, ofBefore, sigma, guidance, rescale *Node // [1, 1, 1, 1]
}

// rowOf takes a row of table apart.
func rowOf(row *Node) stepNodes {
	c := func(i int) *Node { return Reshape(Slice(row, AxisElem(i)), 1, 1, 1, 1) }
	return stepNodes{diffusion.Time{T: Reshape(c(0)), Signal: c(1), Noise: c(2)}, c(3), c(4), c(5), c(6), c(7), c(8)}
}

// samplerVariant is all that makes two programs of a sampler differ.
type samplerVariant struct {
	weights            string // see Model.inUse
	stochastic, guided bool
	clip               diffusion.Clipping
	backProject        int
	tiles              bool // the program is Model.tileX0
}

// sampler returns the program of the reverse steps k up to before end, or of a tile's x_0: see
// Model.tileX0.
//
//	x_t, x_0', random state, k, end, low, level, table -> x_s, x_0, random state
func (m *Model) sampler(v samplerVariant) (*model.Exec, error) {
	if exec := m.samplers[v]; exec != nil {
		return exec, nil
	}
	exec, err := model.NewExec(m.backend, m.store, func(scope *model.Scope, inputs []*Node) []*Node {
		if v.tiles {
			return []*Node{m.tileX0(weightsAt(scope, v.weights), v, inputs)}
		}
		return m.reverseSteps(weightsAt(scope, v.weights), v, inputs)
	})
	if err != nil {
		return nil, err
	}
	exec.SetMaxCache(-1) // pictures come in any number of sizes
	m.samplers[v] = exec
	return exec, nil
}

// newStart makes the program that sampling begins with: low, random state, noise of low -> x_T,
// zeros, noise of each picture, random state.
func (m *Model) newStart() (err error) {
	m.start, err = NewExec(m.backend, func(low, rng, level *Node) []*Node {
		d := low.Shape().Dimensions
		newRNG, xT := diffusion.Normal(rng, shapes.Make(dtypes.Float32, d[0], m.Config.Factor*d[1], m.Config.Factor*d[2], 3))
		return []*Node{xT, Zeros(low.Graph(), xT.Shape()), BroadcastToDims(level, d[0]), newRNG}
	})
	if err == nil {
		m.start.SetMaxCache(-1)
	}
	return err
}

// reverseSteps builds the loop over reverse steps.
func (m *Model) reverseSteps(scope *nn.Scope, v samplerVariant, state []*Node) []*Node {
	// Everything that the loop uses travels in its state, the weights too: XLA's engines refuse
	// values from around it (TestLoopsSeeNothingAround). That holds for constants as well, which
	// GoMLX would share with the loop, so none is made here.
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

// reverseStep is one turn of Sample's loop: x_t, x_0', random state -> x_s, x_0, random state.
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

// predictX0 is the x_0 of a reverse step: what the network predicts, with guidance, back-projection
// and clipping as the variant asks for them.
func (m *Model) predictX0(scope *nn.Scope, v samplerVariant, step stepNodes, in networks.Inputs) *Node {
	xt, low, d := in.Xt, in.Low, m.denoiser()
	var predicted *Node
	if v.guided { // both predictions as one doubled batch
		batch := xt.Shape().Dimensions[0]
		in.Xt = Concatenate([]*Node{xt, xt}, 0)
		in.Low = Concatenate([]*Node{low, ZerosLike(low)}, 0)
		in.Level = Concatenate([]*Node{in.Level, ZerosLike(in.Level)}, 0)
		both := d.predict(scope, step.at, in)
		predicted = diffusion.Guide(Slice(both, AxisRange(0, batch)), Slice(both, AxisRange(batch)), step.guidance, step.rescale)
	} else {
		predicted = d.predict(scope, step.at, in)
	}
	x0 := m.Config.Diffusion.Prediction.X0(step.at, xt, predicted)
	for range v.backProject {
		x0 = m.Config.Degradation.BackProject(x0, withoutBorder(low, in.Margin))
	}
	return v.clip.X0(x0)
}

// withoutBorder is a picture without its border of the given width.
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
