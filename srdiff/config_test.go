// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"context"
	"math"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/srdiff/srlab/srdiff/degrade"
	"github.com/srdiff/srlab/srdiff/diffusion"
	"github.com/srdiff/srlab/srdiff/imaging"
	"github.com/srdiff/srlab/srdiff/internal/graphtest"
	"github.com/srdiff/srlab/srdiff/networks"
	"github.com/srdiff/srlab/srdiff/nn"
)

func init() {
	degrade.Register("plain", func(degrade.Config) (degrade.Degradation, error) { return degrade.New(degrade.Config{}) })
}

// Every field of a configuration that says something else than the default survives a training
// run's two files, and a model with all of them samples.
func TestConfigIsSaved(t *testing.T) {
	c := Config{
		Factor: 2,
		Diffusion: diffusion.Config{Schedule: diffusion.Cosine, Timesteps: 20, BetaStart: 2e-4, BetaEnd: 0.03, ZeroSNR: true,
			Prediction: diffusion.PredictV, Distilled: 6},
		Network: networks.Config{Name: networks.Tiny, BaseChannels: 8, Blocks: 2, Attention: 2,
			Transformers: 1, AddTime: true, Dropout: 0.1, NormGroups: 4, HeadChannels: 8, ResidualSpread: 0.2},
		Degradation: degrade.Config{Kernel: degrade.Area, Blur: 0.7, Noise: 0.2, Name: "plain", Strength: 0.5},
		Training: TrainingConfig{Loss: diffusion.Huber, MinSNRGamma: 5, DropCondition: 0.1, Precision: nn.BFloat16, ImageSize: 8, BatchSize: 2, Flip: true,
			LearningRate: 3e-4, WarmUp: 2, Decay: 40, ClipNorm: 1, Accumulate: 2, EMA: 0.9, Seed: 7},
	}
	all, defaults := reflect.ValueOf(c), reflect.ValueOf(Config{}.WithDefaults())
	for i := range all.NumField() {
		part, name := all.Field(i), all.Type().Field(i).Name
		if name == "Predictor" { // a model that refines has no noise or guidance: see below
			continue
		}
		if part.Kind() != reflect.Struct {
			if part.Equal(defaults.Field(i)) {
				t.Errorf("%s is the default: set it to something else here", name)
			}
			continue
		}
		for k := range part.NumField() {
			if part.Field(k).Equal(defaults.Field(i).Field(k)) {
				t.Errorf("%s.%s is the default: set it to something else here", name, part.Type().Field(k).Name)
			}
		}
	}
	refiner := newSmall(t, tinyRefiner(2))
	path := filepath.Join(t.TempDir(), ModelFile)
	if err := refiner.Save(path); err != nil {
		t.Fatal(err)
	}
	if saved, err := ReadConfig(path); err != nil || saved != refiner.Config {
		t.Errorf("read %+v and %v, want %+v", saved, err, refiner.Config)
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
	loaded, err := Load(graphtest.Engine(t), filepath.Join(dir, ModelFile))
	if err != nil {
		t.Fatal(err)
	}
	resumed, err := Resume(graphtest.Engine(t), dir)
	if err != nil {
		t.Fatal(err)
	}
	for name, other := range map[string]*Model{"loaded": loaded, "resumed": resumed} {
		if other.Config != c || other.Step != 2 {
			t.Errorf("%s %+v at step %d, want %+v at step 2", name, other.Config, other.Step, c)
		}
	}
	graphtest.Near(t, "loaded", valuesOf(t, loaded, weightsScope), valuesOf(t, m, averagesScope), 0)
	graphtest.Near(t, "resumed", valuesOf(t, resumed, weightsScope), valuesOf(t, m, weightsScope), 0)
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

// What a network for noisy pictures is shown: the level of the noise as a channel of its own, which
// is the standard deviation of what was added to the low-resolution picture.
func TestNoisyConditions(t *testing.T) {
	const batch = 500
	c := Config{Degradation: degrade.Config{Noise: 0.4}, Training: TrainingConfig{ImageSize: 16, Seed: 1}, Network: networks.Config{BaseChannels: 4}}
	m := newSmall(t, c)
	exec, err := NewExec(m.backend, func(x0, rng *Node) (*Node, *Node) {
		in, _, _, _ := m.draw([]*Node{x0}, rng, 0)
		// Of grey pictures all that is left is noise.
		return Slice(in.Low, AxisRange(), AxisElem(0), AxisElem(0)), in.Level
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
	var scaled []float64
	var levels []float64
	corners := graphtest.Float64s(out[0])
	for b := range batch {
		level := graphtest.Float64s(out[1])[b]
		if level < 0 || level >= 0.4 {
			t.Fatalf("level %v, want it in [0, 0.4)", level)
		}
		levels = append(levels, level)
		for _, n := range corners[3*b:][:3] {
			scaled = append(scaled, n/level)
		}
	}
	average, _ := graphtest.Spread(levels)
	_, std := graphtest.Spread(scaled)
	if !(math.Abs(average-0.2) <= 0.02) || !(math.Abs(std-1) <= 0.07) { // four standard errors
		t.Errorf("levels of mean %.3f, noise over level of std %.3f, want 0.2 and 1", average, std)
	}

	if weight := m.store.GetVariable("/" + weightsScope + "/enc1/0/weight").Shape().Dimensions; weight[2] != 8 {
		t.Errorf("the first kernel is %v, want 8 input channels", weight)
	}
	// Sampling shows the level that it is told.
	pictures := map[float64]imaging.Picture{}
	for _, noise := range []float64{0, 0.4} {
		p, err := m.Sample(context.Background(), SampleOptions{Steps: 2, Noise: noise, Clip: diffusion.ClipNone}, low(2, 2))
		if err != nil {
			t.Fatal(err)
		}
		pictures[noise] = p[0]
	}
	if equal(pictures[0], pictures[0.4]) {
		t.Error("the noise of the pictures made no difference")
	}
}

// A network that computes in bfloat16, whose numbers have 8 bits: its prediction is float32's to
// some hundredths, its weights and gradients are float32, and it learns.
func TestBFloat16(t *testing.T) {
	c := small
	c.Training.Precision = nn.BFloat16
	m := newSmall(t, c)
	exec, err := model.NewExec(m.backend, m.store, func(scope *model.Scope, in []*Node) []*Node {
		predict := func(precision nn.Precision) *Node {
			return Predict(weightsAt(scope, weightsScope).Computing(precision), m.Config, in[0], in[1], in[2])
		}
		return []*Node{predict(nn.Float32), predict(nn.BFloat16)}
	})
	if err != nil {
		t.Fatal(err)
	}
	check := func(when string) {
		t.Helper()
		out, err := exec.Call(graphtest.Pattern(1, 1, 4, 8, 8, 3), graphtest.Pattern(2, 1, 4, 8, 8, 3), []int32{0, 30, 60, 99})
		if err != nil {
			t.Fatal(err)
		}
		e := graphtest.RelativeError(out[1], out[0])
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

// The gradients of a network that computes in bfloat16 point where float32's do and are as long,
// those of the biases too, which are sums of thousands of numbers.
func TestBFloat16Gradients(t *testing.T) {
	m := newSmall(t, Config{Network: networks.Config{BaseChannels: 4}})
	parameters := m.weights
	gradients := func(precision nn.Precision) []*tensors.Tensor {
		c := m.Config
		exec, err := model.NewExec(m.backend, m.store, func(scope *model.Scope, in []*Node) []*Node {
			loss := Loss(weightsAt(scope, weightsScope).Computing(precision), c, in[0], in[1], in[2], in[3])
			var nodes []*Node
			for _, p := range parameters {
				nodes = append(nodes, m.variable(p, weightsScope).NodeValue(loss))
			}
			return Gradient(loss, nodes...)
		})
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.Call(graphtest.Pattern(1, 0.8, 4, 32, 32, 3), graphtest.Pattern(2, 0.8, 4, 32, 32, 3), []int32{0, 300, 600, 999},
			graphtest.Pattern(4, 1.4, 4, 32, 32, 3))
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	full, half := gradients(nn.Float32), gradients(nn.BFloat16)
	for i, p := range parameters {
		a, b := graphtest.Float64s(full[i]), graphtest.Float64s(half[i])
		var product, ofA, ofB float64
		for k := range a {
			product, ofA, ofB = product+a[k]*b[k], ofA+a[k]*a[k], ofB+b[k]*b[k]
		}
		cosine, ratio := product/math.Sqrt(ofA*ofB), math.Sqrt(ofB/ofA)
		if !(cosine > 0.98 && math.Abs(ratio-1) < 0.1) {
			t.Errorf("gradient of %s: cosine %.4f with float32's, %.4f times as long", p.Name, cosine, ratio)
		}
	}
}

func TestConfigValidate(t *testing.T) {
	if err := (Config{}).Validate(); err != nil {
		t.Errorf("the tutorial's setting is refused: %v", err)
	}
	want := Config{
		Factor:      4,
		Diffusion:   diffusion.Config{Schedule: "linear", Timesteps: 1000, BetaStart: 1e-4, BetaEnd: 0.02, Prediction: "eps"},
		Network:     networks.Config{Name: "tutorial", BaseChannels: 32},
		Degradation: degrade.Config{Kernel: "bilinear"},
		Training:    TrainingConfig{Loss: "mse", Precision: "float32", ImageSize: 32, BatchSize: 32, LearningRate: 1e-4, Accumulate: 1, EMA: 0.999},
	}
	if got := (Config{}).WithDefaults(); got != want {
		t.Errorf("defaults are %+v, want %+v", got, want)
	}
	for want, c := range map[string]Config{
		"beta_start 0.5 is greater than beta_end 0.02": {Diffusion: diffusion.Config{BetaStart: 0.5}},
		"beta_start is -0.1":                           {Diffusion: diffusion.Config{BetaStart: -0.1}},
		"beta_start is NaN":                            {Diffusion: diffusion.Config{BetaStart: math.NaN()}},
		"beta_end is 1":                                {Diffusion: diffusion.Config{BetaEnd: 1}},
		"beta_end is 7":                                {Diffusion: diffusion.Config{BetaEnd: 7}},
		"timesteps is -5":                              {Diffusion: diffusion.Config{Timesteps: -5}},
		"timesteps is 1000000":                         {Diffusion: diffusion.Config{Timesteps: 1000000}},
		`schedule is "square"`:                         {Diffusion: diffusion.Config{Schedule: "square"}},
		"base channels is -1":                          {Network: networks.Config{BaseChannels: -1}},
		"image size is 30":                             {Training: TrainingConfig{ImageSize: 30}},
		"batch size is -2":                             {Training: TrainingConfig{BatchSize: -2}},
		"learning rate is -0.0001":                     {Training: TrainingConfig{LearningRate: -1e-4}},
		"learning rate is NaN":                         {Training: TrainingConfig{LearningRate: math.NaN()}},
		`prediction is "noise"`:                        {Diffusion: diffusion.Config{Prediction: "noise"}},
		"predict v or x0":                              {Diffusion: diffusion.Config{ZeroSNR: true}},
		"at least 2":                                   {Diffusion: diffusion.Config{ZeroSNR: true, Prediction: "v", Timesteps: 1}},
		`precision is "float16"`:                       {Training: TrainingConfig{Precision: "float16"}},
		`degradation is "nearest"`:                     {Degradation: degrade.Config{Kernel: "nearest"}},
		"blur is NaN":                                  {Degradation: degrade.Config{Blur: math.NaN()}},
		"noise is 2":                                   {Degradation: degrade.Config{Noise: 2}},
		`loss is "l3"`:                                 {Training: TrainingConfig{Loss: "l3"}},
		"min-SNR gamma is -5":                          {Training: TrainingConfig{MinSNRGamma: -5}},
		"drop condition is 1":                          {Training: TrainingConfig{DropCondition: 1}},
		"warm-up is -1":                                {Training: TrainingConfig{WarmUp: -1}},
		"decay is -1":                                  {Training: TrainingConfig{Decay: -1}},
		"clip norm is -1":                              {Training: TrainingConfig{ClipNorm: -1}},
		"accumulate is -1":                             {Training: TrainingConfig{Accumulate: -1}},
		"EMA decay is 1":                               {Training: TrainingConfig{EMA: 1}},
		`network is "huge"`:                            {Network: networks.Config{Name: "huge"}},
		"not to the tutorial's":                        {Network: networks.Config{Transformers: 1}},
		"attention is 4":                               {Network: networks.Config{Name: "tiny", Attention: 4}},
		"transformers is -1":                           {Network: networks.Config{Name: "tiny", Transformers: -1}},
		"dropout is 1":                                 {Network: networks.Config{Name: "tiny", Dropout: 1}},
		"even multiple of 8 for the network tiny":      {Network: networks.Config{Name: "tiny", BaseChannels: 12}},
		"distilled to 4 steps, predicting eps":         {Diffusion: diffusion.Config{Distilled: 4}},
		"distilled to 2000 steps":                      {Diffusion: diffusion.Config{Distilled: 2000, Prediction: "v"}},
		"a regression has no timesteps":                {Diffusion: diffusion.Config{Prediction: "regression"}, Training: TrainingConfig{MinSNRGamma: 5}},
	} {
		err := c.Validate()
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%+v: got %v, want one line with %q", c, err, want)
		}
	}
}
