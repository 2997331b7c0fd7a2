// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package networks

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/srdiff/srlab/srdiff/nn"
)

// unet is the tutorial's network: UNet of x_t, y and the time, stacked as channels.
type unet struct{ config Config }

func newUNet(c Config) (Network, error) { return unet{c}, c.checkTutorial() }

func (unet) Multiple() int { return 4 }
func (unet) Margin() int   { return 1 }

func (n unet) Predict(scope *nn.Scope, in Inputs) *Node {
	x := Concatenate(append(in.stacked(), nn.TimeChannel(in.Xt, in.T, in.Timesteps)), -1)
	x = scope.Convert(x)
	return ConvertDType(UNet(scope, n.config.BaseChannels, x), in.Xt.DType())
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
// x is [batch, height, width, channels]: x_t, y and the time are 7 channels, the noise level of y is
// one more. The result is [batch, height, width, 3]. It computes in the type of x, float32 or bfloat16.
func UNet(scope *nn.Scope, channels int, x *Node) *Node {
	enc1 := nn.DoubleConv(scope.In("enc1"), x, channels)                     // [batch, height, width, C]
	enc2 := nn.DoubleConv(scope.In("enc2"), nn.MaxPool2(enc1), 2*channels)   // [batch, height/2, width/2, 2C]
	x = nn.DoubleConv(scope.In("bottleneck"), nn.MaxPool2(enc2), 4*channels) // [batch, height/4, width/4, 4C]
	x = Concatenate([]*Node{nn.UpConv(scope.In("upconv2"), x, 2*channels), enc2}, -1)
	x = nn.DoubleConv(scope.In("dec2"), x, 2*channels) // [batch, height/2, width/2, 2C]
	x = Concatenate([]*Node{nn.UpConv(scope.In("upconv1"), x, channels), enc1}, -1)
	x = nn.DoubleConv(scope.In("dec1"), x, channels) // [batch, height, width, C]
	return nn.Conv(scope.In("out"), x, 3, 1)
}
