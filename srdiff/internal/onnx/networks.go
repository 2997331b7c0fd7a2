// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package onnx

import (
	"fmt"
	"math"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/srdiff/srlab/srdiff/networks"
)

// Model is what becomes a file: weights named and laid out as in PyTorch, and the sizes that do not
// follow from their shapes.
type Model struct {
	Weights map[string]*tensors.Tensor
	Factor  int
	Blocks  int // of the predictor
	About   About

	// Of a model that refines.
	RefinerBlocks int
	MaxDetail     float64 // greatest standard deviation of the detail
	Steps         []Step
}

// Step is a step of a sampler from x_t to x_s, where f is what the refiner predicts of x_t:
//
//	r_0 = OfX x_t + OfF f
//	x_s = OfXt x_t + OfX0 r_0
type Step struct{ T, OfX, OfF, OfXt, OfX0 float64 }

// The names of inputs and outputs.
const (
	Image    = "image"    // [batch, 3, height, width], 0 to 1
	Noise    = "noise"    // [batch, 3, factor height, factor width], standard normal
	Strength = "strength" // [1], 0 to 1
	Result   = "result"   // [batch, 3, factor height, factor width], 0 to 1
)

// The scopes of the networks in a model that refines.
const (
	predictorScope = "predictor."
	scaleScope     = "scale."
	refinerScope   = "refiner."
)

// Predictor returns the file of a predictor: image -> result. The weights may be those of a model that
// refines.
func (m Model) Predictor() ([]byte, error) {
	weights, scope := m.Weights, ""
	if m.RefinerBlocks > 0 {
		weights, scope = within(weights, predictorScope), predictorScope
	}
	g := newGraph("predictor", weights)
	mean, _ := g.predictor(scope, g.image(), m.Blocks, m.Factor)
	g.picture(mean)
	return g.encode(m.About)
}

// within returns the weights of a scope.
func within(weights map[string]*tensors.Tensor, scope string) map[string]*tensors.Tensor {
	list := map[string]*tensors.Tensor{}
	for name, w := range weights {
		if len(name) > len(scope) && name[:len(scope)] == scope {
			list[name] = w
		}
	}
	return list
}

// Refiner returns the file of a whole model that refines: image, noise, strength -> result. All steps
// of the sampler are in it.
func (m Model) Refiner() ([]byte, error) {
	g := newGraph("refiner", m.Weights)
	low := g.image()
	x := g.input(Noise, "batch", 3, "result_height", "result_width")
	strength := g.input(Strength, 1)
	mean, features := g.predictor(predictorScope, low, m.Blocks, m.Factor)
	logScale := g.residualScale(scaleScope, features)
	given := g.concat(features, low, g.add(logScale, g.scalar(2.5))) // as in networks.Refiner
	for i, s := range m.Steps {
		f := g.refiner(refinerScope, x, given, s.T, m.RefinerBlocks, m.Factor)
		r0 := g.sum(g.scaled(x, s.OfX), g.scaled(f, s.OfF))
		if i == len(m.Steps)-1 {
			s := g.node("Min", []value{g.node("Exp", []value{g.pixelShuffle(logScale, m.Factor)}), g.scalar(m.MaxDetail)})
			residual := g.mul(s, g.scaledChroma(r0))
			r0 = g.add(mean, g.mul(strength, residual)) // the picture
		}
		x = g.sum(g.scaled(x, s.OfXt), g.scaled(r0, s.OfX0))
	}
	g.picture(x)
	return g.encode(m.About)
}

// image is the input, brought from 0..1 to srdiff's scale -1..1.
func (g *graph) image() value {
	image := g.input(Image, "batch", 3, "height", "width")
	return g.add(g.mul(image, g.scalar(2)), g.scalar(-1))
}

// picture makes a picture the output, brought back to 0..1 and clipped to it.
func (g *graph) picture(x value) {
	x = g.add(g.mul(x, g.scalar(0.5)), g.scalar(0.5))
	x = g.node("Clip", []value{x, g.scalar(0), g.scalar(1)})
	g.output(Result, x, "batch", 3, "result_height", "result_width")
}

// predictor is networks.Predictor.
func (g *graph) predictor(scope string, low value, blocks, factor int) (mean, features value) {
	head := g.conv(scope+"head", low)
	x := head
	for i := range blocks {
		block := fmt.Sprintf("%strunk.%d.", scope, i)
		x = g.add(x, g.conv(block+"b", g.relu(g.conv(block+"a", x))))
	}
	features = g.add(head, g.conv(scope+"tail", x))
	up := g.pixelShuffle(g.conv(scope+"up", features), factor)
	return g.add(up, g.repeat(low, factor)), features
}

// residualScale is networks.ResidualScale.
func (g *graph) residualScale(scope string, features value) value {
	log := g.conv(scope+"b", g.relu(g.conv(scope+"a", features)))
	log = g.add(log, g.scalar(math.Log(10*networks.MinScale)))
	return g.node("Clip", []value{log, g.scalar(math.Log(networks.MinScale)), g.scalar(math.Log(networks.MaxScale))})
}

// scaledChroma is networks.ScaleChroma by networks.ResidualChroma: a product of each pixel with a
// matrix.
func (g *graph) scaledChroma(x value) value {
	const by = networks.ResidualChroma
	var matrix []float32
	for row := range 3 {
		for column, weight := range networks.Luma {
			v := (1 - by) * weight
			if row == column {
				v += by
			}
			matrix = append(matrix, v)
		}
	}
	return g.node("Conv", []value{x, g.constant(matrix, 3, 3, 1, 1)})
}

// refiner is networks.Refiner at one time, of x_t and of what else it is given: features, low and log
// scale.
func (g *graph) refiner(scope string, xt, given value, t float64, blocks, factor int) value {
	emb := g.swish(g.timeEmbedding(scope+"time", t))
	film := func(layer string, x value) value {
		_, dims := g.weight(layer + ".weight") // [2n, ...]
		both := g.node("Reshape", []value{g.dense(layer, emb), g.integers(1, int64(dims[0]), 1, 1)})
		parts := g.nodes("Split", 2, []value{both}, integer("axis", 1))
		return g.add(g.mul(x, g.add(parts[0], g.scalar(1))), parts[1])
	}
	noisy := g.pixelUnshuffle(xt, factor)
	x := g.conv(scope+"head", g.concat(noisy, given))
	for i := range blocks {
		block := fmt.Sprintf("%strunk.%d.", scope, i)
		h := g.conv(block+"a", g.swish(film(block+"time", x)))
		x = g.add(x, g.conv(block+"b", g.swish(h)))
	}
	x = g.concat(g.swish(x), film(scope+"noise", noisy))
	return g.pixelShuffle(g.conv(scope+"out", x), factor)
}
