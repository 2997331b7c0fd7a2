// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

//go:build !amd64

package goengine

func siluOf(y []float32) { siluPlain(y) }

func logisticOf(y []float32) { logisticPlain(y) }
