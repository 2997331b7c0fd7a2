// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package degrade

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/srdiff/srlab/srdiff/imaging"
	"github.com/srdiff/srlab/srdiff/internal/graphtest"
)

func source(n int) *rand.Rand { return rand.New(rand.NewPCG(11, uint64(n))) }

// scene is a picture with edges, ramps and texture.
func scene(width, height int) imaging.Picture {
	p := imaging.New(width, height)
	for i := range p.Pix {
		x, y, c := float64(i/3%width), float64(i/3/width), float64(i%3)
		p.Pix[i] = float32(0.5*math.Sin(x/5+c)*math.Cos(y/7) + 0.4*math.Copysign(1, math.Sin((x+y)/19)))
	}
	return p
}

func even(width, height int, v float32) imaging.Picture {
	p := imaging.New(width, height)
	for i := range p.Pix {
		p.Pix[i] = v
	}
	return p
}

// The drawn steps have the shares and the ranges that the constants say.
func TestPhotoDraws(t *testing.T) {
	const n = 20000
	rng := source(0)
	var degraded, noisy, blurs float64
	counts := map[string]float64{}
	least, greatest := map[string]float64{}, map[string]float64{}
	value := func(name string, v float64) {
		if counts[name] == 0 {
			least[name], greatest[name] = v, v
		}
		counts[name]++
		least[name], greatest[name] = min(least[name], v), max(greatest[name], v)
	}
	for range n {
		r := drawPhoto(rng)
		if r.clean {
			counts["clean"]++
			continue
		}
		degraded++
		for name, g := range map[string]gaussian{"blur": r.blur, "blur2": r.blur2} {
			if g.long == 0 {
				continue
			}
			blurs++
			value(name, g.long)
			value(name+" short", g.short)
			if g.long != g.short {
				value("anisotropic", g.angle)
			}
		}
		if r.between > 0 {
			value("between", r.between)
			counts[string("first "+r.first)]++
		}
		counts[string("second "+r.second)]++
		if r.noise.level > 0 {
			noisy++
			value("noise", r.noise.level)
			if r.noise.poisson {
				counts["poisson"]++
			}
			if r.noise.grey {
				counts["grey"]++
			}
		}
		if r.quality > 0 {
			value("quality", float64(r.quality))
		}
	}
	twice := counts["between"]
	for name, c := range map[string]struct{ share, of float64 }{
		"clean": {1. / 3, n}, "blur": {0.5, degraded}, "blur2": {0.5, twice}, "anisotropic": {0.31, blurs}, "between": {0.7, degraded},
		"first bilinear": {1. / 3, twice}, "first area": {1. / 3, twice}, "second matlab-bicubic": {1. / 3, degraded},
		"noise": {0.6, degraded}, "poisson": {0.5, noisy}, "grey": {0.4, noisy}, "quality": {0.85, degraded},
	} {
		tolerance := 4.5 * math.Sqrt(c.share*(1-c.share)/c.of) // of standard errors
		if got := counts[name] / c.of; !(math.Abs(got-c.share) <= tolerance) {
			t.Errorf("the share of %s is %.3f, want %.3f", name, got, c.share)
		}
	}
	for name, want := range map[string][2]float64{
		"blur": {0.2, 2}, "blur short": {0.2, 2}, "blur2": {0.2, 1.5}, "anisotropic": {0, math.Pi}, "between": {1, 2}, "noise": {1, 15},
	} {
		slack := (want[1] - want[0]) / 100
		if low, high := least[name], greatest[name]; low < want[0] || low > want[0]+slack || high > want[1] || high < want[1]-slack {
			t.Errorf("%s is from %.3f to %.3f, want from %g to %g", name, low, high, want[0], want[1])
		}
	}
	if least["quality"] != 50 || greatest["quality"] != 95 {
		t.Errorf("quality is from %g to %g, want from 50 to 95", least["quality"], greatest["quality"])
	}
}

// The same random source gives the same picture, another one another; a clean picture is
// MATLABBicubic's; and every value of a degraded picture is one of the 256 levels.
func TestPhotoPictures(t *testing.T) {
	d, err := New(Config{Name: Photo})
	if err != nil {
		t.Fatal(err)
	}
	for _, factor := range []int{2, 3, 4, 8} {
		p := scene(24*factor, 16*factor)
		want := Config{Kernel: MATLABBicubic}.Picture(p, factor)
		original := slices.Clone(p.Pix)
		clean, kinds := 0, map[float32]bool{}
		const n = 60
		for i := range n {
			a, level := d.Apply(source(i), p, factor)
			b, _ := d.Apply(source(i), p, factor)
			if a.Width != 24 || a.Height != 16 || level != 0 || !slices.Equal(a.Pix, b.Pix) {
				t.Fatalf("factor %d, source %d: %dx%d of level %g, the same again: %t", factor, i, a.Width, a.Height, level, slices.Equal(a.Pix, b.Pix))
			}
			isClean := slices.Equal(a.Pix, want.Pix)
			if drawn := drawPhoto(source(i)).clean; drawn != isClean {
				t.Errorf("factor %d, source %d: clean is %t, want %t", factor, i, isClean, drawn)
			}
			if isClean {
				clean++
				continue
			}
			kinds[a.Pix[100]+10*a.Pix[200]] = true
			if !slices.Equal(a.Pix, imaging.FromImage(a.Image()).Pix) {
				t.Errorf("factor %d, source %d: values between the levels of 8 bits", factor, i)
			}
		}
		if clean < n/6 || clean > n/2 || len(kinds) < n/3 {
			t.Errorf("factor %d: %d of %d are clean, and %d different ones are not", factor, clean, n, len(kinds))
		}
		if !slices.Equal(p.Pix, original) {
			t.Errorf("factor %d: the picture itself changed", factor)
		}
	}
}

// The noise has the level drawn, in every channel; of Poisson noise it falls with the square root of
// the brightness; and grey noise is the same in all channels.
func TestPhotoNoise(t *testing.T) {
	const size = 64 // 4096 pixels: the standard deviation is measured to 1.1 %
	for _, level := range []float64{2, 15} {
		for _, poisson := range []bool{false, true} {
			for _, grey := range []bool{false, true} {
				for _, brightness := range []float64{0.1, 0.5, 0.9} {
					p := even(size, size, float32(2*brightness-1))
					noise{level, poisson, grey}.add(source(1), p)
					want := level
					if poisson {
						want *= math.Sqrt(brightness)
					}
					equal := true
					for c := range 3 {
						var values []float64
						for i := c; i < len(p.Pix); i += 3 {
							values = append(values, float64(p.Pix[i])*127.5)
							equal = equal && p.Pix[i] == p.Pix[i-c]
						}
						mean, std := graphtest.Spread(values)
						if offset := mean - (2*brightness-1)*127.5; !(math.Abs(std-want) <= 0.05*want && math.Abs(offset) <= 0.07*want) {
							t.Errorf("level %g, Poisson %t, grey %t, brightness %g, channel %d: measured %.2f around an offset of %.2f, want %.2f around 0",
								level, poisson, grey, brightness, c, std, offset, want)
						}
					}
					if equal != grey {
						t.Errorf("level %g, Poisson %t, grey %t: equal in all channels: %t", level, poisson, grey, equal)
					}
				}
			}
		}
	}
	black := even(8, 8, -1)
	noise{15, true, false}.add(source(2), black)
	if !slices.Equal(black.Pix, even(8, 8, -1).Pix) {
		t.Error("Poisson noise changed black, which has no photons")
	}
}

// A blur of the original makes an edge of the result that much wider.
func TestPhotoBlur(t *testing.T) {
	const factor, size = 4, 32
	// variance is that of the derivative of an edge, in pixels of the result. It is the mean of edges at
	// all places within a pixel of the result.
	variance := func(r recipe) (sum float64) {
		for offset := range factor {
			edge := imaging.New(size*factor, size*factor)
			for i := range edge.Pix {
				edge.Pix[i] = float32(math.Copysign(0.5, float64(i/3%edge.Width-edge.Width/2-offset)+0.5))
			}
			row := r.apply(source(1), edge, size, size).Pix[size/2*size*3:][:size*3]
			var mean, square float64
			for x := 1; x < size; x++ {
				d, at := float64(row[3*x]-row[3*x-3]), float64(x)
				mean, square = mean+d*at, square+d*at*at
			}
			sum += (square - mean*mean) / factor // the edge has a height of 1
		}
		return sum
	}
	sharp := variance(recipe{second: Area})
	for _, sigma := range []float64{1, 2} {
		got := variance(recipe{second: Area, blur: gaussian{sigma, sigma, 0}}) - sharp
		if want := sigma * sigma / factor / factor; !(math.Abs(got-want) <= 0.15*want+0.02) {
			t.Errorf("a blur of %g pixels adds a variance of %.3f, want %.3f", sigma, got, want)
		}
	}
	two := recipe{second: Area, between: 2, first: Area}
	sharp = variance(two)
	two.blur2 = gaussian{1.5, 1.5, 0}
	if got, want := variance(two)-sharp, 1.5*1.5/4; !(math.Abs(got-want) <= 0.15*want) {
		t.Errorf("a blur of 1.5 pixels between the resizings adds a variance of %.3f, want %.3f", got, want)
	}
}

// A lower quality of JPEG is further from the picture, and the file is decoded with its colours.
func TestJPEG(t *testing.T) {
	p := imaging.FromImage(scene(40, 24).Image())
	last := math.Inf(1)
	for _, quality := range []int{10, 50, 75, 95} {
		q := JPEG(p, quality)
		if q.Width != p.Width || q.Height != p.Height {
			t.Fatalf("%dx%d pixels became %dx%d", p.Width, p.Height, q.Width, q.Height)
		}
		sum := 0.
		for i, v := range q.Pix {
			d := float64(v - p.Pix[i])
			sum += d * d
		}
		if sum == 0 || sum >= last {
			t.Errorf("quality %d: a squared error of %g after %g", quality, sum, last)
		}
		last = sum
	}
}

func TestNamed(t *testing.T) {
	for name, want := range map[string]Config{"photo": {Name: Photo, Kernel: MATLABBicubic}, "area": {Kernel: Area}, "": {Kernel: Bilinear}} {
		if got := Named(name); got != want {
			t.Errorf("%q is %+v, want %+v", name, got, want)
		}
	}
	for _, c := range []Config{{Blur: 1}, {Noise: 0.1}, {Strength: 1}, {Kernel: Area}} {
		c.Name = Photo
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "photo draws kernel, blur and noise itself") {
			t.Errorf("%+v: got %v", c, err)
		}
	}
}

func BenchmarkPhoto(b *testing.B) {
	d, p := photo{}, scene(128, 128)
	for i := 0; b.Loop(); i++ {
		d.Apply(source(i), p, 4)
	}
}
