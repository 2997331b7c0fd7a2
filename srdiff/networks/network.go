// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// Package networks has the networks that predict, behind one interface and by name. A program may
// register one of its own.
//
// As in GoMLX, building a graph panics on misuse.
package networks

import (
	"fmt"
	"slices"
	"strings"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/srdiff/srlab/srdiff/nn"
)

// Inputs are what a network is given. Pictures are float32.
type Inputs struct {
	Xt        *Node // x_t, [batch, factor height, factor width, 3]
	T         *Node // the timestep, [batch] or a scalar for all; it may lie between two
	Timesteps int   // T of the schedule
	Low       *Node // the low-resolution picture, [batch, height, width, 3]
	Level     *Node // standard deviation of Low's noise, [batch]; nil where the model knows of none

	// The results of a predictor for Low; nil without one.
	Guess    *Node // its mean of x_0, [batch, factor height, factor width, 3]
	Features *Node // its last features, [batch, height, width, channels]
	LogScale *Node // see ResidualScale, [batch, height, width, factor^2]

	// Margin is how many pixels Low and Features reach beyond Xt on every side, and Guess factor
	// times as many: see Network.Margin.
	Margin int
}

// Factor returns how many times larger x_t is than the low-resolution picture.
func (in Inputs) Factor() int {
	return in.Xt.Shape().Dimensions[1] / (in.Low.Shape().Dimensions[1] - 2*in.Margin)
}

// Enlarged returns the condition y of the tutorial: Low enlarged bilinearly to Xt's size, [batch,
// factor height, factor width, 3].
func (in Inputs) Enlarged() *Node {
	factor := in.Factor()
	y, beyond := nn.Upsample(in.Low, factor), factor*in.Margin
	if beyond == 0 {
		return y
	}
	return Slice(y, AxisRange(), AxisRange(beyond, -beyond), AxisRange(beyond, -beyond))
}

// stacked returns x_t and y stacked as channels, and the noise of y as one more where it is known
// (Ho et al. 2022, section 4.2).
func (in Inputs) stacked() []*Node {
	list := []*Node{in.Xt, in.Enlarged()}
	if in.Level != nil {
		size := in.Xt.Shape().Dimensions
		list = append(list, BroadcastToDims(Reshape(in.Level, size[0], 1, 1, 1), size[0], size[1], size[2], 1))
	}
	return list
}

// Network predicts: eps, x_0 or v, as it was trained to.
type Network interface {
	// Predict returns the prediction, float32 with the shape of in.Xt. The weights that it declares
	// in the scope are the network's.
	Predict(scope *nn.Scope, in Inputs) *Node

	// Multiple returns the number that the height and the width of x_t must be a multiple of.
	// Callers pad smaller pictures.
	Multiple() int

	// Margin returns how many low-resolution pixels around a tile its prediction depends on. It is
	// 1 for a network that uses Low only enlarged bilinearly.
	Margin() int
}

// Limited is implemented by a Network that cannot take pictures of any size.
type Limited interface {
	// MaxPixels returns how many pixels x_t may have.
	MaxPixels() int
}

// Local is implemented by a Network whose prediction at a pixel depends on its surroundings alone: it
// has no statistics over a picture. Its tiles join without a seam and without overlapping weights.
// Pictures that are smaller than a tile are padded; what looks at neighbours must be nn.Conv in the
// scope that the network is given, which does not see the padding (nn.Scope.Within).
type Local interface {
	// Reach returns how many low-resolution pixels around a tile its prediction depends on, of the
	// picture and of x_t.
	Reach() int
}

// Guesser is implemented by a Network that predicts x_0 from the low-resolution picture alone, and whose
// features help another network to refine that.
type Guesser interface {
	// Guess returns the mean of x_0, [batch, factor height, factor width, 3], and the last features,
	// [batch, height, width, channels], given low [batch, height, width, 3].
	Guess(scope *nn.Scope, low *Node, factor int) (mean, features *Node)
}

// Name is the name of a network.
type Name string

// The networks of this package.
const (
	Tutorial Name = "tutorial" // UNet
	Tiny     Name = "tiny"     // ResidualUNet, in three sizes
	Small    Name = "small"
	Base     Name = "base"

	PixelShuffle Name = "pixelshuffle" // Predictor
	Residual     Name = "residual"     // Refiner, of the residual that a predictor leaves
)

var (
	names  []Name // in the order of their registration
	makers = map[Name]func(Config) (Network, error){}
)

// Register makes a network known by a name: new makes it from its configuration, complete with
// defaults, or returns what is wrong with that. Registering a name twice panics.
func Register(name Name, new func(Config) (Network, error)) {
	if makers[name] != nil {
		panic(fmt.Errorf("the network %s is registered already", name))
	}
	names, makers[name] = append(names, name), new
}

func init() {
	Register(Tutorial, newUNet)
	for _, name := range []Name{Tiny, Small, Base} {
		Register(name, newResidualUNet)
	}
	Register(PixelShuffle, newPredictor)
	Register(Residual, newRefiner)
}

// New returns the network that the configuration describes, or what is wrong with the
// configuration.
func New(c Config) (Network, error) {
	c = c.WithDefaults()
	if makers[c.Name] == nil {
		return nil, fmt.Errorf("network is %q: want %s", c.Name, list(names))
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	return makers[c.Name](c)
}

// list writes names as "a, b or c".
func list(names []Name) string {
	var texts []string
	for _, name := range slices.Sorted(slices.Values(names)) {
		texts = append(texts, string(name))
	}
	last := len(texts) - 1
	return strings.Join(texts[:last], ", ") + " or " + texts[last]
}
