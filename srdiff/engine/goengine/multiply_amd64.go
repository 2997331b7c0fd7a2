// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package goengine

import "golang.org/x/sys/cpu"

// multiplyUnits computes a tile of at most units times lanes columns, and returns how many times lanes it did.
func multiplyUnits(t *tile, units int) int {
	switch {
	case hasAVX512 && units >= 4:
		multiplyAVX512x4(t)
		return 4
	case hasAVX512 && units >= 2:
		multiplyAVX512x2(t)
		return 2
	case hasAVX512:
		multiplyAVX512x1(t)
	case hasAVX2:
		multiplyAVX2(t)
	default:
		multiplyPlain(t)
	}
	return 1
}

var (
	hasAVX512 = cpu.X86.HasAVX512F
	hasAVX2   = cpu.X86.HasAVX2 && cpu.X86.HasFMA
)

//go:noescape
func multiplyAVX512x4(t *tile)

//go:noescape
func multiplyAVX512x2(t *tile)

//go:noescape
func multiplyAVX512x1(t *tile)

//go:noescape
func multiplyAVX2(t *tile)
