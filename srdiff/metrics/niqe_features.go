// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"fmt"
	"math"
	"sort"

	"github.com/srdiff/srlab/srdiff/imaging"
)

const (
	niqeBlock    = 96 // Pixels a side.
	niqeFeatures = 36 // 18 at each of two scales.
)

// niqeFeaturesOf is a block's features, and how sharp it is: the mean of sigma.
type niqeFeaturesOf struct {
	features  [niqeFeatures]float64
	sharpness float64
}

// niqeBlocks returns the features of a picture's blocks, without flat ones. It is an error if there
// are fewer than two.
func niqeBlocks(p imaging.Picture) ([]niqeFeaturesOf, error) {
	if err := check(p); err != nil {
		return nil, err
	}
	columns, rows := p.Width/niqeBlock, p.Height/niqeBlock
	if columns*rows < 2 {
		return nil, fmt.Errorf("a picture of %dx%d is too small for NIQE: want at least two blocks of %dx%d pixels, such as %dx%d",
			p.Width, p.Height, niqeBlock, niqeBlock, niqeBlock, 2*niqeBlock)
	}
	whole := wholeLuma(p, columns*niqeBlock, rows*niqeBlock)
	normal, sigma := whole.normalised()
	halfNormal, _ := whole.half().normalised()
	var blocks []niqeFeaturesOf
	for y := range rows {
		for x := range columns {
			b := niqeFeaturesOf{sharpness: mean(sigma.block(x, y, niqeBlock).values)}
			copy(b.features[:], normal.block(x, y, niqeBlock).features())
			copy(b.features[niqeFeatures/2:], halfNormal.block(x, y, niqeBlock/2).features())
			if sum := mean(b.features[:]); !math.IsNaN(sum) {
				blocks = append(blocks, b)
			}
		}
	}
	if len(blocks) < 2 {
		return nil, fmt.Errorf("NIQE of a flat picture: %d of its %d blocks of %dx%d pixels have any texture, want at least two",
			len(blocks), columns*rows, niqeBlock, niqeBlock)
	}
	return blocks, nil
}

func newPlane(width, height int) plane {
	return plane{width, height, make([]float64, width*height)}
}

// wholeLuma is the luma of the upper left part of a picture in whole numbers, as 8 bits hold it.
func wholeLuma(p imaging.Picture, width, height int) plane {
	all, out := luma(p, 0), newPlane(width, height)
	for y := range height {
		for x := range width {
			// The small amount has halves rounded up, however their fractions were rounded.
			out.values[y*width+x] = math.Floor(255*all.at(x, y) + 0.5 + 1e-9)
		}
	}
	return out
}

// niqeWindow is NIQE's Gaussian window along one axis; it sums to 1.
var niqeWindow = func() []float64 {
	const sigma = 7. / 6
	w, sum := make([]float64, 7), 0.0
	for i := range w {
		x := float64(i - 3)
		w[i] = math.Exp(-x * x / (2 * sigma * sigma))
		sum += w[i]
	}
	for i := range w {
		w[i] /= sum
	}
	return w
}()

// halfWindow makes two pixels one as MATLAB's imresize does: Keys's cubic with a = -0.5, widened to
// twice its width. The taps lie at -3.5 to 3.5 pixels from the centre and sum to 1.
var halfWindow = []float64{-3. / 256, -9. / 256, 29. / 256, 111. / 256, 111. / 256, 29. / 256, -9. / 256, -3. / 256}

// transposed filters every row of p and returns the result transposed, so that a second call
// filters the columns and puts the picture back. Row x of the result starts at the pixel x*step +
// first of the rows; beyond the border, at is called.
func (p plane) transposed(window []float64, step, first int, at func(i, n int) int) plane {
	out := newPlane(p.height, p.width/step)
	from := make([]int, len(window))
	for x := range out.height {
		for t := range window {
			from[t] = at(x*step+first+t, p.width)
		}
		for y := range p.height {
			row, sum := p.values[y*p.width:(y+1)*p.width], 0.0
			for t, w := range window {
				sum += w * row[from[t]]
			}
			out.values[x*p.height+y] = sum
		}
	}
	return out
}

// smooth is the mean over the Gaussian window, the border repeated.
func (p plane) smooth() plane {
	repeat := func(i, n int) int { return min(max(i, 0), n-1) }
	return p.transposed(niqeWindow, 1, -3, repeat).transposed(niqeWindow, 1, -3, repeat)
}

// half is p at half its size, whose sides must be even. MATLAB mirrors the border.
func (p plane) half() plane {
	mirror := func(i, n int) int {
		if i < 0 {
			return -1 - i
		}
		return min(i, 2*n-1-i)
	}
	return p.transposed(halfWindow, 2, -3, mirror).transposed(halfWindow, 2, -3, mirror)
}

// normalised returns the mean-subtracted, contrast-normalised values, and the local standard
// deviation.
func (p plane) normalised() (normal, sigma plane) {
	squares := newPlane(p.width, p.height)
	for i, v := range p.values {
		squares.values[i] = v * v
	}
	mu, sigma := p.smooth(), squares.smooth()
	normal = newPlane(p.width, p.height)
	for i, v := range p.values {
		m := mu.values[i]
		sigma.values[i] = math.Sqrt(math.Abs(sigma.values[i] - m*m))
		// What is below is the rounding of a mean of equal values. It has a distribution too, but
		// not the picture's.
		if d := v - m; math.Abs(d) > 1e-9 {
			normal.values[i] = d / (sigma.values[i] + 1)
		}
	}
	return normal, sigma
}

// block is the one in column x and row y.
func (p plane) block(x, y, side int) plane {
	out := newPlane(side, side)
	for row := range side {
		copy(out.values[row*side:(row+1)*side], p.values[(y*side+row)*p.width+x*side:])
	}
	return out
}

// features are the 18 of a block of normalised values. A flat one has NaN among them.
func (p plane) features() []float64 {
	shape, left, right, _ := asymmetricGaussian(p.values)
	list := []float64{shape, (left + right) / 2}
	products := make([]float64, len(p.values))
	for _, shift := range [][2]int{{1, 0}, {0, 1}, {1, 1}, {-1, 1}} {
		for y := range p.height {
			for x := range p.width {
				// A pixel without a neighbour takes the one from the other side of the block, as in
				// the paper's release.
				nx, ny := (x-shift[0]+p.width)%p.width, (y-shift[1]+p.height)%p.height
				products[y*p.width+x] = p.values[y*p.width+x] * p.values[ny*p.width+nx]
			}
		}
		shape, left, right, mean := asymmetricGaussian(products)
		list = append(list, shape, mean, left, right)
	}
	return list
}

// asymmetricGaussian fits the asymmetric generalised Gaussian distribution by its moments (Lasmar,
// Stitou and Berthoumieu 2009): its shape, its left and right scale, and its mean. Zeros are on
// neither side, as in the paper's release. All are NaN without values on both sides.
func asymmetricGaussian(values []float64) (shape, left, right, mean float64) {
	var sumLeft, sumRight, sumAbs, nLeft, nRight float64
	for _, v := range values {
		sumAbs += math.Abs(v)
		switch {
		case v < 0:
			sumLeft += v * v
			nLeft++
		case v > 0:
			sumRight += v * v
			nRight++
		}
	}
	n := float64(len(values))
	left, right = math.Sqrt(sumLeft/nLeft), math.Sqrt(sumRight/nRight)
	g := left / right
	ratio := sumAbs / n * sumAbs / (sumLeft + sumRight) * (g*g*g + 1) * (g + 1) / ((g*g + 1) * (g*g + 1))
	if math.IsNaN(ratio) {
		return ratio, ratio, ratio, ratio
	}
	shape = shapeOf(ratio)
	perSigma := math.Sqrt(math.Gamma(1/shape) / math.Gamma(3/shape))
	left, right = left*perSigma, right*perSigma
	return shape, left, right, (right - left) * math.Gamma(2/shape) / math.Gamma(1/shape)
}

// shapeRatios are the ratio E|x|^2 / E x^2 of distributions of the shapes 0.2, 0.201 and so on to
// 10; it rises.
var shapeRatios = func() []float64 {
	list := make([]float64, 9801)
	for i := range list {
		a := 1 / shapeAt(i)
		list[i] = math.Gamma(2*a) * math.Gamma(2*a) / (math.Gamma(a) * math.Gamma(3*a))
	}
	return list
}()

func shapeAt(i int) float64 { return 0.2 + 0.001*float64(i) }

// shapeOf returns the shape whose ratio is nearest.
func shapeOf(ratio float64) float64 {
	i := min(sort.SearchFloat64s(shapeRatios, ratio), len(shapeRatios)-1)
	if i > 0 && ratio-shapeRatios[i-1] <= shapeRatios[i]-ratio {
		i--
	}
	return shapeAt(i)
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}
