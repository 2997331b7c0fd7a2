// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

//go:build onnxruntime

package srdiff

import (
	"cmp"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/srdiff/srlab/srdiff/diffusion"
	"github.com/srdiff/srlab/srdiff/imaging"
	"github.com/srdiff/srlab/srdiff/internal/checkpoint"
	"github.com/srdiff/srlab/srdiff/internal/graphtest"
	"github.com/srdiff/srlab/srdiff/internal/onnx"
)

// python is the Python that has ONNX Runtime.
func python() string { return cmp.Or(os.Getenv("ONNX_PYTHON"), "python3") }

// ONNX Runtime gives the picture that Sample gives, for each factor and for networks of several sizes
// with random weights, on pictures of two sizes.
func TestONNXRuntime(t *testing.T) {
	dir := t.TempDir()
	want := map[string]imaging.Picture{} // by the file's name, without its ending
	export := func(name string, m *Model, steps int, o SampleOptions) {
		files, err := m.ExportONNX(filepath.Join(dir, name+".onnx"), steps)
		if err != nil {
			t.Fatal(err)
		}
		low := randomPicture(9+len(want)%2, 7)
		for i := range low.Pix {
			low.Pix[i] *= 0.5 // so that few values of the result are clipped
		}
		for _, file := range files {
			o, inputs := o, map[string]*tensors.Tensor{onnx.Image: channelsFirst(low, 0.5, 0.5)}
			switch refiner := strings.HasSuffix(file, "-refiner.onnx"); {
			case refiner:
				noise, draw := imaging.New(low.Width*m.Config.Factor, low.Height*m.Config.Factor), normals(o.Seed, 0)
				for i := range noise.Pix {
					noise.Pix[i] = float32(draw())
				}
				inputs[onnx.Noise] = channelsFirst(noise, 1, 0)
				inputs[onnx.Strength] = tensors.FromValue([]float32{float32(1 - o.Fidelity)})
			case m.Config.refines():
				o.Fidelity = 1
			}
			result, err := m.Sample(t.Context(), o, low)
			if err != nil {
				t.Fatal(err)
			}
			stem := strings.TrimSuffix(file, ".onnx")
			if err := checkpoint.Write(stem+".safetensors", checkpoint.File{Tensors: inputs}); err != nil {
				t.Fatal(err)
			}
			for i, v := range result[0].Pix {
				result[0].Pix[i] = min(max(v, -1), 1)
			}
			want[stem] = result[0]
		}
	}
	for _, factor := range factors {
		for _, size := range []struct{ channels, blocks int }{{8, 1}, {12, 3}} {
			name := fmt.Sprintf("x%d-%dx%d", factor, size.channels, size.blocks)
			c := tinyPredictor(factor)
			c.Network.BaseChannels, c.Network.Blocks = size.channels, size.blocks
			export(name, exported(t, c), 0, SampleOptions{})
			c = tinyRefiner(factor)
			c.Network.BaseChannels, c.Network.Blocks = size.channels, size.blocks
			c.Predictor.BaseChannels, c.Predictor.Blocks = size.channels+4, size.blocks+1
			export(name+"-r", exported(t, c), 0, SampleOptions{Seed: 3})
		}
	}
	c := tinyRefiner(2)
	c.Diffusion.Prediction = diffusion.PredictX0
	export("x0", exported(t, c), 3, SampleOptions{Seed: 4, Steps: 3, Fidelity: 0.3})
	c.Diffusion.Prediction = diffusion.PredictEps // random weights make r_0 some thousands
	export("eps", exported(t, c), 3, SampleOptions{Seed: 4, Steps: 3, Fidelity: 0.9999})
	c = tinyRefiner(2)
	c.Diffusion.Distilled = 2
	export("distilled", exported(t, c), 0, SampleOptions{Seed: 5})

	runPython(t, filepath.Join("testdata", "run_onnx.py"), dir)
	for stem, picture := range want {
		name := filepath.Base(stem)
		got := graphtest.Golden(t, stem+"-result.safetensors")[onnx.Result]
		worst, spread := difference(got, channelsFirst(picture, 0.5, 0.5))
		if !(worst <= 1e-4) || !(spread > 0.1) {
			t.Errorf("%s: ONNX Runtime is off by %g on a range of %g: want at most 1e-4", name, worst, spread)
		}
		t.Logf("%s: %.1e", name, worst)
	}
}

// The program in docs/onnx.md gives the picture that Upscale gives: with a predictor, and with a refiner
// whose strength is 0, so that the noise does not count.
func TestONNXExample(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "docs", "onnx.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, program, found := strings.Cut(string(page), "```python\n")
	program, _, ended := strings.Cut(program, "```\n")
	if !found || !ended {
		t.Fatal("docs/onnx.md has no Python program")
	}
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	if err := os.WriteFile(path("upscale.py"), []byte(program), 0o644); err != nil {
		t.Fatal(err)
	}
	m := exported(t, tinyRefiner(4))
	if _, err := m.ExportONNX(path("x4.onnx"), 0); err != nil {
		t.Fatal(err)
	}
	low := randomPicture(13, 8).Image()
	if err := imaging.WritePNG(path("low.png"), low); err != nil {
		t.Fatal(err)
	}
	want, err := m.Upscale(t.Context(), SampleOptions{Fidelity: 1}, low)
	if err != nil {
		t.Fatal(err)
	}
	runPython(t, path("upscale.py"), path("x4.onnx"), path("low.png"), path("predicted.png"))
	runPython(t, path("upscale.py"), path("x4-refiner.onnx"), path("low.png"), path("refined.png"), "0")
	runPython(t, path("upscale.py"), path("x4-refiner.onnx"), path("low.png"), path("sampled.png"))
	differ := func(name string) (worst float64) {
		got, err := imaging.Read(path(name))
		if err != nil {
			t.Fatal(err)
		}
		worst, _ = difference(channelsFirst(imaging.Visible(got.Image), 127.5, 0), channelsFirst(imaging.Visible(want), 127.5, 0))
		return worst
	}
	for _, name := range []string{"predicted.png", "refined.png"} {
		if worst := differ(name); !(worst < 1.01) { // rounding may go the other way
			t.Errorf("%s is off by %g levels of 255: want at most 1", name, worst)
		}
	}
	if worst := differ("sampled.png"); !(worst > 10) {
		t.Errorf("the sample is off by %g levels from the predictor's picture: want detail", worst)
	}
}

func runPython(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command(python(), args...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// exported returns a model with random weights.
func exported(t *testing.T, c Config) *Model {
	t.Helper()
	m, err := NewModel(graphtest.Engine(t), c)
	if err != nil {
		t.Fatal(err)
	}
	return scramble(t, m)
}

// channelsFirst returns times p + plus as [1, 3, height, width].
func channelsFirst(p imaging.Picture, times, plus float32) *tensors.Tensor {
	n := p.Width * p.Height
	values := make([]float32, 3*n)
	for i, v := range p.Pix {
		values[i%3*n+i/3] = times*v + plus
	}
	return tensors.FromFlatDataAndDimensions(values, 1, 3, p.Height, p.Width)
}

// difference returns the greatest difference of two tensors, which is infinite for other shapes, and the
// range of the second.
func difference(got, want *tensors.Tensor) (worst, spread float64) {
	if got == nil || !got.Shape().Equal(want.Shape()) {
		return math.Inf(1), 0
	}
	g, w := graphtest.Float64s(got), graphtest.Float64s(want)
	least, most := math.Inf(1), math.Inf(-1)
	for i := range w {
		worst = max(worst, math.Abs(g[i]-w[i])) // NaN stays NaN
		least, most = min(least, w[i]), max(most, w[i])
	}
	return worst, most - least
}
