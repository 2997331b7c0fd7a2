// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package dataset

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestGeneratedSizes(t *testing.T) {
	for _, size := range []int{8, 32, 96, 256} {
		p := picture(t, open(t, "generated", Options{Size: size}), 3)
		if low, high := slices.Min(p), slices.Max(p); low < -1 || high > 1 || low == high {
			t.Errorf("size %d: values in [%v, %v], want a picture in [-1, 1]", size, low, high)
		}
	}
}

// TestGeneratedStatistics checks the properties that make generated pictures worth training on. For
// comparison, 388 patches of four photographs have a mean standard deviation of 0.19, a tenth of
// the patches are below 0.02 and a tenth above 0.44, and their power falls by a factor of 39 from 1
// to 8 cycles along rows and columns.
func TestGeneratedStatistics(t *testing.T) {
	const n, size = 192, 32
	src := open(t, "generated", Options{Seed: 5})
	var mean, deviation, low, high float64
	flat, busy := 0, 0
	for i := range uint64(n) {
		p := picture(t, src, i)
		green := make([]float64, size*size)
		var sum, squares float64
		for k := range green {
			green[k] = float64(p[3*k+1])
			sum += green[k]
			squares += green[k] * green[k]
		}
		m := sum / (size * size)
		s := math.Sqrt(max(squares/(size*size)-m*m, 0))
		mean, deviation = mean+m/n, deviation+s/n
		if s < 0.1 {
			flat++
		}
		if s > 0.35 {
			busy++
		}
		low += power(green, size, 1) / n
		high += power(green, size, 8) / n
	}
	if !(math.Abs(mean) <= 0.15) {
		t.Errorf("mean value %.2f, want about 0", mean)
	}
	if !(deviation >= 0.15 && deviation <= 0.28) {
		t.Errorf("mean standard deviation %.3f, want 0.15 to 0.28", deviation)
	}
	if flat < n/20 || busy < n/20 {
		t.Errorf("%d flat and %d busy pictures of %d, want at least a twentieth of each", flat, busy, n)
	}
	if ratio := low / high; !(ratio >= 20 && ratio <= 80) {
		t.Errorf("power falls by a factor of %.0f from 1 to 8 cycles, want 20 to 80", ratio)
	}
}

// power returns the power of rows and columns at so many cycles a picture.
func power(v []float64, size, cycles int) float64 {
	var total float64
	for line := range size {
		var rc, rs, cc, cs float64
		for k := range size {
			sin, cos := math.Sincos(2 * math.Pi * float64(cycles*k) / float64(size))
			row, column := v[line*size+k], v[k*size+line]
			rc, rs, cc, cs = rc+row*cos, rs+row*sin, cc+column*cos, cs+column*sin
		}
		total += rc*rc + rs*rs + cc*cc + cs*cs
	}
	return total
}

func TestTilesAreSeamlessNoise(t *testing.T) {
	for k, tile := range newTiles(rand.New(rand.NewPCG(1, 2))) {
		var sum, squares, step, seam float64
		for i, v := range tile {
			sum += float64(v)
			squares += float64(v * v)
			step += math.Abs(float64(v - tile[i^1]))
		}
		for y := range tileSide {
			seam += math.Abs(float64(tile[y*tileSide] - tile[y*tileSide+tileSide-1]))
		}
		n := float64(len(tile))
		if !(math.Abs(sum/n) <= 1e-3) || !(math.Abs(squares/n-1) <= 1e-3) {
			t.Errorf("tile %d: mean %.4f and variance %.4f, want 0 and 1", k, sum/n, squares/n)
		}
		if !(seam/tileSide <= 1.5*step/n) {
			t.Errorf("tile %d: neighbours differ by %.3f, and by %.3f across the seam", k, step/n, seam/tileSide)
		}
		for _, at := range [][2]float32{{3, 5}, {3 - tileSide, 5 + 2*tileSide}} {
			if got, want := tile.at(at[0], at[1]), tile[5*tileSide+3]; got != want {
				t.Errorf("tile %d at %v is %v, want %v", k, at, got, want)
			}
		}
	}
}

func TestShapeCoversItsArea(t *testing.T) {
	cases := map[string]struct {
		shape shape
		area  float64
	}{
		"ellipse":   {shape{x: 30, y: 32, cos: 0.8, sin: 0.6, a: 20, b: 10, edge: 1}, math.Pi * 200},
		"rectangle": {shape{rectangle: true, x: 30, y: 32, cos: 0.8, sin: 0.6, a: 20, b: 10, edge: 1}, 800},
		"soft":      {shape{x: 30, y: 32, cos: 1, a: 15, b: 15, edge: 4}, math.Pi * 225},
	}
	for name, c := range cases {
		canvas := newCanvas(64)
		canvas.shape(c.shape, paint{base: [3]float32{1, 0.5, 0}})
		var red, green, open float64
		for i, v := range canvas.open {
			red += float64(canvas.rgb[3*i])
			green += float64(canvas.rgb[3*i+1])
			open += float64(v)
		}
		if !(math.Abs(red/c.area-1) <= 0.02) || !(math.Abs(green/red-0.5) <= 1e-3) {
			t.Errorf("%s: covers %.1f pixels, want %.1f", name, red, c.area)
		}
		if !(math.Abs(open-canvas.left) <= 0.1) {
			t.Errorf("%s: %.1f pixels are open, counted as %.1f", name, open, canvas.left)
		}
	}
}

func TestWordsAreDrawn(t *testing.T) {
	if len(fonts()) != 3 {
		t.Fatalf("%d fonts, want 3", len(fonts()))
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		canvas := newCanvas(64)
		canvas.word(rng, 20, 40, 8, paint{})
		if covered := 64*64 - canvas.left; covered < 5 || covered > 64*64/4 {
			t.Errorf("a word of 16 pixels' height covers %.1f pixels", covered)
		}
	}
}

func TestBlurKeepsTheMean(t *testing.T) {
	canvas := newCanvas(32)
	canvas.rgb[(10*32+12)*3] = 1
	canvas.blur(1.5)
	var sum, spread float64
	for i := range canvas.open {
		v := float64(canvas.rgb[3*i])
		dx, dy := float64(i%32-12), float64(i/32-10)
		sum += v
		spread += v * (dx*dx + dy*dy) / 2
	}
	if !(math.Abs(sum-1) <= 1e-5) || !(math.Abs(math.Sqrt(spread)-1.5) <= 0.1) {
		t.Errorf("a point becomes %.4f with a deviation of %.2f, want 1 with 1.5", sum, math.Sqrt(spread))
	}
}

func BenchmarkGenerated(b *testing.B) {
	g := newGenerated(Options{Size: 32})
	dst := make([]float32, 32*32*3)
	var i uint64
	for b.Loop() {
		if err := g.Picture(i, dst); err != nil {
			b.Fatal(err)
		}
		i++
	}
}
