// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package imaging

import (
	"math"
	"testing"
)

// spread returns the sum of a picture's red values, above black, and their covariance around their
// mean place.
func spread(p Picture) (sum, xx, yy, xy float64) {
	var mx, my float64
	each := func(add func(x, y, v float64)) {
		for i := range p.Width * p.Height {
			add(float64(i%p.Width), float64(i/p.Width), float64(p.Pix[3*i])+1)
		}
	}
	each(func(x, y, v float64) { sum, mx, my = sum+v, mx+v*x, my+v*y })
	mx, my = mx/sum, my/sum
	each(func(x, y, v float64) {
		xx, yy, xy = xx+v*(x-mx)*(x-mx), yy+v*(y-my)*(y-my), xy+v*(x-mx)*(y-my)
	})
	return sum, xx / sum, yy / sum, xy / sum
}

// A point becomes a Gaussian of the asked widths and direction, and its sum stays.
func TestBlurOfAPoint(t *testing.T) {
	const size = 41
	point := New(size, size)
	for i := range point.Pix {
		point.Pix[i] = -1
	}
	point.Pix[(size/2*size+size/2)*3] = 1
	for _, c := range []struct{ long, short, angle float64 }{
		{0.7, 0.7, 0}, {2, 2, 1}, {2, 1, 0}, {2, 1, math.Pi / 2}, {3, 1, math.Pi / 6}, {1, 2.5, 2}, {2, 0.6, math.Pi / 4},
	} {
		sum, xx, yy, xy := spread(Blur(point, c.long, c.short, c.angle))
		sin, cos := math.Sincos(c.angle)
		a, b := c.long*c.long, c.short*c.short
		if math.Abs(sum-2) > 1e-3 {
			t.Errorf("%+v: the sum is %.4f, want 2", c, sum)
		}
		for name, pair := range map[string][2]float64{
			"xx": {xx, a*cos*cos + b*sin*sin}, "yy": {yy, a*sin*sin + b*cos*cos}, "xy": {xy, (a - b) * sin * cos},
		} {
			// What lies beyond three standard deviations is missing: 6 % of the variance.
			if got, want := pair[0], pair[1]; !(math.Abs(got-want) <= 0.08*max(a, b)) {
				t.Errorf("%+v: %s is %.3f, want %.3f", c, name, got, want)
			}
		}
	}
}

// An even picture stays as it is up to its border, and pictures without pixels are no error.
func TestBlurOfAnEvenPicture(t *testing.T) {
	p := New(9, 5)
	for i := range p.Pix {
		p.Pix[i] = 0.25
	}
	for _, short := range []float64{2, 0.5} {
		for i, v := range Blur(p, 2, short, 1).Pix {
			if math.Abs(float64(v)-0.25) > 1e-5 {
				t.Fatalf("a blur of 2 and %g: value %d is %v, want 0.25", short, i, v)
			}
		}
		if got := Blur(New(0, 3), 2, short, 1); got.Width != 0 || got.Height != 3 {
			t.Errorf("no pixels became %dx%d", got.Width, got.Height)
		}
	}
}
