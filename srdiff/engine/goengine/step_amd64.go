// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package goengine

// eachEight is the part of stepKind.each that vector instructions compute, eight values at a time. It returns how many values that were.
func (k stepKind) eachEight(y, operand []float32) int {
	n := len(y) / 8
	if n == 0 || !hasAVX2 {
		return 0
	}
	switch k {
	case add:
		addAVX2(&y[0], &operand[0], n)
	case subtract:
		subtractAVX2(&y[0], &operand[0], n)
	case multiply:
		multiplyEachAVX2(&y[0], &operand[0], n)
	default:
		return 0
	}
	return 8 * n
}

//go:noescape
func addAVX2(y, x *float32, eights int)

//go:noescape
func subtractAVX2(y, x *float32, eights int)

//go:noescape
func multiplyEachAVX2(y, x *float32, eights int)
