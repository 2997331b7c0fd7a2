// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package degrade

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/srdiff/srlab/srdiff/imaging"
)

// Degradation makes a low-resolution picture of another one on the host, where files are loaded.
// One that a program registers may be anything: JPEG, a lens, a scanner.
type Degradation interface {
	// Apply returns the picture, degraded and factor times smaller, and the standard deviation of
	// the noise in it, 0 where there is none or where networks are not given it. The sides of p are multiples of factor. All that is
	// random comes from rng. Apply is called by several goroutines at a time.
	Apply(rng *rand.Rand, p imaging.Picture, factor int) (low imaging.Picture, level float64)
}

// Name is the name of a registered degradation.
type Name string

var registered = map[Name]func(Config) (Degradation, error){}

// Register makes a degradation known by a name: new makes it from its configuration, complete with
// defaults, or returns what is wrong with that. Registering a name twice panics.
func Register(name Name, new func(Config) (Degradation, error)) {
	if registered[name] != nil || name == "" {
		panic(fmt.Errorf("the degradation %q is registered already", name))
	}
	registered[name] = new
}

// New returns the degradation that the configuration describes, or what is wrong with the
// configuration.
func New(c Config) (Degradation, error) {
	c = c.WithDefaults()
	if err := c.check(); err != nil {
		return nil, err
	}
	if c.Name == "" {
		return resampling{c}, nil
	}
	if registered[c.Name] == nil {
		var names []string
		for _, name := range slices.Sorted(maps.Keys(registered)) {
			names = append(names, string(name))
		}
		return nil, fmt.Errorf("degradation is %q, which this program has not registered: it has %q", c.Name, strings.Join(names, ", "))
	}
	return registered[c.Name](c)
}

// resampling is the degradation without a name: Picture, and noise of a random level.
type resampling struct{ config Config }

func (r resampling) Apply(rng *rand.Rand, p imaging.Picture, factor int) (low imaging.Picture, level float64) {
	low = r.config.Picture(p, factor)
	if r.config.Noise == 0 {
		return low, 0
	}
	level = r.config.Noise * rng.Float64()
	addNoise(rng, low, level)
	return low, level
}

// Batch applies a degradation to pictures x0, float32 [batch, height, width, 3]. It returns the
// low-resolution pictures, [batch, height/factor, width/factor, 3], and their noise levels,
// [batch]. The random source of each picture is what rng returns for its number in the batch.
func Batch(d Degradation, x0 *tensors.Tensor, factor int, rng func(i int) *rand.Rand) (low, level *tensors.Tensor, err error) {
	values, err := tensors.CopyFlatData[float32](x0)
	if err != nil {
		return nil, nil, err
	}
	dims := x0.Shape().Dimensions
	batch, height, width := dims[0], dims[1], dims[2]
	from, to := height*width*3, height*width*3/(factor*factor)
	lows, levels := make([]float32, batch*to), make([]float32, batch)
	errs := make([]error, batch)
	var all sync.WaitGroup
	for i := range batch {
		all.Go(func() {
			p, noise := d.Apply(rng(i), imaging.Picture{Width: width, Height: height, Pix: values[i*from:][:from]}, factor)
			if p.Width != width/factor || p.Height != height/factor {
				errs[i] = fmt.Errorf("the degradation made %dx%d pixels of %dx%d: want %dx%d", p.Width, p.Height, width, height,
					width/factor, height/factor)
				return
			}
			copy(lows[i*to:][:to], p.Pix)
			levels[i] = float32(noise)
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, nil, err
		}
	}
	return tensors.FromFlatDataAndDimensions(lows, batch, height/factor, width/factor, 3), tensors.FromValue(levels), nil
}
