// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package degrade

import (
	"fmt"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
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

// Every back-projection leaves at most 0.44 of the difference between a picture's shrunken version and
// the input, and a picture without a difference stays as it is.
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
