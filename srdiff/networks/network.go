// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// Package networks holds the networks by name, behind one interface. A program can register its own.
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

// Inputs are the inputs of a network. Pictures are float32.
type Inputs struct {
	Xt        *Node // x_t, [batch, factor height, factor width, 3]
	T         *Node // the timestep, [batch] or a scalar for all; it may be fractional
	Timesteps int   // T of the schedule
	Low       *Node // the low-resolution picture, [batch, height, width, 3]
	Level     *Node // standard deviation of Low's noise, [batch]; nil for a model trained without noise

	// The results of a predictor for Low; nil without one.
	Mean     *Node // its mean of x_0, [batch, factor height, factor width, 3]
	Features *Node // its last features, [batch, height, width, channels]
	LogScale *Node // see ResidualScale, [batch, height, width, factor^2]

	// Margin is how many low-resolution pixels Low, Mean and Features extend beyond Xt on each side:
	// see Network.Margin.
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

// stacked returns x_t, y and, if there is one, the noise level of y, to be stacked as channels (Ho et
// al. 2022, section 4.2).
func (in Inputs) stacked() []*Node {
	list := []*Node{in.Xt, in.Enlarged()}
	if in.Level != nil {
		size := in.Xt.Shape().Dimensions
		list = append(list, BroadcastToDims(Reshape(in.Level, size[0], 1, 1, 1), size[0], size[1], size[2], 1))
	}
	return list
}

// Network predicts eps, x_0 or v, depending on its training.
type Network interface {
	// Predict returns the prediction, float32 with the shape of in.Xt. It declares the network's
	// weights in the scope.
	Predict(scope *nn.Scope, in Inputs) *Node

	// Multiple returns a number. The height and the width of x_t must be multiples of it; callers pad
	// other pictures.
	Multiple() int

	// Margin returns how many low-resolution pixels around a tile its prediction depends on. It is
	// 1 for a network that uses Low only enlarged bilinearly.
	Margin() int
}

// Limited is implemented by a Network that limits the size of pictures.
type Limited interface {
	// MaxPixels returns the greatest number of pixels of x_t.
	MaxPixels() int
}

// Local is implemented by a Network whose prediction at a pixel depends only on the pixels within its
// reach: it has no statistics over a picture. Its tiles join without seams and without blending.
// Pictures smaller than a tile are padded. Layers that use neighbouring pixels must be nn.Conv in the
// given scope, which excludes the padding (nn.Scope.Within).
type Local interface {
	// Reach returns how many low-resolution pixels around a tile its prediction depends on, in the
	// picture and in x_t.
	Reach() int
}

// MeanPredictor is implemented by a Network that predicts x_0 from the low-resolution picture alone.
// Another network can refine its prediction, with the help of its features.
type MeanPredictor interface {
	// PredictMean returns the mean of x_0, [batch, factor height, factor width, 3], and the last
	// features, [batch, height, width, channels], given low [batch, height, width, 3].
	PredictMean(scope *nn.Scope, low *Node, factor int) (mean, features *Node)
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
	Residual     Name = "residual"     // Refiner, of a predictor's residual
)

var (
	names  []Name // in the order of their registration
	makers = map[Name]func(Config) (Network, error){}
)

// Register registers a network under a name. new makes the network from its configuration, complete
// with defaults, or returns an error for an invalid one. Registering a name twice panics.
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

// New returns the network that the configuration describes. It returns an error for an unknown name
// and for values that the network cannot use.
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
