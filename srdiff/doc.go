// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// Package srdiff trains diffusion models that enlarge pictures, and enlarges pictures with them.
// The parts of the method are packages of their own:
//
//	diffusion  the noise schedule, the forward process, predictions, samplers, guidance
//	degrade    how low-resolution pictures are made
//	nn         the layers of networks
//	networks   the networks, by name
//	dataset    pictures to train on
//	imaging    picture files
//	metrics    measures of quality
//	engine     the engines that run graphs
//
// A program opens an engine, and loads a model or trains a new one:
//
//	eng, err := engine.Open("auto")
//	model, err := srdiff.Load(eng.Backend, "model.safetensors")
//	large, err := model.Upscale(ctx, srdiff.SampleOptions{}, picture)
//
// Graph functions (Predict, Loss) take and return nodes and panic on misuse, as GoMLX's do. All
// other functions return errors. Pictures are float32 in [-1, 1], shaped [batch, height, width, 3].
// This package imports no engine: the program chooses one.
package srdiff
