// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// Package training holds the parts of a training run that do not depend on a model: the optimizer,
// averaged weights, checkpoints in a folder, the rule of divergence, the metrics file, devices and
// time.
package training
