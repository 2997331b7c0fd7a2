// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

//go:build !amd64 && !arm64

package goengine

// multiplyUnits computes a tile of at most units times lanes columns, and returns how many times lanes it did.
func multiplyUnits(t *tile, units int) int {
	multiplyPlain(t)
	return 1
}
