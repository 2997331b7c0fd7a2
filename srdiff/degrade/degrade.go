// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// Package degrade makes the low-resolution pictures that a network is trained to enlarge: on the
// host, and as nodes of a graph.
package degrade

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/srdiff/srlab/srdiff/imaging"
	"github.com/srdiff/srlab/srdiff/internal/tiles"
)

// Kernel is a filter that makes pictures smaller: see imaging.Shrinking.
type Kernel string

// The kernels.
const (
	Bilinear Kernel = "bilinear" // without antialiasing, as in the tutorial
	Bicubic  Kernel = "bicubic"  // with antialiasing
	Area     Kernel = "area"     // the mean over a pixel's area

	// MATLABBicubic is Bicubic with the border repeated, as MATLAB's imresize has it: the degradation of
	// super-resolution papers.
	MATLABBicubic Kernel = "matlab-bicubic"
)

// Config describes how low-resolution pictures are made. The zero value is the tutorial's: a field
// that is zero means the default given beside it.
type Config struct {
	Kernel Kernel  `json:"kernel"` // Bilinear, or of Photo MATLABBicubic
	Blur   float64 `json:"blur"`   // Gaussian blur before it, its standard deviation in pixels, up to 8; 0, none
	Noise  float64 `json:"noise"`  // noise after it, its greatest standard deviation, up to 1; 0, none

	// A registered degradation takes the place of the above, which it may use. Noise is then the
	// greatest level that it returns.
	Name     Name    `json:"name"`     // "", none
	Strength float64 `json:"strength"` // what this is, the registered degradation defines; 0
}

// WithDefaults returns the configuration with the default in place of every zero.
func (c Config) WithDefaults() Config {
	if c.Name == Photo {
		c.Kernel = cmp.Or(c.Kernel, MATLABBicubic)
	}
	c.Kernel = cmp.Or(c.Kernel, Bilinear)
	return c
}

// Named returns the configuration of a degradation by its name: that of a registered one, or else
// that of a kernel.
func Named(name string) Config {
	if registered[Name(name)] != nil {
		return Config{Name: Name(name)}.WithDefaults()
	}
	return Config{Kernel: Kernel(name)}.WithDefaults()
}

// Validate reports the first value that cannot be used, with what was expected. Zeros stand for
// their defaults.
func (c Config) Validate() error {
	_, err := New(c)
	return err
}

// check validates what all degradations share.
func (c Config) check() error {
	switch {
	case c.Kernel != Bilinear && c.Kernel != Bicubic && c.Kernel != Area && c.Kernel != MATLABBicubic:
		return fmt.Errorf("degradation is %q: want %s, %s, %s, %s or %s", c.Kernel, Bilinear, Bicubic, Area, MATLABBicubic, Photo)
	case !(c.Blur >= 0 && c.Blur <= 8): // written so that NaN fails too
		return fmt.Errorf("blur is %g: want a standard deviation from 0 to 8 pixels", c.Blur)
	case !(c.Noise >= 0 && c.Noise <= 1):
		return fmt.Errorf("noise is %g: want a standard deviation from 0 to 1", c.Noise)
	case !(c.Strength >= 0 && c.Strength <= 1e6):
		return fmt.Errorf("strength is %g: want 0 or a positive number", c.Strength)
	case c.Strength > 0 && c.Name == "":
		return fmt.Errorf("strength is %g without the name of a degradation: omit it", c.Strength)
	}
	return nil
}

// Picture returns a picture factor times smaller, blurred first where the configuration has a blur,
// and without noise. Its sides are rounded down to multiples of factor. A registered degradation is
// applied with the same random numbers each time.
func (c Config) Picture(p imaging.Picture, factor int) imaging.Picture {
	c = c.WithDefaults()
	if c.Name != "" {
		d, err := New(c)
		if err != nil {
			panic(err)
		}
		whole := tiles.Part(p, 0, 0, p.Width/factor*factor, p.Height/factor*factor)
		low, _ := d.Apply(rand.New(rand.NewPCG(0, 0)), whole, factor)
		return low
	}
	return imaging.Shrink(p, string(c.Kernel), p.Width/factor, p.Height/factor, c.Blur)
}

// Noisy returns a low-resolution picture with noise of the given standard deviation added, which
// the seed and the number of the picture determine. The picture itself stays as it is.
func Noisy(p imaging.Picture, level float64, seed int64, n int) imaging.Picture {
	p.Pix = slices.Clone(p.Pix)
	addNoise(rand.New(rand.NewPCG(uint64(seed), uint64(n))), p, level)
	return p
}

func addNoise(rng *rand.Rand, p imaging.Picture, level float64) {
	if level == 0 {
		return
	}
	for i := range p.Pix {
		p.Pix[i] += float32(level * rng.NormFloat64())
	}
}

// Shrink is Picture for nodes of a graph. x0 is [batch, height, width, 3], height and width
// multiples of factor; the result is [batch, height/factor, width/factor, 3]. A registered
// degradation works on the host alone, so Shrink panics for one.
func (c Config) Shrink(x0 *Node, factor int) *Node {
	c = c.WithDefaults()
	if c.Name != "" {
		panic(fmt.Errorf("the degradation %s has no form in a graph: make its pictures with Config.Picture or Batch", c.Name))
	}
	size := x0.Shape().Dimensions
	if c.Kernel == Bilinear && c.Blur == 0 {
		return Downscale(x0, factor)
	}
	rows := imaging.Shrinking(string(c.Kernel), size[1], size[1]/factor, c.Blur)
	columns := imaging.Shrinking(string(c.Kernel), size[2], size[2]/factor, c.Blur)
	x := Einsum("bhwc,gh->bgwc", x0, Const(x0.Graph(), rows))
	return Einsum("bgwc,vw->bgvc", x, Const(x0.Graph(), columns))
}
