// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

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

// unetParameters lists the weights of UNet in the order of its layers.
func unetParameters(config Config) parameters {
	var l parameters
	block := func(layer string, in, out int) {
		l.conv(layer+".0", in, out, 3)
		l.conv(layer+".2", out, out, 3)
	}
	c := config.BaseChannels
	block("enc1", shownChannels(config)+1, c)
	block("enc2", c, 2*c)
	block("bottleneck", 2*c, 4*c)
	l.upConv("upconv2", 4*c, 2*c)
	block("dec2", 4*c, 2*c)
	l.upConv("upconv1", 2*c, c)
	block("dec1", 2*c, c)
	l.conv("out", c, 3, 1)
	return l
}
