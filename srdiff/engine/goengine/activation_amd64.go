// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package goengine

// siluOf is siluPlain, and logisticOf logisticPlain, eight values at a time where the processor can. The last
// ones are computed in the same way, so that a value does not depend on its place.

func siluOf(y []float32) {
	if hasAVX2 {
		inEights(y, siluAVX2)
	} else {
		siluPlain(y)
	}
}

func logisticOf(y []float32) {
	if hasAVX2 {
		inEights(y, logisticAVX2)
	} else {
		logisticPlain(y)
	}
}

func inEights(y []float32, f func(y *float32, eights int)) {
	n := len(y) / 8
	if n > 0 {
		f(&y[0], n)
	}
	if rest := y[8*n:]; len(rest) > 0 {
		var last [8]float32
		copy(last[:], rest)
		f(&last[0], 1)
		copy(rest, last[:])
	}
}

//go:noescape
func siluAVX2(y *float32, eights int)

//go:noescape
func logisticAVX2(y *float32, eights int)
