// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package goengine

import "unsafe"

// A tile of a product has tileRows rows. Its columns are a multiple of lanes.
const tileRows, lanes = 6, 16

// tile is what the functions in assembly take. Their offsets are known there. Strides are in bytes.
type tile struct {
	y, a, b                     unsafe.Pointer
	yRow, aRow, aStep, bStep, k uintptr
}

// multiplyTile adds a product to y, tileRows rows of columns columns:
//
//	y[r][n] += sum over k < depth:  a[r aRow + k aStep] b[k bStep + n]
//
// Each sum is computed in the order of k, on every processor.
func multiplyTile(y []float32, yRow int, a []float32, aRow, aStep int, b []float32, bStep, depth, columns int) {
	// The last value that is used of each.
	_ = y[(tileRows-1)*yRow+columns-1]
	_ = a[(tileRows-1)*aRow+(depth-1)*aStep]
	_ = b[(depth-1)*bStep+columns-1]
	t := tile{yRow: uintptr(yRow) * 4, aRow: uintptr(aRow) * 4, aStep: uintptr(aStep) * 4, bStep: uintptr(bStep) * 4, k: uintptr(depth)}
	for n := 0; n < columns; {
		t.y, t.a, t.b = unsafe.Pointer(&y[n]), unsafe.Pointer(&a[0]), unsafe.Pointer(&b[n])
		n += lanes * multiplyUnits(&t, (columns-n)/lanes)
	}
}

// multiplyPlain is the tile of lanes columns without vector instructions.
func multiplyPlain(t *tile) {
	at := func(p unsafe.Pointer, offset uintptr) *[lanes]float32 {
		return (*[lanes]float32)(unsafe.Add(p, offset))
	}
	for r := range uintptr(tileRows) {
		y := at(t.y, r*t.yRow)
		for k := range t.k {
			a := *(*float32)(unsafe.Add(t.a, r*t.aRow+k*t.aStep))
			b := at(t.b, k*t.bStep)
			for n := range y {
				y[n] += a * b[n]
			}
		}
	}
}
