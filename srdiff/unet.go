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

// inputChannels is what the network's first layer sees: x_t, the condition y and the time, 3 + 3 + 1, and the noise of y
// where it has some.
func inputChannels(c Config) int {
	if c.Noise > 0 {
		return 8
	}
	return 7
}

// Predict is the network f_theta(x_t, t, y), the tutorial's noise predictor eps_theta: the U-Net on x_t, y and the time stacked
// as channels. What it predicts is c.Prediction: eps, x_0 or v.
//
// xt is [batch, height, width, 3], height and width multiples of 4, and y what ShownCondition makes; t is an integer in
// 0..T-1, [batch] or one for all. The result has the shape of xt. Scope is where the weights are. The network computes in
// c.Precision; what goes in and comes out is float32.
func Predict(scope *model.Scope, c Config, xt, y, t *Node) *Node {
	c = c.WithDefaults()
	x := Concatenate([]*Node{xt, y, TimeChannel(xt, t, c.Timesteps)}, -1)
	if c.Precision == BFloat16 {
		x = ConvertDType(x, dtypes.BFloat16)
	}
	scope = scope.Store().Scope(scope.Scope()) // a new one each time, since a graph may ask the network more than once
	return ConvertDType(UNet(scope, c.BaseChannels, x), xt.DType())
}

// UNet is the tutorial's network, layer by layer and with its names (C = channels):
//
//	enc1        7 -> C                       height     x width       --------.
//	enc2        C -> 2C    after max-pool 2  height/2   x width/2     ----.   |
//	bottleneck 2C -> 4C    after max-pool 2  height/4   x width/4         |   | skips
//	upconv2    4C -> 2C                      height/2   x width/2         |   |
//	dec2       4C -> 2C    of [upconv2, enc2]                         <---'   |
//	upconv1    2C -> C                       height     x width               |
//	dec1       2C -> C     of [upconv1, enc1]                         <-------'
//	out         C -> 3     1x1
//
// x is [batch, height, width, 7], or 8 with the condition's noise, as enc1's weights have it; the result is
// [batch, height, width, 3]. It computes in the type of x, float32 or bfloat16.
func UNet(scope *model.Scope, channels int, x *Node) *Node {
	enc1 := Block(scope.In("enc1"), x, channels)                  // [batch, height, width, C]
	enc2 := Block(scope.In("enc2"), MaxPool2(enc1), 2*channels)   // [batch, height/2, width/2, 2C]
	x = Block(scope.In("bottleneck"), MaxPool2(enc2), 4*channels) // [batch, height/4, width/4, 4C]
	x = Concatenate([]*Node{UpConv(scope.In("upconv2"), x, 2*channels), enc2}, -1)
	x = Block(scope.In("dec2"), x, 2*channels) // [batch, height/2, width/2, 2C]
	x = Concatenate([]*Node{UpConv(scope.In("upconv1"), x, channels), enc1}, -1)
	x = Block(scope.In("dec1"), x, channels) // [batch, height, width, C]
	return Conv(scope.In("out"), x, 3, 1)
}

// Block is two 3x3 convolutions to so many channels, each with a ReLU, [batch, height, width, in] -> [batch, height, width,
// channels]. Its layers are numbered as in torch's Sequential, where the ReLUs count too.
func Block(scope *model.Scope, x *Node, channels int) *Node {
	x = relu(Conv(scope.In("0"), x, channels, 3))
	return relu(Conv(scope.In("2"), x, channels, 3))
}

// relu is y = max(x, 0), with the gradient
//
//	dx = min(2^126 y, 1) dy,   which is dy where y > 0, else 0
//
// GoMLX's own gradient asks for signs, which the pure-Go engine is slow at, twenty times as slow as at products; and it is 1 at 0,
// where PyTorch's is 0.
func relu(x *Node) *Node {
	var y, dy *Node
	x = IdentityWithCustomGradient(x, func(_, _ *Node) *Node { return Mul(MinScalar(MulScalar(y, 0x1p126), 1), dy) })
	y = Max(x, ZerosLike(x))
	return IdentityWithCustomGradient(y, func(_, v *Node) *Node {
		dy = v
		return v
	})
}

// Conv is a convolution with a square kernel of 1 or 3, stride 1, zero padding that keeps the size, and a bias,
// [batch, height, width, in] -> [batch, height, width, channels].
func Conv(scope *model.Scope, x *Node, channels, kernel int) *Node {
	in := x.Shape().Dimensions[3]
	w := weight(scope, x, "weight", kernel, kernel, in, channels)
	return addBias(scope, convolve(x, w))
}

// UpConv doubles height and width, [batch, height, width, in] -> [batch, 2 height, 2 width, channels]: a transposed
// convolution with kernel 2 and stride 2. Every input pixel becomes 2x2 output pixels that no other reaches, so it is a
// product of channels followed by an interleaving of pixels.
func UpConv(scope *model.Scope, x *Node, channels int) *Node {
	d := x.Shape().Dimensions
	batch, height, width, in := d[0], d[1], d[2], d[3]
	w := weight(scope, x, "weight", in, 2, 2, channels)
	x = Dot(Reshape(x, batch*height*width, in), Reshape(w, in, 4*channels)).Product()
	x = TransposeAllDims(Reshape(x, batch, height, width, 2, 2, channels), 0, 1, 3, 2, 4, 5)
	return addBias(scope, Reshape(x, batch, 2*height, 2*width, channels))
}

// MaxPool2 halves height and width, which are even, keeping the greatest of each 2x2 pixels.
func MaxPool2(x *Node) *Node {
	d := x.Shape().Dimensions
	return ReduceMax(Reshape(x, d[0], d[1]/2, 2, d[2]/2, 2, d[3]), 2, 4)
}

// addBias adds the bias of every channel. It does so in float32, since the bias's gradient is a sum over all pixels of a batch, and
// XLA's processor engine loses most of such a sum in bfloat16.
func addBias(scope *model.Scope, x *Node) *Node {
	channels := x.Shape().Dimensions[3]
	b := scope.VariableWithShape("bias", shapes.Make(dtypes.Float32, channels)).NodeValue(x)
	return ConvertDType(Add(ConvertDType(x, dtypes.Float32), Reshape(b, 1, 1, 1, channels)), x.DType())
}

// weight is a variable of the scope, which is float32, as a node of x's graph and type.
func weight(scope *model.Scope, x *Node, name string, dims ...int) *Node {
	return ConvertDType(scope.VariableWithShape(name, shapes.Make(dtypes.Float32, dims...)).NodeValue(x), x.DType())
}

// parameter describes one weight of the network: its name in the tutorial's PyTorch state_dict, its dimensions here and
// there, and the bound of its first values.
type parameter struct {
	name string
	dims []int // here: a kernel is [height, width, in, out], an upconv's is [in, 2, 2, out]
	// torchAxes says which of torch's axes each axis here is: torch's kernel is [out, in, height, width], an upconv's is
	// [in, out, 2, 2]. Biases are the same.
	torchAxes []int
	bound     float64
}

// unetParameters lists the weights of UNet in the order of its layers.
func unetParameters(config Config) []parameter {
	var list []parameter
	add := func(layer string, fanIn, out int, dims, torchAxes []int) {
		// torch's default for convolutions: uniform in +-1/sqrt(fan in), for weights and biases alike.
		bound := 1 / math.Sqrt(float64(fanIn))
		list = append(list,
			parameter{layer + ".weight", dims, torchAxes, bound},
			parameter{layer + ".bias", []int{out}, []int{0}, bound})
	}
	conv := func(layer string, in, out, kernel int) {
		add(layer, in*kernel*kernel, out, []int{kernel, kernel, in, out}, []int{2, 3, 1, 0})
	}
	block := func(layer string, in, out int) {
		conv(layer+".0", in, out, 3)
		conv(layer+".2", out, out, 3)
	}
	upConv := func(layer string, in, out int) { // torch counts a transposed convolution's fan-in over its outputs
		add(layer, out*2*2, out, []int{in, 2, 2, out}, []int{0, 2, 3, 1})
	}
	c := config.BaseChannels
	block("enc1", inputChannels(config), c)
	block("enc2", c, 2*c)
	block("bottleneck", 2*c, 4*c)
	upConv("upconv2", 4*c, 2*c)
	block("dec2", 4*c, 2*c)
	upConv("upconv1", 2*c, c)
	block("dec1", 2*c, c)
	conv("out", c, 3, 1)
	return list
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
	for _, p := range unetParameters(c) {
		values := make([]float32, shapes.Make(dtypes.Float32, p.dims...).Size())
		for i := range values {
			values[i] = float32(p.bound * (2*rng.Float64() - 1))
		}
		value := tensors.FromFlatDataAndDimensions(values, p.dims...)
		if _, err := store.CreateVariable(p.path(weights), value); err != nil {
			return fmt.Errorf("creating weight %s: %w", p.name, err)
		}
	}
	return nil
}
