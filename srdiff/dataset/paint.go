// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package dataset

import (
	"math"
	"math/rand/v2"
)

// palette holds the few colours of one scene. They are similar, as under one light.
type palette struct {
	contrast float64 // standard deviation of the brightness
	colours  [][3]float32
}

// newPalette chooses the colours of a scene; some scenes are in fog and some in the sun.
func newPalette(rng *rand.Rand) palette {
	contrast := 0.02 * math.Exp2(4.6*rng.Float64())
	colourful := 3 * contrast * rng.ExpFloat64()
	middle := colour(0.15+0.6*rng.Float64(), 0.1*colourful*rng.NormFloat64(), 0.05*colourful*rng.NormFloat64())
	p := palette{contrast: contrast, colours: make([][3]float32, 3+rng.IntN(5))}
	for i := range p.colours {
		own := colour(contrast*rng.NormFloat64(), 0.15*colourful*rng.NormFloat64(), 0.06*colourful*rng.NormFloat64())
		for k := range own {
			p.colours[i][k] = middle[k] + own[k]
		}
	}
	return p
}

// colour returns red, green and blue from a brightness and the two axes along which the colours of
// photographs vary most after brightness: from blue to orange and from magenta to green.
func colour(bright, orange, green float64) [3]float32 {
	return [3]float32{
		float32(bright + orange - 0.5*green),
		float32(bright + 0.1*orange + green),
		float32(bright - orange - 0.5*green),
	}
}

// paint is the colour of a shape: one of the palette, lighter on one side. Half of the shapes have
// a texture too.
type paint struct {
	base   [3]float32 // at (x, y)
	x, y   float32
	gx, gy float32 // growth of the brightness per pixel

	texture        *tile // nil for none
	tint           [3]float32
	u, v           float32 // the place in the texture that lies at (x, y)
	ux, uy, vx, vy float32 // texture pixels per pixel
}

// paint chooses the paint for a shape of radius r at (x, y).
func (p palette) paint(rng *rand.Rand, x, y, r float64, tiles []*tile) paint {
	q := paint{base: p.colours[rng.IntN(len(p.colours))], x: float32(x), y: float32(y)}
	vary := 0.3 * p.contrast
	jitter := colour(vary*rng.NormFloat64(), 0.3*vary*rng.NormFloat64(), 0.15*vary*rng.NormFloat64())
	for k := range q.base {
		q.base[k] += jitter[k]
	}
	slope := (0.02 + 0.5*p.contrast) * rng.NormFloat64() / r
	angle := 2 * math.Pi * rng.Float64()
	q.gx, q.gy = float32(slope*math.Cos(angle)), float32(slope*math.Sin(angle))
	if rng.IntN(2) == 0 {
		return q
	}

	q.texture = tiles[rng.IntN(len(tiles))]
	strength := (0.005 + 0.35*p.contrast) * rng.ExpFloat64()
	q.tint = colour(strength, 0.2*strength*rng.NormFloat64(), 0.1*strength*rng.NormFloat64())
	q.u, q.v = float32(tileSide*rng.Float64()), float32(tileSide*rng.Float64())
	// Rotated, and stretched along one direction as hair, grass and wood are.
	along, across := math.Exp2(-2*rng.Float64()*rng.Float64()), math.Exp2(0.5-rng.Float64())
	turn := 2 * math.Pi * rng.Float64()
	sin, cos := math.Sincos(turn)
	q.ux, q.uy = float32(along*cos), float32(along*sin)
	q.vx, q.vy = float32(-across*sin), float32(across*cos)
	return q
}

// at returns the colour at a place on the canvas.
func (p *paint) at(x, y float32) (r, g, b float32) {
	dx, dy := x-p.x, y-p.y
	shade := p.gx*dx + p.gy*dy
	r, g, b = p.base[0]+shade, p.base[1]+shade, p.base[2]+shade
	if p.texture != nil {
		t := p.texture.at(p.u+p.ux*dx+p.uy*dy, p.v+p.vx*dx+p.vy*dy)
		r, g, b = r+t*p.tint[0], g+t*p.tint[1], b+t*p.tint[2]
	}
	return min(max(r, 0), 1), min(max(g, 0), 1), min(max(b, 0), 1)
}

const tileSide = 256

// tile is a texture without seams: noise of mean 0 and variance 1 whose octaves have about the same
// power, so that its amplitude spectrum falls as 1/f, as that of photographs.
type tile [tileSide * tileSide]float32

// newTiles makes textures from smooth to rough.
func newTiles(rng *rand.Rand) []*tile {
	gains := []float64{0.8, 1, 1.25, 1.6}
	tiles := make([]*tile, len(gains))
	for i, gain := range gains {
		tiles[i] = newTile(rng, gain)
	}
	return tiles
}

// newTile adds octaves of noise, from coarse to fine. Each is gain times as strong as the one
// before it.
func newTile(rng *rand.Rand, gain float64) *tile {
	side, strength := 2, 1.0
	noise := make([]float32, side*side)
	for side < tileSide {
		noise = double(noise, side)
		side *= 2
		strength *= gain
		for i := range noise {
			noise[i] += float32(strength * rng.NormFloat64())
		}
	}
	var sum, squares float64
	for _, v := range noise {
		sum += float64(v)
		squares += float64(v) * float64(v)
	}
	n := float64(len(noise))
	mean := sum / n
	scale := 1 / math.Sqrt(squares/n-mean*mean)
	t := new(tile)
	for i, v := range noise {
		t[i] = float32((float64(v) - mean) * scale)
	}
	return t
}

// double enlarges seamless noise to twice its side; each new value is 3/4 and 1/4 of the nearest
// two in each direction.
func double(noise []float32, side int) []float32 {
	out := make([]float32, 4*len(noise))
	for y := range 2 * side {
		near, far := y/2*side, (y/2+y%2*2-1+side)%side*side
		for x := range 2 * side {
			n, f := x/2, (x/2+x%2*2-1+side)%side
			out[y*2*side+x] = (9*noise[near+n] + 3*noise[near+f] + 3*noise[far+n] + noise[far+f]) / 16
		}
	}
	return out
}

// at returns the texture at (u, v), interpolated between the nearest four values and repeated
// without end.
func (t *tile) at(u, v float32) float32 {
	fu, fv := math.Floor(float64(u)), math.Floor(float64(v))
	du, dv := u-float32(fu), v-float32(fv)
	// tileSide is a power of two, so the mask wraps negative numbers as well.
	x0, y0 := int(fu)&(tileSide-1), int(fv)&(tileSide-1)
	x1, y1 := (x0+1)&(tileSide-1), (y0+1)&(tileSide-1)
	top := t[y0*tileSide+x0]*(1-du) + t[y0*tileSide+x1]*du
	bottom := t[y1*tileSide+x0]*(1-du) + t[y1*tileSide+x1]*du
	return top*(1-dv) + bottom*dv
}
