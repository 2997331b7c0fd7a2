// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"image"
	_ "image/jpeg"
	_ "image/png"
	"math"
	"math/bits"
	"os"
	"slices"
)

const (
	side  = 32  // width and height of a patch
	low   = 8   // frequencies of the perceptual hash in each direction
	alike = 14  // bits of 64 by which the hashes of parts that may be the same differ at most
	plain = 100 // edges below which a part shows too little to be told from others; a straight one counts about 60
)

// picture is the luminance of a photograph as a summed-area table, from which the mean of any part is taken at once.
type picture struct {
	width, height int
	sums          []float64 // (width+1) x (height+1)
}

// patch is a part of a picture, reduced to side x side pixels, less its mean.
type patch [side * side]float64

// part is a rectangle of a picture in pixels.
type part struct{ x, y, w, h float64 }

// view is one way to see a benchmark's picture: a part of it, as it is or mirrored.
type view struct {
	path  string
	patch patch
	hash  uint64
}

// open reads a picture's luminance.
func open(path string) (*picture, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	img, _, err := image.Decode(file)
	if err != nil {
		return nil, err
	}
	return luminance(img), nil
}

// luminance returns the summed-area table of an image's luminance.
func luminance(img image.Image) *picture {
	b := img.Bounds()
	p := &picture{b.Dx(), b.Dy(), make([]float64, (b.Dx()+1)*(b.Dy()+1))}
	stride := p.width + 1
	level := func(x, y int) float64 {
		r, g, bl, _ := img.At(x, y).RGBA()
		return (0.299*float64(r) + 0.587*float64(g) + 0.114*float64(bl)) / 257
	}
	if jpeg, ok := img.(*image.YCbCr); ok { // has it at hand
		level = func(x, y int) float64 { return float64(jpeg.Y[jpeg.YOffset(x, y)]) }
	}
	for y := range p.height {
		row := 0.0
		for x := range p.width {
			row += level(b.Min.X+x, b.Min.Y+y)
			p.sums[(y+1)*stride+x+1] = p.sums[y*stride+x+1] + row
		}
	}
	return p
}

// patch reduces a part of the picture by averages.
func (p *picture) patch(at part) *patch {
	var out patch
	total := 0.0
	for j := range side {
		top, bottom := pixels(at.y, at.h, j, p.height)
		for i := range side {
			left, right := pixels(at.x, at.w, i, p.width)
			stride := p.width + 1
			sum := p.sums[bottom*stride+right] - p.sums[top*stride+right] -
				p.sums[bottom*stride+left] + p.sums[top*stride+left]
			out[j*side+i] = sum / float64((bottom-top)*(right-left))
			total += out[j*side+i]
		}
	}
	for i := range out {
		out[i] -= total / side / side
	}
	return &out
}

// pixels returns the first pixel and the one after the last of the i-th of side equal pieces of a length.
func pixels(start, length float64, i, limit int) (from, to int) {
	from = min(int(start+length*float64(i)/side), limit-1)
	to = min(int(start+length*float64(i+1)/side), limit)
	return from, max(to, from+1)
}

// cosines holds the lowest frequencies of the discrete cosine transform, less the constant one.
var cosines = func() (c [low][side]float64) {
	for k := range c {
		for i := range side {
			c[k][i] = math.Cos(math.Pi * float64(k+1) * (float64(i) + 0.5) / side)
		}
	}
	return c
}()

// hash returns the perceptual hash: which of the low frequencies are above their median. It returns false where the
// patch is plain.
func (p *patch) hash() (uint64, bool) {
	if p.detail() < plain {
		return 0, false
	}
	var rows [side][low]float64
	for j := range side {
		for k := range low {
			for i := range side {
				rows[j][k] += p[j*side+i] * cosines[k][i]
			}
		}
	}
	var values [low * low]float64
	for k := range low {
		for l := range low {
			for j := range side {
				values[l*low+k] += rows[j][k] * cosines[l][j]
			}
		}
	}
	sorted := values
	slices.Sort(sorted[:])
	median := (sorted[31] + sorted[32]) / 2
	var hash uint64
	for i, v := range values {
		if v > median {
			hash |= 1 << i
		}
	}
	return hash, true
}

// distance returns by how many bits two hashes differ, from 0 to 64.
func distance(a, b uint64) int { return bits.OnesCount64(a ^ b) }

// mirrored returns the patch with left and right exchanged.
func (p *patch) mirrored() *patch {
	var out patch
	for j := range side {
		for i := range side {
			out[j*side+i] = p[j*side+side-1-i]
		}
	}
	return &out
}

// refine moves and resizes a part in small steps until it correlates best with the patch, and returns the correlation
// of their edges there: smooth parts of different pictures correlate too, but their edges do not.
func (p *picture) refine(at part, with *patch) float64 {
	best := correlate(p.patch(at)[:], with[:])
	for step := 1.0 / 16; step > 1.0/100; step /= 2 {
		for better := true; better; {
			better = false
			for _, next := range neighbours(at, step) {
				if next.x < 0 || next.y < 0 || next.x+next.w > float64(p.width) || next.y+next.h > float64(p.height) {
					continue
				}
				if c := correlate(p.patch(next)[:], with[:]); c > best+1e-6 {
					best, at, better = c, next, true
				}
			}
		}
	}
	return correlate(p.patch(at).edges(), with.edges())
}

// edges returns the differences between neighbouring pixels, across and down.
func (p *patch) edges() []float64 {
	out := make([]float64, 0, 2*side*(side-1))
	for i := range p {
		if i%side < side-1 {
			out = append(out, p[i+1]-p[i])
		}
		if i < side*(side-1) {
			out = append(out, p[i+side]-p[i])
		}
	}
	return out
}

// detail returns over how many pairs of neighbouring pixels the differences spread, by the ratio of their moments.
func (p *patch) detail() float64 {
	var second, fourth float64
	for _, d := range p.edges() {
		second += d * d
		fourth += d * d * d * d
	}
	if second < 2*side*side { // differences of less than one level
		return 0
	}
	return second * second / fourth
}

// neighbours returns the part moved, and made smaller and larger about its centre, by a step relative to its size.
func neighbours(at part, step float64) []part {
	dx, dy := at.w*step, at.h*step
	return []part{
		{at.x - dx, at.y, at.w, at.h}, {at.x + dx, at.y, at.w, at.h},
		{at.x, at.y - dy, at.w, at.h}, {at.x, at.y + dy, at.w, at.h},
		{at.x - dx/2, at.y - dy/2, at.w + dx, at.h + dy}, {at.x + dx/2, at.y + dy/2, at.w - dx, at.h - dy},
	}
}

// squares returns the squares of a size that lie in width x height, about stride times the size apart.
func squares(width, height int, size, stride float64) []part {
	var parts []part
	for _, y := range starts(float64(height), size, stride) {
		for _, x := range starts(float64(width), size, stride) {
			parts = append(parts, part{x, y, size, size})
		}
	}
	return parts
}

// starts spreads pieces of a size evenly over a length.
func starts(length, size, stride float64) []float64 {
	n := math.Ceil((length - size) / (size * stride))
	if n <= 0 {
		return []float64{(length - size) / 2}
	}
	var at []float64
	for i := range int(n) + 1 {
		at = append(at, (length-size)*float64(i)/n)
	}
	return at
}

// trainParts returns the parts of a training picture that are compared: the whole of it, and squares of several sizes.
func trainParts(width, height int) []part {
	parts := []part{{0, 0, float64(width), float64(height)}}
	for _, scale := range []float64{1, 0.8, 0.64, 0.5, 0.4, 0.32} {
		parts = append(parts, squares(width, height, scale*float64(min(width, height)), 1.0/6)...)
	}
	return parts
}

// benchViews returns the views of a benchmark's picture: the whole and squares, each also mirrored.
func benchViews(path string, p *picture) []view {
	parts := []part{{0, 0, float64(p.width), float64(p.height)}}
	for _, scale := range []float64{1, 0.7, 0.5} {
		parts = append(parts, squares(p.width, p.height, scale*float64(min(p.width, p.height)), 0.3)...)
	}
	var views []view
	for _, at := range parts {
		of := p.patch(at)
		for _, seen := range []*patch{of, of.mirrored()} {
			if hash, ok := seen.hash(); ok {
				views = append(views, view{path, *seen, hash})
			}
		}
	}
	return views
}
