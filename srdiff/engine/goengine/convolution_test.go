// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package goengine

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"
)

// random returns n values from -1 to 1.
func random(r *rand.Rand, n int) []float32 {
	values := make([]float32, n)
	for i := range values {
		values[i] = 2*r.Float32() - 1
	}
	return values
}

// naive is the definition of convolution in float64, for y or dw.
func naive(c *convolution, x, w []float32) []float64 {
	size := c.batch * c.rows * c.cols * c.out
	if c.ofKernel {
		size = c.kernelRows * c.kernelCols * c.in * c.out
	}
	result := make([]float64, size)
	for b := range c.batch {
		for p := range c.rows {
			for q := range c.cols {
				for i := range c.kernelRows {
					for j := range c.kernelCols {
						row, col := p+i-c.top, q+j-c.left
						if row < 0 || row >= c.height || col < 0 || col >= c.width {
							continue
						}
						for in := range c.in {
							v := float64(x[((b*c.height+row)*c.width+col)*c.in+in])
							for o := range c.out {
								atY, atW := ((b*c.rows+p)*c.cols+q)*c.out+o, ((i*c.kernelCols+j)*c.in+in)*c.out+o
								switch {
								case c.ofKernel:
									result[atW] += v * float64(w[atY])
								case c.swapped:
									result[atY] += v * float64(w[((i*c.kernelCols+j)*c.out+o)*c.in+in])
								default:
									result[atY] += v * float64(w[atW])
								}
							}
						}
					}
				}
			}
		}
	}
	return result
}

// Both convolutions are their definition on random shapes.
func TestConvolution(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		c := &convolution{
			batch: 1 + r.IntN(3), height: 1 + r.IntN(12), width: 1 + r.IntN(12), in: 1 + r.IntN(40), out: 1 + r.IntN(150),
			kernelRows: 1 + r.IntN(4), kernelCols: 1 + r.IntN(4), top: r.IntN(3), left: r.IntN(3), swapped: r.IntN(2) == 0, ofKernel: r.IntN(2) == 0,
		}
		c.rows, c.cols = c.height+c.top+r.IntN(3)-c.kernelRows+1, c.width+c.left+r.IntN(3)-c.kernelCols+1
		if c.rows < 1 || c.cols < 1 {
			continue
		}
		c.swapped = c.swapped && !c.ofKernel
		x := random(r, c.batch*c.height*c.width*c.in)
		w := random(r, c.kernelRows*c.kernelCols*c.in*c.out)
		y := make([]float32, c.batch*c.rows*c.cols*c.out)
		if c.ofKernel {
			w, y = random(r, len(y)), w
		}
		c.run(y, x, w, func(int, int) {})
		for i, want := range naive(c, x, w) {
			if math.Abs(float64(y[i])-want) > 1e-4 {
				t.Fatalf("%+v: value %d is %v, want %v", *c, i, y[i], want)
			}
		}
	}
}

// The tiles with vector instructions equal the plain one, whose products and sums are rounded one by one.
func TestMultiply(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for units := 1; units <= 5; units++ {
		n, k := units*lanes, 1+r.IntN(50)
		a, b, y := random(r, tileRows*k), random(r, k*n), random(r, tileRows*n)
		want := append([]float32(nil), y...)
		for u := range units {
			multiplyPlain(&tile{
				y: unsafe.Pointer(&want[u*lanes]), a: unsafe.Pointer(&a[0]), b: unsafe.Pointer(&b[u*lanes]),
				yRow: uintptr(4 * n), aRow: uintptr(4 * k), aStep: 4, bStep: uintptr(4 * n), k: uintptr(k),
			})
		}
		multiplyTile(y, n, a, k, 1, b, n, k, n)
		for i := range y {
			if math.Abs(float64(y[i]-want[i])) > 1e-5 {
				t.Fatalf("%d units: value %d is %v, want %v", units, i, y[i], want[i])
			}
		}
	}
}

func BenchmarkConvolution(b *testing.B) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, size := range [][4]int{{1, 256, 64, 64}, {32, 32, 32, 32}, {32, 8, 128, 128}, {1, 256, 3, 64}, {1, 256, 64, 48}} {
		for _, ofKernel := range []bool{false, true} {
			n, side, in, out := size[0], size[1], size[2], size[3]
			c := &convolution{batch: n, height: side, width: side, in: in, out: out, rows: side, cols: side, kernelRows: 3, kernelCols: 3, top: 1, left: 1, ofKernel: ofKernel}
			x, w, y := random(r, n*side*side*in), random(r, 9*in*out), random(r, n*side*side*out)
			if ofKernel {
				w, y = y, w
			}
			b.Run(fmt.Sprint(size, " of kernel ", ofKernel), func(b *testing.B) {
				for b.Loop() {
					c.run(y, x, w, func(int, int) {})
				}
				b.ReportMetric(18*float64(n*side*side*in*out)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			})
		}
	}
}
