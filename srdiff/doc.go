// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// Package srdiff is diffusion super-resolution, written to be read: one file per idea, in the order of the tutorial.
//
//	schedule.go   beta_t, alpha_t, alpha_bar_t and what follows from them
//	forward.go    q(x_t | x_0): adding noise
//	condition.go  y: the low-resolution picture that the network is shown
//	embed.go      how the network is told the time
//	network.go    eps_theta(x_t, t, y): the noise predictor
//	unet.go       the tutorial's network
//	residual_unet.go  the better one
//	layers.go     what both are made of
//	conv.go       how its convolutions are lowered to each engine
//	target.go     what it may predict: the noise, x_0 or v
//	loss.go       what it learns
//	reverse.go    p_theta(x_{t-1} | x_t, y): one step back
//	sampler.go    DDPM, DDIM and DPM-Solver++ as tables of steps back
//	guidance.go   classifier-free guidance
//	sample.go     whole trajectories, from x_T to x_0
//	train.go      the training loop
//	optimizer.go  Adam, its learning rate, clipped gradients, averaged weights
//	model.go      a trained model: save, load
//	upscale.go    enlarging any picture
//	pictures.go   pictures to tensors and back
//
// Functions that build computation graphs follow GoMLX: they take and return *Node, a *model.Scope comes first where
// they have weights, and they panic on misuse, which the functions at the edge (NewModel, Load, Train, Sample, Upscale)
// turn into errors. Pictures are float32 in [-1, 1], shaped [batch, height, width, 3]. The compute backend is handed in
// from outside (package engine); this package imports none.
//
// A timestep t counts from 0: index t of a table stands for step t+1 of the papers, so that t = 0 is the least noise and
// t = T-1 the most.
package srdiff
