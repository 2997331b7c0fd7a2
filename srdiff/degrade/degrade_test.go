// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package degrade

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/srdiff/srlab/srdiff/imaging"
	"github.com/srdiff/srlab/srdiff/internal/graphtest"
	"github.com/srdiff/srlab/srdiff/nn"
)

func TestConditionIsTorchs(t *testing.T) {
	g := graphtest.Golden(t, "../testdata/goldens.safetensors")
	graphtest.Same(t, "Downscale", graphtest.Run(t, func(in []*Node) *Node { return Downscale(in[0], 4) }, g["x0"]), g["down"], 1e-5)
	graphtest.Same(t, "Condition", graphtest.Run(t, func(in []*Node) *Node { return Config{}.Condition(in[0], 4) }, g["x0"]), g["y"], 1e-5)
	for _, size := range []string{"1x1", "2x3", "5x4"} {
		up := graphtest.Run(t, func(in []*Node) *Node { return nn.Upsample(in[0], 4) }, g["low_"+size])
		graphtest.Same(t, "Upscale "+size, up, g["up_"+size], 1e-5)
	}
}

// Every back-projection leaves at most 0.44 of the difference between a picture's shrunken version
// and the input, and a picture without a difference stays as it is.
func TestBackProject(t *testing.T) {
	exec, err := NewExec(graphtest.Engine(t), func(in []*Node) (misses []*Node) {
		x0, low := in[0], in[1]
		for range 4 {
			miss := Sub(low, Downscale(x0, 4))
			misses = append(misses, Sqrt(ReduceAllSum(Square(miss))))
			x0 = Config{}.BackProject(x0, low)
		}
		again := Config{}.BackProject(x0, Downscale(x0, 4))
		return append(misses, ReduceAllMax(Abs(Sub(again, x0))))
	})
	if err != nil {
		t.Fatal(err)
	}
	for n := range 5 {
		seed := float64(n)
		out, err := exec.Call(graphtest.Pattern(seed, 1, 2, 16, 24, 3), graphtest.Pattern(seed+50, 1, 2, 4, 6, 3))
		if err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			before, after := graphtest.Float64s(out[i])[0], graphtest.Float64s(out[i+1])[0]
			if ratio := after / before; !(ratio <= 0.44) {
				t.Errorf("back-projection %d leaves %.3f of %.3f, want at most 0.44 of it", i+1, after, before)
			}
		}
		if moved := graphtest.Float64s(out[4])[0]; moved != 0 {
			t.Errorf("a picture that misses nothing moved by %g", moved)
		}
	}
}

// Shrink on the engine, against torch as imaging.Shrink is.
func TestShrinkIsTorchs(t *testing.T) {
	g := graphtest.Golden(t, "../testdata/schedulers.safetensors")
	var names []string
	var configs []Config
	for _, filter := range []Kernel{Bilinear, Bicubic, Area} {
		for _, blur := range []float64{0, 0.6, 1.5} {
			names = append(names, fmt.Sprintf("%s.%g", filter, blur))
			configs = append(configs, Config{Kernel: filter, Blur: blur})
		}
	}
	exec, err := NewExec(graphtest.Engine(t), func(in []*Node) (all []*Node) {
		for _, c := range configs {
			all = append(all, c.Shrink(in[0], 4))
		}
		return all
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []string{"degrade.32x32", "degrade.16x24"} {
		out, err := exec.Call(g[size])
		if err != nil {
			t.Fatal(err)
		}
		for i, name := range names {
			graphtest.Same(t, size+"."+name, out[i], g[size+"."+name], 1e-5)
		}
	}
}

// Host and graph make the same pictures, for every kernel, factor and blur.
func TestHostIsGraph(t *testing.T) {
	const width, height = 48, 72
	p := imaging.New(width, height)
	x0 := graphtest.Pattern(1, 1, 1, height, width, 3)
	copy(p.Pix, tensors.MustCopyFlatData[float32](x0))
	for _, kernel := range []Kernel{Bilinear, Bicubic, Area} {
		for _, factor := range []int{2, 3, 4, 8} {
			for _, blur := range []float64{0, 1.2} {
				c := Config{Kernel: kernel, Blur: blur}
				host := c.Picture(p, factor)
				want := tensors.FromFlatDataAndDimensions(host.Pix, 1, height/factor, width/factor, 3)
				got := graphtest.Run(t, func(in []*Node) *Node { return c.Shrink(in[0], factor) }, x0)
				graphtest.Same(t, fmt.Sprintf("%+v, factor %d", c, factor), got, want, 1e-5)
			}
		}
	}
}

// The noise of the host has the level that it is said to have, up to the configuration's.
func TestNoiseOnTheHost(t *testing.T) {
	d, err := New(Config{Noise: 0.4})
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	var levels, scaled []float64
	for range 300 {
		low, level := d.Apply(rng, imaging.New(16, 16), 4)
		levels = append(levels, level)
		for _, v := range low.Pix {
			scaled = append(scaled, float64(v)/level)
		}
	}
	average, _ := graphtest.Spread(levels)
	mean, std := graphtest.Spread(scaled)
	if !(math.Abs(average-0.2) <= 0.03) || !(math.Abs(mean) <= 0.04) || !(math.Abs(std-1) <= 0.03) { // four standard errors
		t.Errorf("levels of mean %.3f, noise over level of mean %.3f and std %.3f, want 0.2, 0 and 1", average, mean, std)
	}
}

func TestValidate(t *testing.T) {
	for want, c := range map[string]Config{
		`degradation is "nearest": want bilinear`: {Kernel: "nearest"},
		"blur is 9":                                   {Blur: 9},
		"noise is NaN":                                {Noise: math.NaN()},
		"strength is 2 without the name":              {Strength: 2},
		`degradation is "fog", which this program`:    {Name: "fog"},
		"strength is -1: want 0 or a positive number": {Name: "fog", Strength: -1},
	} {
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%+v: got %v, want one line with %q", c, err, want)
		}
	}
}

// Noisy adds noise of the given level, the same for the same seed and number, to a copy.
func TestNoisy(t *testing.T) {
	p := imaging.New(40, 40)
	a, b, c := Noisy(p, 0.2, 1, 5), Noisy(p, 0.2, 1, 5), Noisy(p, 0.2, 1, 6)
	if !slices.Equal(a.Pix, b.Pix) || slices.Equal(a.Pix, c.Pix) || !slices.Equal(p.Pix, imaging.New(40, 40).Pix) {
		t.Error("the noise is not that of the seed and the number, or the picture itself changed")
	}
	var values []float64
	for _, v := range a.Pix {
		values = append(values, float64(v))
	}
	if mean, std := graphtest.Spread(values); !(math.Abs(mean) < 0.012 && math.Abs(std-0.2) < 0.009) { // four standard errors
		t.Errorf("the noise has mean %.3f and std %.3f, want 0 and 0.2", mean, std)
	}
	if !slices.Equal(Noisy(p, 0, 1, 5).Pix, p.Pix) {
		t.Error("a level of 0 changed the picture")
	}
}

// The condition is that of the configuration, and a degradation without a form in a graph panics.
func TestConditionFollowsConfig(t *testing.T) {
	x0 := graphtest.Pattern(1, 1, 1, 16, 16, 3)
	c := Config{Kernel: Bicubic, Blur: 1}
	low := c.Picture(imaging.Picture{Width: 16, Height: 16, Pix: tensors.MustCopyFlatData[float32](x0)}, 4)
	want := graphtest.Run(t, func(in []*Node) *Node { return nn.Upsample(in[0], 4) }, tensors.FromFlatDataAndDimensions(low.Pix, 1, 4, 4, 3))
	graphtest.Same(t, "Condition", graphtest.Run(t, func(in []*Node) *Node { return c.Condition(in[0], 4) }, x0), want, 1e-5)
	_, err := NewExec(graphtest.Engine(t), func(x *Node) *Node { return Config{Name: "fog"}.Condition(x, 4) })
	if err == nil {
		exec := MustNewExec(graphtest.Engine(t), func(x *Node) *Node { return Config{Name: "fog"}.Condition(x, 4) })
		_, err = exec.Call(x0)
	}
	if err == nil || !strings.Contains(err.Error(), "no form in a graph") {
		t.Errorf("got %v, want that the degradation has no form in a graph", err)
	}
}
