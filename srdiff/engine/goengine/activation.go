// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package goengine

import "math"

// siluPlain replaces each x by x / (1 + exp(-x)).
func siluPlain(y []float32) {
	for i, x := range y {
		y[i] = x / (1 + exp(-x))
	}
}

// logisticPlain replaces each x by 1 / (1 + exp(-x)).
func logisticPlain(y []float32) {
	for i, x := range y {
		y[i] = 1 / (1 + exp(-x))
	}
}

// exp is e^x with an error of at most some units in the last place. It is 0 below -88 and infinite above 89.
//
//	e^x = 2^n e^r,   n = x / ln 2, rounded,   r = x - n ln 2
func exp(x float32) float32 {
	switch {
	case x < -87.3:
		return 0
	case x > 88.7:
		return float32(math.Inf(1))
	case x != x:
		return x
	}
	n := float32(int32(x*math.Log2E+128.5) - 128) // rounded: the sum is positive
	r := x - n*0.693359375 + n*2.12194440e-4
	// The polynomial of Cephes' expf (Moshier).
	p := float32(1.9875691500e-4)
	for _, c := range [...]float32{1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1} {
		p = p*r + c
	}
	p = p*r*r + r + 1
	return p * math.Float32frombits(uint32(int32(n)+127)<<23)
}
