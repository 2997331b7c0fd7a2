// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/srdiff/srlab/srdiff/imaging"
)

// Every field of a configuration that says something else than the default survives a training run's two files, and a model with
// all of them samples.
func TestConfigIsSaved(t *testing.T) {
	c := Config{
		Kind: KindCosine, Timesteps: 20, BetaStart: 2e-4, BetaEnd: 0.03, ZeroSNR: true,
		Network: NetworkTiny, Prediction: PredictsV, BaseChannels: 8, Precision: BFloat16,
		Attention: 2, Transformers: 1, AddTime: true, Dropout: 0.1, Distilled: 6,
		Degradation: Area, Blur: 0.7, Noise: 0.2,
		Loss: Huber, MinSNRGamma: 5, DropCondition: 0.1,
		ImageSize: 8, BatchSize: 2, Flip: true, LearningRate: 3e-4, WarmUp: 2, Decay: 40, ClipNorm: 1, Accumulate: 2, EMA: 0.9, Seed: 7,
	}
	all, defaults := reflect.ValueOf(c), reflect.ValueOf(Config{}.WithDefaults())
	for i := range all.NumField() {
		if all.Field(i).Equal(defaults.Field(i)) {
			t.Errorf("%s is the default: set it to something else here", all.Type().Field(i).Name)
		}
	}
	dir := t.TempDir()
	m := newSmall(t, c)
	m.Step = 2
	if err := m.startAverages(); err != nil {
		t.Fatal(err)
	}
	if err := m.saveTraining(dir); err != nil {
		t.Fatal(err)
	}
	loaded, err := Load(openEngine(t), filepath.Join(dir, ModelFile))
	if err != nil {
		t.Fatal(err)
	}
	resumed, err := Resume(openEngine(t), dir)
	if err != nil {
		t.Fatal(err)
	}
	for name, other := range map[string]*Model{"loaded": loaded, "resumed": resumed} {
		if other.Config != c || other.Step != 2 {
			t.Errorf("%s %+v at step %d, want %+v at step 2", name, other.Config, other.Step, c)
		}
	}
	near(t, "loaded", valuesOf(t, loaded, weights), valuesOf(t, m, averages), 0)
	near(t, "resumed", valuesOf(t, resumed, weights), valuesOf(t, m, weights), 0)
	o := SampleOptions{Seed: 1, Noise: 0.1, Guidance: 2, Rescale: 0.5}
	p, err := loaded.Sample(context.Background(), o, low(2, 2))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range p[0].Pix {
		if !(v >= -1.0001 && v <= 1.0001) {
			t.Fatalf("sample has %v", v)
		}
	}
}

// Degrade on the engine, against torch as imaging.Shrink is.
func TestDegrade(t *testing.T) {
	g := diffusers(t)
	var names []string
	var configs []Config
	for _, filter := range []string{Bilinear, Bicubic, Area} {
		for _, blur := range []float64{0, 0.6, 1.5} {
			names = append(names, fmt.Sprintf("%s.%g", filter, blur))
			configs = append(configs, Config{Degradation: filter, Blur: blur})
		}
	}
	exec, err := NewExec(openEngine(t), func(in []*Node) (all []*Node) {
		for _, c := range configs {
			all = append(all, Degrade(c, in[0]))
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
			same(t, size+"."+name, out[i], g[size+"."+name], 1e-5)
		}
	}
}

// What a network for noisy pictures is shown: the level of the noise as a channel of its own, which is the standard deviation
// of what was added to the low-resolution picture.
func TestNoisyConditions(t *testing.T) {
	const batch = 500
	c := Config{Noise: 0.4, ImageSize: 16, Seed: 1, BaseChannels: 4}
	m := newSmall(t, c)
	exec, err := NewExec(m.backend, func(x0, rng *Node) (*Node, *Node) {
		y, _, _, _ := m.drawn(x0, rng, 0)
		// Grey pictures, so that all that is left is noise: a value of the low-resolution picture each, as Upscale leaves the
		// borders' corners alone.
		return Slice(y, AxisRange(), AxisElem(0), AxisElem(0)), y
	})
	if err != nil {
		t.Fatal(err)
	}
	rng, err := RNGStateFromSeed(3)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Call(tensors.FromScalarAndDimensions(float32(0), batch, 16, 16, 3), rng)
	if err != nil {
		t.Fatal(err)
	}
	if dims := out[1].Shape().Dimensions; dims[3] != 4 {
		t.Fatalf("the condition is %v, want 4 channels", dims)
	}
	var scaled []float64
	var levels []float64
	corners := float64s(out[0])
	for b := range batch {
		v := corners[4*b:][:4]
		level := v[3]
		if level < 0 || level >= 0.4 {
			t.Fatalf("level %v, want it in [0, 0.4)", level)
		}
		levels = append(levels, level)
		for _, n := range v[:3] {
			scaled = append(scaled, n/level)
		}
	}
	average, _ := spreadOf(levels)
	_, std := spreadOf(scaled)
	if math.Abs(average-0.2) > 0.02 || math.Abs(std-1) > 0.07 { // four standard errors
		t.Errorf("levels of mean %.3f, noise over level of std %.3f, want 0.2 and 1", average, std)
	}

	if weight := m.store.GetVariable("/" + weights + "/enc1/0/weight").Shape().Dimensions; weight[2] != 8 {
		t.Errorf("the first kernel is %v, want 8 input channels", weight)
	}
	// Sampling shows the level that it is told.
	pictures := map[float64]imaging.Picture{}
	for _, noise := range []float64{0, 0.4} {
		p, err := m.Sample(context.Background(), SampleOptions{Steps: 2, Noise: noise, Clip: ClipNone}, low(2, 2))
		if err != nil {
			t.Fatal(err)
		}
		pictures[noise] = p[0]
	}
	if equal(pictures[0], pictures[0.4]) {
		t.Error("the noise of the pictures made no difference")
	}
}

// A network that computes in bfloat16, whose numbers have 8 bits: its prediction is float32's to some hundredths, its weights
// and gradients are float32, and it learns.
func TestBFloat16(t *testing.T) {
	c := small
	c.Precision = BFloat16
	m := newSmall(t, c)
	exec, err := model.NewExec(m.backend, m.store, func(scope *model.Scope, in []*Node) []*Node {
		predict := func(precision string) *Node {
			about := m.Config
			about.Precision = precision
			return Predict(scope.At("%s", weights), about, in[0], in[1], in[2])
		}
		return []*Node{predict(Float32), predict(BFloat16)}
	})
	if err != nil {
		t.Fatal(err)
	}
	check := func(when string) {
		t.Helper()
		out, err := exec.Call(pattern(1, 1, 4, 8, 8, 3), pattern(2, 1, 4, 8, 8, 3), []int32{0, 30, 60, 99})
		if err != nil {
			t.Fatal(err)
		}
		e := relativeError(out[1], out[0])
		t.Logf("%s: prediction off by %.1e of the largest value", when, e)
		if !(e < 0.05) || e == 0 { // a rounding is 2^-9, and there are some ten layers of them
			t.Errorf("%s: off by %.2g", when, e)
		}
	}
	check("first weights")
	var losses []float64
	trainSmall(t, m, 200, "", func(p Progress) { losses = append(losses, p.Loss) })
	check("trained")
	before, after := mean(losses[:40]), mean(losses[160:])
	t.Logf("loss %.3f to %.3f", before, after)
	if !(after < 0.95*before) {
		t.Errorf("the loss went from %.3f to %.3f: want it to fall", before, after)
	}
	for v := range m.store.IterVariables() {
		if v.DType() == dtypes.BFloat16 {
			t.Errorf("%s is bfloat16", v.Path())
		}
	}
}

// The gradients of a network that computes in bfloat16 point where float32's do and are as long, those of the biases too, which
// are sums of thousands of numbers.
func TestBFloat16Gradients(t *testing.T) {
	m := newSmall(t, Config{BaseChannels: 4})
	parameters := parametersOf(m.Config)
	gradients := func(precision string) []*tensors.Tensor {
		c := m.Config
		c.Precision = precision
		exec, err := model.NewExec(m.backend, m.store, func(scope *model.Scope, in []*Node) []*Node {
			loss := Loss(network(scope), m.schedule, c, in[0], in[1], in[2], in[3])
			var nodes []*Node
			for _, p := range parameters {
				nodes = append(nodes, m.store.GetVariable(p.path(weights)).NodeValue(loss))
			}
			return Gradient(loss, nodes...)
		})
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.Call(pattern(1, 0.8, 4, 32, 32, 3), pattern(2, 0.8, 4, 32, 32, 3), []int32{0, 300, 600, 999},
			pattern(4, 1.4, 4, 32, 32, 3))
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	full, half := gradients(Float32), gradients(BFloat16)
	for i, p := range parameters {
		a, b := float64s(full[i]), float64s(half[i])
		var product, ofA, ofB float64
		for k := range a {
			product, ofA, ofB = product+a[k]*b[k], ofA+a[k]*a[k], ofB+b[k]*b[k]
		}
		cosine, ratio := product/math.Sqrt(ofA*ofB), math.Sqrt(ofB/ofA)
		if !(cosine > 0.98 && math.Abs(ratio-1) < 0.1) {
			t.Errorf("gradient of %s: cosine %.4f with float32's, %.4f times as long", p.name, cosine, ratio)
		}
	}
}
