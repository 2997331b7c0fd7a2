// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// Package srdiff is diffusion super-resolution: it trains a model that enlarges pictures, and
// enlarges pictures with it. The method is in the packages beside this one, each of which can be
// used alone:
//
//	diffusion  the noise schedule, the forward process, predictions, samplers, guidance
//	degrade    how low-resolution pictures are made
//	nn         the layers of networks
//	networks   the networks, by name
//	dataset    pictures to train on
//	imaging    picture files
//	metrics    measures of quality
//	engine     what graphs run on
//
// A program opens an engine and loads a model, or makes and trains one:
//
//	eng, err := engine.Open("auto")
//	model, err := srdiff.Load(eng.Backend, "model.safetensors")
//	large, err := model.Upscale(ctx, srdiff.SampleOptions{}, picture)
//
// Graph functions (Predict, Loss) take and return nodes and panic on misuse, as GoMLX's do. All
// other functions return errors. Pictures are float32 in [-1, 1], shaped [batch, height, width, 3].
// This package imports no engine: a program chooses its own.
package srdiff
