// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package goengine

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
)

// convolution is a convolution of pictures x [batch, height, width, in], or the gradient of its kernel:
//
//	y[b, p, q, o]  = sum over i, j, c:  x[b, p+i-top, q+j-left, c] w[i, j, c, o]
//	dw[i, j, c, o] = sum over b, p, q:  x[b, p+i-top, q+j-left, c] dy[b, p, q, o]
//
// where x is zero beyond the picture. The gradient of x is a convolution, too, of dy.
//
// Both are computed in bands of rows. A band of x is copied with its zeros, so that its pixels, row after
// row, are one long row: every tap of the kernel is then a shift of it. (Two pixels of each row are computed
// in vain.) The band is the left factor of a product of matrices whose rows overlap in memory, and a row of
// the kernel, for all its taps and channels in one, is the right factor.
type convolution struct {
	batch, height, width, in int // of x
	rows, cols, out          int // of y
	kernelRows, kernelCols   int
	top, left                int  // zeros before x
	swapped                  bool // the kernel is [i, j, o, c]
	ofKernel                 bool // this is the gradient of the kernel; the second operand is dy
}

// newConvolution returns the convolution of these shapes with strides and dilations of 1, or nil for one that
// this package does not compute.
func newConvolution(x, kernel, y shapes.Shape, axes compute.ConvolveAxesConfig, paddings [][2]int) *convolution {
	if len(axes.InputSpatial) != 2 || len(paddings) != 2 || x.IsDynamic() || kernel.IsDynamic() ||
		x.DType != dtypes.Float32 || kernel.DType != dtypes.Float32 || y.DType != dtypes.Float32 {
		return nil
	}
	spatial := func(axes []int, first int) bool { return slices.Equal(axes, []int{first, first + 1}) }
	c := &convolution{top: paddings[0][0], left: paddings[1][0]}
	xd, kd, yd := x.Dimensions, kernel.Dimensions, y.Dimensions
	switch {
	case !spatial(axes.InputSpatial, 1):
		return nil
	case axes.InputBatch == 0 && axes.InputChannels == 3 && axes.OutputBatch == 0 && axes.OutputChannels == 3 &&
		spatial(axes.OutputSpatial, 1) && spatial(axes.KernelSpatial, 0):
		c.swapped = axes.KernelInputChannels == 3
		c.kernelRows, c.kernelCols = kd[0], kd[1]
		c.rows, c.cols = yd[1], yd[2]
	case axes.InputBatch == 3 && axes.InputChannels == 0 && axes.OutputBatch == 2 && axes.OutputChannels == 3 &&
		spatial(axes.OutputSpatial, 0) && spatial(axes.KernelSpatial, 1) && axes.KernelInputChannels == 0:
		c.ofKernel = true
		c.kernelRows, c.kernelCols = yd[0], yd[1]
		c.rows, c.cols = kd[1], kd[2]
	default:
		return nil
	}
	c.batch, c.height, c.width, c.in, c.out = xd[0], xd[1], xd[2], xd[3], yd[3]
	if min(c.top, c.left) < 0 || c.batch*c.rows*c.cols*c.in*c.out == 0 {
		return nil
	}
	return c
}

// leastProducts is the least number of multiplications for which a product of matrices is worth a stage of its own.
const leastProducts = 1 << 18

// newProduct returns the product of two matrices as a convolution with a kernel of one pixel, x of M pixels:
//
//	y [M, N]  = x [M, K] w [K, N]    or x [M, K] w^T, w [N, K]
//	dw [K, N] = x^T dy,   x [M, K], dy [M, N]
//
// It returns nil for small matrices and for those that this package does not multiply. The axes are those
// that are summed over.
func newProduct(x, w, y shapes.Shape, axisOfX, axisOfW int) *convolution {
	if x.DType != dtypes.Float32 || w.DType != dtypes.Float32 || y.DType != dtypes.Float32 ||
		x.IsDynamic() || w.IsDynamic() || x.Rank() != 2 || w.Rank() != 2 || axisOfX == 0 && axisOfW == 1 {
		return nil
	}
	pixels := x.Dimensions[0]
	c := &convolution{
		batch: 1, in: x.Dimensions[1], out: w.Dimensions[1-axisOfW], kernelRows: 1, kernelCols: 1,
		swapped: axisOfW == 1, ofKernel: axisOfX == 0,
	}
	if pixels*c.in*c.out < leastProducts {
		return nil
	}
	c.cols = 1
	for c.cols < 64 && pixels%(2*c.cols) == 0 {
		c.cols *= 2
	}
	c.rows = pixels / c.cols
	c.height, c.width = c.rows, c.cols
	return c
}

// bandBytes bounds the memory of a band, of which a processor's second cache holds a good part.
const bandBytes = 512 << 10

// bandRows returns how many rows of y a band has.
func (c *convolution) bandRows() int {
	row := 4 * c.padded() * (c.in + c.paddedOut())
	return min(c.rows, max(4, bandBytes/row))
}

// padded returns the width of x with its zeros.
func (c *convolution) padded() int { return c.cols + c.kernelCols - 1 }

// paddedOut returns how many channels of y are computed, a multiple of lanes.
func (c *convolution) paddedOut() int { return roundUp(c.out, lanes) }

// paddedIn returns how many channels of x have a kernel gradient computed, a multiple of tileRows.
func (c *convolution) paddedIn() int { return roundUp(c.in, tileRows) }

// roundUp returns the least multiple that is not below n.
func roundUp(n, multiple int) int { return (n + multiple - 1) / multiple * multiple }

// band is a part of a picture, and where a worker keeps it.
type band struct {
	picture, from, to int       // rows of y
	x                 []float32 // rows from to to+kernelRows-1 of x, with zeros, and more zeros behind
	y                 []float32 // rows of y, each as wide as those of x
}

// memory has slices of bands that are not in use.
var memory sync.Pool

// floats returns n values, which can be any, and what gives them back.
func floats(n int) (values []float32, free func()) {
	used, _ := memory.Get().(*[]float32)
	if used == nil || cap(*used) < n {
		fresh := make([]float32, n)
		used = &fresh
	}
	return (*used)[:n], func() { memory.Put(used) }
}

// lend gives the band memory, and returns what takes it back.
func (b *band) lend(c *convolution) (free func()) {
	n, w := c.bandRows(), c.padded()
	ofX := roundUp(((n+c.kernelRows-1)*w+c.behind())*c.in+tileRows, lanes) // vectors of y are whole lines of the cache
	values, free := floats(ofX + (n*w+tileRows)*c.paddedOut())
	b.x, b.y = values[:ofX], values[ofX:]
	return free
}

// behind returns how many pixels the last tiles of a band read behind it.
func (c *convolution) behind() int { return c.kernelCols + tileRows }

// load copies the band's part of x.
func (b *band) load(c *convolution, x []float32) {
	row := c.padded() * c.in
	for i := range b.to - b.from + c.kernelRows - 1 {
		to, from := b.x[i*row:(i+1)*row], b.from+i-c.top
		if from < 0 || from >= c.height {
			clear(to)
			continue
		}
		clear(to[:c.left*c.in])
		start := (b.picture*c.height + from) * c.width * c.in
		n := copy(to[c.left*c.in:], x[start:start+c.width*c.in])
		clear(to[c.left*c.in+n:])
	}
	// What is behind is multiplied by zero, or its results are not used. It must be numbers.
	end := (b.to - b.from + c.kernelRows - 1) * row
	clear(b.x[end : end+c.behind()*c.in+tileRows])
}

// run computes y from x and w, or dw from x and dy. It calls after for each part of y, its values from one index to
// before another, as soon as they are there; not for dw.
func (c *convolution) run(y, x, w []float32, after func(from, to int)) {
	if c.ofKernel {
		c.gradientOfKernel(y, x, w)
	} else {
		c.forward(y, x, w, after)
	}
}

// forward is the y above.
func (c *convolution) forward(y, x, w []float32, after func(from, to int)) {
	w = c.pack(w)
	bands := c.bands()
	parallel(len(bands), func(i int) {
		b := &bands[i]
		defer b.lend(c)()
		b.load(c, x)
		c.forwardBand(b, w)
		b.store(c, y, after)
	})
}

// forwardBand computes b.y from b.x and the packed kernel.
func (c *convolution) forwardBand(b *band, w []float32) {
	out, width := c.paddedOut(), c.padded()
	pixels := (b.to - b.from) * width
	clear(b.y[:(pixels+tileRows)*out])
	k := c.kernelCols * c.in
	for p := 0; p < pixels; p += tileRows {
		for i := range c.kernelRows {
			multiplyTile(b.y[p*out:], out, b.x[(i*width+p)*c.in:], c.in, 1, w[i*k*out:], out, k, out)
		}
	}
}

// store copies the band's part of y to where it belongs, and calls after for each row.
func (b *band) store(c *convolution, y []float32, after func(from, to int)) {
	out := c.paddedOut()
	for i := range b.to - b.from {
		row := b.y[i*c.padded()*out:]
		from := (b.picture*c.rows + b.from + i) * c.cols * c.out
		to := from + c.cols*c.out
		if out == c.out {
			copy(y[from:to], row)
		} else {
			for q := range c.cols {
				copy(y[from+q*c.out:from+(q+1)*c.out], row[q*out:])
			}
		}
		after(from, to)
	}
}

// pack returns the kernel as [i, j, c, o], with zeros for the channels o that paddedOut adds.
func (c *convolution) pack(w []float32) []float32 {
	out := c.paddedOut()
	if out == c.out && !c.swapped {
		return w
	}
	packed := make([]float32, c.kernelRows*c.kernelCols*c.in*out)
	for tap := range c.kernelRows * c.kernelCols {
		for i := range c.in {
			row := packed[(tap*c.in+i)*out:][:c.out]
			if !c.swapped {
				copy(row, w[(tap*c.in+i)*c.out:])
				continue
			}
			for o := range row {
				row[o] = w[(tap*c.out+o)*c.in+i]
			}
		}
	}
	return packed
}

// bands divides all pictures.
func (c *convolution) bands() []band {
	var all []band
	n := c.bandRows()
	for picture := range c.batch {
		for from := 0; from < c.rows; from += n {
			all = append(all, band{picture: picture, from: from, to: min(from+n, c.rows)})
		}
	}
	return all
}

// sums is how many sums gradientOfKernel adds up. It does not depend on the number of processors, so neither
// does the result.
const sums = 8

// gradientOfKernel is the dw above.
func (c *convolution) gradientOfKernel(dw, x, dy []float32) {
	bands := c.bands()
	n := min(sums, len(bands))
	in, out := c.paddedIn(), c.paddedOut()
	parts := make([][]float32, n) // [kernelRows, kernelCols, in, out]
	parallel(n, func(i int) {
		parts[i] = make([]float32, c.kernelRows*c.kernelCols*in*out)
		for _, b := range bands[i*len(bands)/n : (i+1)*len(bands)/n] {
			free := b.lend(c)
			b.load(c, x)
			b.loadGradient(c, dy)
			c.gradientOfBand(&b, parts[i])
			free()
		}
	})
	for tap := range c.kernelRows * c.kernelCols {
		for i := range c.in {
			row := dw[(tap*c.in+i)*c.out:][:c.out]
			clear(row)
			for _, part := range parts {
				for o, v := range part[(tap*in+i)*out:][:c.out] {
					row[o] += v
				}
			}
		}
	}
}

// gradientOfBand adds the band's part of the sum to dw, whose channels c are a multiple of tileRows.
func (c *convolution) gradientOfBand(b *band, dw []float32) {
	in, out, width := c.paddedIn(), c.paddedOut(), c.padded()
	pixels := (b.to - b.from) * width
	for tap := range c.kernelRows * c.kernelCols {
		shift := tap/c.kernelCols*width + tap%c.kernelCols
		for i := 0; i < c.in; i += tileRows {
			multiplyTile(dw[(tap*in+i)*out:], out, b.x[shift*c.in+i:], 1, c.in, b.y, out, pixels, out)
		}
	}
}

// loadGradient copies the band's part of dy, with zeros for the pixels and channels that y does not have.
func (b *band) loadGradient(c *convolution, dy []float32) {
	out := c.paddedOut()
	for i := range b.to - b.from {
		to := b.y[i*c.padded()*out : (i+1)*c.padded()*out]
		from := dy[((b.picture*c.rows+b.from+i)*c.cols)*c.out:]
		if out == c.out {
			clear(to[copy(to, from[:c.cols*out]):])
			continue
		}
		clear(to)
		for q := range c.cols {
			copy(to[q*out:], from[q*c.out:(q+1)*c.out])
		}
	}
}

// parallel calls f for 0 to n-1, on all processors, each as soon as one is free.
func parallel(n int, f func(i int)) {
	var group sync.WaitGroup
	var next atomic.Int64
	for range min(runtime.GOMAXPROCS(0), n) {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i)
			}
		})
	}
	group.Wait()
}
