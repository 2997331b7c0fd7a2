// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// What Config.Network may be.
const (
	NetworkTutorial = "tutorial" // UNet
	NetworkTiny     = "tiny"     // ResidualUNet, in three sizes
	NetworkSmall    = "small"
	NetworkBase     = "base"
)

// shownChannels is how many channels a network is shown: x_t and y, 3 + 3, and the noise of y where it has some. The tutorial's
// is shown the time as one more.
func shownChannels(c Config) int {
	if c.Noise > 0 {
		return 7
	}
	return 6
}

// Predict is the network f_theta(x_t, t, y), the tutorial's noise predictor eps_theta. What it predicts is c.Prediction: eps, x_0
// or v; or the picture from y alone, for Regresses. The tutorial's network is shown x_t, y and the time stacked as channels:
//
//	f_theta = UNet([x_t, y, t/T])
//
// and the others begin with a guess that needs no network, with coefficients that follow from t (see precondition):
//
//	f_theta = a x_t + b y + c ResidualUNet([x_t, y], t)
//
// xt is [batch, height, width, 3], height and width multiples of 4, and y what ShownCondition makes; t is an integer in
// 0..T-1, [batch] or one for all. The result has the shape of xt. Scope is where the weights are. The network computes in
// c.Precision; what goes in and comes out is float32.
func Predict(scope *model.Scope, c Config, xt, y, t *Node) *Node {
	c = c.WithDefaults()
	scope = scope.Store().Scope(scope.Scope()) // a new one each time, since a graph may ask the network more than once
	inPrecision := func(x *Node) *Node {
		if c.Precision == BFloat16 {
			return ConvertDType(x, dtypes.BFloat16)
		}
		return x
	}
	if c.Prediction == Regresses { // from y alone
		xt, t = ZerosLike(xt), ZerosLike(t)
	}
	if c.Network == NetworkTutorial {
		x := inPrecision(Concatenate([]*Node{xt, y, TimeChannel(xt, t, c.Timesteps)}, -1))
		return ConvertDType(UNet(scope, c.BaseChannels, x), xt.DType())
	}
	f := ConvertDType(ResidualUNet(scope, c, inPrecision(Concatenate([]*Node{xt, y}, -1)), t), xt.DType())
	s, err := c.Schedule()
	if err != nil {
		panic(err)
	}
	of := func(i int) *Node {
		return s.lookUp(func(t int) float64 {
			ofXt, ofY, ofF := precondition(c.Prediction, s.AlphaBars[t])
			return [...]float64{ofXt, ofY, ofF}[i]
		}, t)
	}
	y = Slice(y, AxisRange(), AxisRange(), AxisRange(), AxisRange(0, 3))
	return Add(Add(Mul(of(0), xt), Mul(of(1), y)), Mul(of(2), f))
}

// parameter describes one weight of a network: its name in PyTorch's state_dict, its dimensions here and there, and its first
// values.
type parameter struct {
	name string
	dims []int // here: a kernel is [height, width, in, out], an upconv's is [in, 2, 2, out], a dense layer's [in, out]
	// torchAxes says which of torch's axes each axis here is: torch's kernel is [out, in, height, width], an upconv's is
	// [in, out, 2, 2], a linear layer's [out, in]. What has one axis is the same.
	torchAxes []int
	bound     float64 // first values are uniform in +-bound around middle
	middle    float64
}

// parameters lists the weights of a network in the order of its layers.
type parameters []parameter

// parametersOf lists the weights of the network that the configuration, complete with its defaults, says.
func parametersOf(c Config) parameters {
	if c.Network == NetworkTutorial {
		return unetParameters(c)
	}
	return residualParameters(c)
}

// layer adds a layer's weight and bias. First values are torch's default: uniform in +-1/sqrt(fan in), for both alike.
func (l *parameters) layer(name string, fanIn, out int, dims, torchAxes []int) {
	bound := 1 / math.Sqrt(float64(fanIn))
	*l = append(*l,
		parameter{name: name + ".weight", dims: dims, torchAxes: torchAxes, bound: bound},
		parameter{name: name + ".bias", dims: []int{out}, torchAxes: []int{0}, bound: bound})
}

func (l *parameters) conv(name string, in, out, kernel int) {
	l.layer(name, in*kernel*kernel, out, []int{kernel, kernel, in, out}, []int{2, 3, 1, 0})
}

// upConv counts its fan-in over the outputs, as torch does for a transposed convolution.
func (l *parameters) upConv(name string, in, out int) {
	l.layer(name, out*2*2, out, []int{in, 2, 2, out}, []int{0, 2, 3, 1})
}

func (l *parameters) dense(name string, in, out int) {
	l.layer(name, in, out, []int{in, out}, []int{1, 0})
}

// norm adds a scale of 1 and a shift of 0.
func (l *parameters) norm(name string, channels int) {
	*l = append(*l,
		parameter{name: name + ".weight", dims: []int{channels}, torchAxes: []int{0}, middle: 1},
		parameter{name: name + ".bias", dims: []int{channels}, torchAxes: []int{0}})
}

// zero has the first values of the layer just added be zeros.
func (l parameters) zero() {
	for i := range 2 {
		l[len(l)-1-i].bound = 0
	}
}

// torchDims returns the parameter's dimensions in PyTorch.
func (p parameter) torchDims() []int {
	dims := make([]int, len(p.dims))
	for here, there := range p.torchAxes {
		dims[there] = p.dims[here]
	}
	return dims
}

// Where the network's weights are in a store, and their averages: see updateAverages. Optimizer state and the random state lie
// beside them.
const (
	weights  = "unet"
	averages = "average"
)

// network returns the scope of the network's weights.
func network(root *model.Scope) *model.Scope { return root.In("%s", weights) }

// path is where the parameter, or its average, is in a store: torch's dots are scopes here.
func (p parameter) path(scope string) string {
	return "/" + scope + "/" + strings.ReplaceAll(p.name, ".", "/")
}

// newWeights fills a store with first weights that follow from the seed alone, the same on every engine.
func newWeights(store *model.Store, c Config) error {
	rng := rand.New(rand.NewPCG(uint64(c.Seed), 0x5eed))
	for _, p := range parametersOf(c) {
		values := make([]float32, shapes.Make(dtypes.Float32, p.dims...).Size())
		for i := range values {
			values[i] = float32(p.middle + p.bound*(2*rng.Float64()-1))
		}
		value := tensors.FromFlatDataAndDimensions(values, p.dims...)
		if _, err := store.CreateVariable(p.path(weights), value); err != nil {
			return fmt.Errorf("creating weight %s: %w", p.name, err)
		}
	}
	return nil
}
