// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package onnx

import "math"

// The layers of package nn, for pictures [batch, channels, height, width].

func (g *graph) add(a, b value) value { return g.node("Add", []value{a, b}) }
func (g *graph) mul(a, b value) value { return g.node("Mul", []value{a, b}) }
func (g *graph) relu(x value) value   { return g.node("Relu", []value{x}) }
func (g *graph) swish(x value) value  { return g.mul(x, g.node("Sigmoid", []value{x})) }

// scaled is x times a number, or nothing for 0.
func (g *graph) scaled(x value, by float64) value {
	switch by {
	case 0:
		return ""
	case 1:
		return x
	}
	return g.mul(x, g.scalar(by))
}

// sum adds what is not nothing.
func (g *graph) sum(a, b value) value {
	switch "" {
	case string(a):
		return b
	case string(b):
		return a
	}
	return g.add(a, b)
}

// concat stacks channels.
func (g *graph) concat(list ...value) value { return g.node("Concat", list, integer("axis", 1)) }

// conv is nn.Conv.
func (g *graph) conv(layer string, x value) value {
	w, dims := g.weight(layer + ".weight") // [out, in, kernel, kernel]
	b, _ := g.weight(layer + ".bias")
	kernel := int64(dims[2])
	pad := kernel / 2
	return g.node("Conv", []value{x, w, b}, ints("kernel_shape", kernel, kernel), ints("pads", pad, pad, pad, pad))
}

// dense is nn.Dense, for x [batch, in].
func (g *graph) dense(layer string, x value) value {
	w, _ := g.weight(layer + ".weight") // [out, in]
	b, _ := g.weight(layer + ".bias")
	return g.node("Gemm", []value{x, w, b}, integer("transB", 1))
}

// pixelShuffle is nn.PixelShuffle.
func (g *graph) pixelShuffle(x value, factor int) value {
	return g.node("DepthToSpace", []value{x}, integer("blocksize", int64(factor)), text("mode", "CRD"))
}

// pixelUnshuffle is nn.PixelUnshuffle of x with 3 channels. SpaceToDepth has the channels in another
// order: those of one pixel side by side.
func (g *graph) pixelUnshuffle(x value, factor int) value {
	x = g.node("SpaceToDepth", []value{x}, integer("blocksize", int64(factor)))
	var order []int64
	for channel := range 3 {
		for pixel := range factor * factor {
			order = append(order, int64(3*pixel+channel))
		}
	}
	return g.node("Gather", []value{x, g.integers(order...)}, integer("axis", 1))
}

// repeat is nn.Repeat.
func (g *graph) repeat(x value, factor int) value {
	scales := g.constant([]float32{1, 1, float32(factor), float32(factor)}, 4)
	return g.node("Resize", []value{x, "", scales}, text("mode", "nearest"),
		text("coordinate_transformation_mode", "asymmetric"), text("nearest_mode", "floor"))
}

// timeEmbedding is nn.TimeEmbedding at one time, [1, 4n].
func (g *graph) timeEmbedding(layer string, t float64) value {
	_, dims := g.weight(layer + ".0.weight") // [4n, n]
	half := dims[1] / 2
	waves := make([]float32, 2*half)
	for i := range half {
		angle := float64(float32(t) * float32(math.Pow(10000, -float64(i)/float64(half))))
		waves[i], waves[half+i] = float32(math.Cos(angle)), float32(math.Sin(angle))
	}
	emb := g.swish(g.dense(layer+".0", g.constant(waves, 1, 2*half)))
	return g.dense(layer+".2", emb)
}
