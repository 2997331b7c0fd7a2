// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package dataset

import (
	"math"
	"math/rand/v2"
)

const (
	minRadius = 3.0  // pixels, of the smallest shapes before the scene is seen from further away
	maxRadius = 70.0 // pixels, of the largest
	maxBlur   = 1.0  // pixels, the standard deviation of the strongest blur

	minLetter  = 4 // pixels, half the height of the smallest letters
	maxStretch = 4 // of a shape's half axes over its radius
)

// drawScene draws one scene and returns its pixels, [side, side, 3]. It drops shapes on a canvas
// from the nearest to the farthest until nearly all of it is covered, lights and blurs the result,
// and rounds it to 8 bits.
//
// The sizes follow the power law p(r) ~ r^-3, under which each scale covers the same area, as in
// photographs. A scene is seen from a distance of 1 to 4, which makes everything in it smaller.
func drawScene(rng *rand.Rand, side int, tiles []*tile) []uint8 {
	distance := math.Exp2(2 * rng.Float64())
	rMin := minRadius / distance * math.Exp2(4*rng.Float64())
	rMax := max(maxRadius/distance, 2*rMin)
	p := newPalette(rng)
	c := newCanvas(side)

	letters := 0.0 // the share of shapes that are words
	if rng.IntN(4) == 0 {
		letters = 0.1
	}
	// The mean area of a disc under this power law, from which follows how many shapes cover
	// everything several times.
	area := 2 * math.Pi * math.Log(rMax/rMin) / (1/(rMin*rMin) - 1/(rMax*rMax))
	reach := float64(side) + 2*rMax
	for range int(4 * reach * reach / area) {
		if c.left < 0.002*float64(side*side) {
			break
		}
		u := rng.Float64()
		r := 1 / math.Sqrt(1/(rMin*rMin)*(1-u)+1/(rMax*rMax)*u)
		x, y := rng.Float64()*reach-rMax, rng.Float64()*reach-rMax
		if max(-x, -y, x-float64(side), y-float64(side)) > maxStretch*r {
			continue // outside
		}
		if r > minLetter && rng.Float64() < letters {
			c.word(rng, x, y, r, p.paint(rng, x, y, r, tiles))
		} else {
			c.shape(newShape(rng, x, y, r), p.paint(rng, x, y, r, tiles))
		}
	}
	middle := float64(side) / 2
	c.rest(p.paint(rng, middle, middle, middle, tiles))

	c.light(rng)
	c.blur(maxBlur * rng.Float64())
	return c.bytes()
}

// shape is a rotated ellipse or rectangle with a soft edge.
type shape struct {
	rectangle bool
	x, y      float32 // centre
	cos, sin  float32 // rotation
	a, b      float32 // half axes
	edge      float32 // width of the edge in pixels
}

func newShape(rng *rand.Rand, x, y, r float64) shape {
	angle := 2 * math.Pi * rng.Float64()
	if rng.IntN(3) == 0 { // much in photographs stands or lies
		angle = math.Pi/2*float64(rng.IntN(2)) + 0.05*rng.NormFloat64()
	}
	// The half axes are r times and r divided by 1 to 2, or up to maxStretch for bars: the area
	// stays.
	stretch := math.Exp2(rng.Float64())
	if rng.IntN(5) == 0 {
		stretch = 2 + (maxStretch-2)*rng.Float64()
	}
	edge := 1.0
	if rng.IntN(4) == 0 { // out of focus
		edge += min(0.5*r, 4) * rng.Float64()
	}
	return shape{
		rectangle: rng.IntN(2) == 0,
		x:         float32(x), y: float32(y),
		cos: float32(math.Cos(angle)), sin: float32(math.Sin(angle)),
		a: float32(r * stretch), b: float32(r / stretch),
		edge: float32(edge),
	}
}

// cover returns how much of the pixel at (x, y) the shape covers, 0 to 1.
func (s *shape) cover(x, y float32) float32 {
	dx, dy := x-s.x, y-s.y
	u, v := s.cos*dx+s.sin*dy, s.cos*dy-s.sin*dx
	var outside float32 // distance from the edge in pixels, negative inside
	if s.rectangle {
		outside = max(abs(u)-s.a, abs(v)-s.b)
	} else {
		// First-order distance to q = 1 with q the ellipse's own radius: (q-1)/|grad q|.
		ua, vb := u/s.a, v/s.b
		q2 := ua*ua + vb*vb
		if q2 < 1e-3 {
			return 1
		}
		gu, gv := ua/s.a, vb/s.b
		outside = (q2 - sqrt(q2)) / sqrt(gu*gu+gv*gv)
	}
	return min(max(0.5-outside/s.edge, 0), 1)
}

// box returns the pixels that the shape can touch, clipped to the canvas: x0 <= x < x1, y0 <= y <
// y1.
func (s *shape) box(side int) (x0, y0, x1, y1 int) {
	w := abs(s.cos)*s.a + abs(s.sin)*s.b + s.edge
	h := abs(s.sin)*s.a + abs(s.cos)*s.b + s.edge
	cut := func(v float32) int { return min(max(int(math.Floor(float64(v))), 0), side) }
	return cut(s.x - w), cut(s.y - h), cut(s.x + w + 1), cut(s.y + h + 1)
}

// canvas is a picture that is painted from front to back.
type canvas struct {
	side int
	rgb  []float32 // [side, side, 3], 0 to 1; only what is covered
	open []float32 // [side, side]: how much of the pixel is not covered yet
	left float64   // the sum of open
}

func newCanvas(side int) *canvas {
	c := &canvas{side: side, rgb: make([]float32, side*side*3), open: make([]float32, side*side)}
	for i := range c.open {
		c.open[i] = 1
	}
	c.left = float64(side * side)
	return c
}

// shape paints a shape behind the shapes so far.
func (c *canvas) shape(s shape, p paint) {
	x0, y0, x1, y1 := s.box(c.side)
	for y := y0; y < y1; y++ {
		for x := x0; x < x1; x++ {
			if c.open[y*c.side+x] == 0 {
				continue
			}
			if cover := s.cover(float32(x)+0.5, float32(y)+0.5); cover > 0 {
				c.put(x, y, cover, &p)
			}
		}
	}
}

// rest paints what still shows between the shapes.
func (c *canvas) rest(p paint) {
	for i, open := range c.open {
		if open > 0 {
			c.put(i%c.side, i/c.side, 1, &p)
		}
	}
}

// put paints one pixel behind the shapes so far; cover is the share of it that the new shape
// covers.
func (c *canvas) put(x, y int, cover float32, p *paint) {
	i := y*c.side + x
	amount := c.open[i] * cover
	r, g, b := p.at(float32(x)+0.5, float32(y)+0.5)
	pixel := c.rgb[i*3:][:3]
	pixel[0] += amount * r
	pixel[1] += amount * g
	pixel[2] += amount * b
	open := c.open[i] - amount
	if open < 1.0/512 {
		open = 0 // less than a level of the 8-bit result
	}
	c.left -= float64(c.open[i] - open)
	c.open[i] = open
}

// light falls on the scene from one side.
func (c *canvas) light(rng *rand.Rand) {
	strength := 0.4 * rng.Float64()
	angle := 2 * math.Pi * rng.Float64()
	gx, gy := float32(strength*math.Cos(angle)/float64(c.side)), float32(strength*math.Sin(angle)/float64(c.side))
	start := 1 - (gx+gy)*float32(c.side)/2
	for y := range c.side {
		for x := range c.side {
			bright := start + gx*float32(x) + gy*float32(y)
			pixel := c.rgb[(y*c.side+x)*3:][:3]
			pixel[0] *= bright
			pixel[1] *= bright
			pixel[2] *= bright
		}
	}
}

// blur applies a Gaussian of standard deviation sigma pixels, first along rows, then along columns.
func (c *canvas) blur(sigma float64) {
	if sigma < 0.25 {
		return // too weak to be visible
	}
	half := int(math.Ceil(2.5 * sigma))
	kernel := make([]float32, 2*half+1)
	var sum float32
	for k := range kernel {
		d := float64(k-half) / sigma
		kernel[k] = float32(math.Exp(-d * d / 2))
		sum += kernel[k]
	}
	for k := range kernel {
		kernel[k] /= sum
	}
	line := make([]float32, c.side+2*half) // one colour of one row or column, its ends repeated
	smooth := func(start, step int) {
		for i := range line {
			line[i] = c.rgb[start+min(max(i-half, 0), c.side-1)*step]
		}
		for i := range c.side {
			var sum float32
			for k, weight := range kernel {
				sum += weight * line[i+k]
			}
			c.rgb[start+i*step] = sum
		}
	}
	for i := range c.side {
		for k := range 3 {
			smooth((i*c.side)*3+k, 3)
		}
	}
	for i := range c.side {
		for k := range 3 {
			smooth(i*3+k, c.side*3)
		}
	}
}

// bytes returns the picture in 8 bits.
func (c *canvas) bytes() []uint8 {
	out := make([]uint8, len(c.rgb))
	for i, v := range c.rgb {
		out[i] = uint8(min(max(v, 0), 1)*255 + 0.5)
	}
	return out
}

func abs(v float32) float32  { return float32(math.Abs(float64(v))) }
func sqrt(v float32) float32 { return float32(math.Sqrt(float64(v))) }
