// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/srdiff/srlab/srdiff/degrade"
	"github.com/srdiff/srlab/srdiff/diffusion"
	"github.com/srdiff/srlab/srdiff/imaging"
	"github.com/srdiff/srlab/srdiff/internal/checkpoint"
	"github.com/srdiff/srlab/srdiff/internal/graphtest"
	"github.com/srdiff/srlab/srdiff/networks"
)

func TestParameterCount(t *testing.T) {
	m, err := NewModel(graphtest.Engine(t), Config{})
	if err != nil {
		t.Fatal(err)
	}
	if n := m.NumParameters(); n != 467_747 { // PyTorch's count of the tutorial's network
		t.Errorf("%d parameters, want 467,747", n)
	}
}

// First weights follow from the seed: names, order and values are those of the releases before.
func TestFirstWeights(t *testing.T) {
	for _, test := range []struct {
		c    Config
		want uint32
	}{
		{Config{Training: TrainingConfig{Seed: 3}}, 0x123ce74a},
		{Config{Network: networks.Config{BaseChannels: 4}, Degradation: degrade.Config{Noise: 0.2}}, 0x7b6aff1f},
		{Config{Network: networks.Config{Name: networks.Tiny, Attention: 3, Transformers: 1}, Training: TrainingConfig{Seed: 5}}, 0x6a4e14be},
		{Config{Network: networks.Config{Name: networks.Tiny, AddTime: true}, Training: TrainingConfig{Seed: 7}}, 0x6eaf0d58},
	} {
		m := newSmall(t, test.c)
		sum := crc32.NewIEEE()
		for _, w := range m.weights {
			fmt.Fprintln(sum, w.Name, w.Dims)
			if err := binary.Write(sum, binary.LittleEndian, tensors.MustCopyFlatData[float32](m.variable(w, weightsScope).MustValue())); err != nil {
				t.Fatal(err)
			}
		}
		if sum.Sum32() != test.want {
			t.Errorf("%+v: the checksum of the first weights is %#08x, want %#08x", test.c, sum.Sum32(), test.want)
		}
	}
}

// What PyTorch saved, loaded and saved again, holds the same tensors under the same names.
func TestSaveIsTorchs(t *testing.T) {
	m := tutorialModel(t)
	m.Step = 12
	path := filepath.Join(t.TempDir(), "m.safetensors")
	if err := m.Save(path); err != nil {
		t.Fatal(err)
	}
	want, err := checkpoint.Read(filepath.Join("testdata", "tutorial.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := checkpoint.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Tensors) != len(want.Tensors) {
		t.Errorf("%d tensors, want %d", len(got.Tensors), len(want.Tensors))
	}
	for name, w := range want.Tensors {
		if g := got.Tensors[name]; g == nil || !g.Equal(w) {
			t.Errorf("tensor %s differs", name)
		}
	}
	again, err := Load(graphtest.Engine(t), path)
	if err != nil {
		t.Fatal(err)
	}
	if again.Config != m.Config || again.Step != 12 {
		t.Errorf("configuration %+v at step %d, want %+v at step 12", again.Config, again.Step, m.Config)
	}
	if m.Config.Network.BaseChannels != 4 {
		t.Errorf("base channels read off the shapes: %d, want 4", m.Config.Network.BaseChannels)
	}
}

func TestLoadRefuses(t *testing.T) {
	whole := func() checkpoint.File {
		m := tutorialModel(t)
		path := filepath.Join(t.TempDir(), "m.safetensors")
		if err := m.Save(path); err != nil {
			t.Fatal(err)
		}
		file, err := checkpoint.Read(path)
		if err != nil {
			t.Fatal(err)
		}
		return file
	}
	zeros := func(dims ...int) *tensors.Tensor {
		return tensors.FromScalarAndDimensions(float32(0), dims...)
	}
	for want, spoil := range map[string]func(f *checkpoint.File){
		"weight dec2.0.bias is missing":                                             func(f *checkpoint.File) { delete(f.Tensors, "dec2.0.bias") },
		"weight enc1.0.weight is (Float32)[4, 6, 3, 3]: want (Float32)[4, 7, 3, 3]": func(f *checkpoint.File) { f.Tensors["enc1.0.weight"] = zeros(4, 6, 3, 3) },
		"the network has no weight attention.weight":                                func(f *checkpoint.File) { f.Tensors["attention.weight"] = zeros(2) },
		"not finite": func(f *checkpoint.File) {
			f.Tensors["out.bias"] = tensors.FromValue([]float32{0, float32(math.NaN()), 0})
		},
		`network is "other"`: func(f *checkpoint.File) {
			f.Metadata["srdiff"] = strings.Replace(f.Metadata["srdiff"], `"name":"tutorial"`, `"name":"other"`, 1)
		},
		"written by a newer srdiff: format 4, this one reads up to 3": func(f *checkpoint.File) {
			f.Metadata["srdiff"] = strings.Replace(f.Metadata["srdiff"], `"format":3`, `"format":4`, 1)
		},
		`the field "warp", which this srdiff does not know`: func(f *checkpoint.File) {
			f.Metadata["srdiff"] = strings.Replace(f.Metadata["srdiff"], `"timesteps"`, `"warp":1,"timesteps"`, 1)
		},
		`the field "scale", which this srdiff does not know`: func(f *checkpoint.File) { // of the first format
			f.Metadata["srdiff"] = `{"architecture":"tutorial-unet","step":1,"config":{"base_channels":4,"scale":2}}`
		},
		`prediction is "u"`: func(f *checkpoint.File) {
			f.Metadata["srdiff"] = strings.Replace(f.Metadata["srdiff"], `"eps"`, `"u"`, 1)
		},
		"metadata cannot be read": func(f *checkpoint.File) { f.Metadata["srdiff"] = "{" },
		"beta_end is 3": func(f *checkpoint.File) {
			f.Metadata["srdiff"] = strings.Replace(f.Metadata["srdiff"], `"beta_end":0.02`, `"beta_end":3`, 1)
		},
		"it has no weight enc1.0.weight": func(f *checkpoint.File) {
			f.Metadata, f.Tensors = nil, map[string]*tensors.Tensor{"fc.weight": zeros(3, 3)}
		},
	} {
		file := whole()
		spoil(&file)
		path := filepath.Join(t.TempDir(), "m.safetensors")
		if err := checkpoint.Write(path, file); err != nil {
			t.Fatal(err)
		}
		_, err := Load(graphtest.Engine(t), path)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("got %v, want one line with %q", err, want)
		}
	}
}

// A file of format 2 names a precision of its networks. It is the same model without.
func TestLoadFormat2(t *testing.T) {
	m := tutorialModel(t)
	path := filepath.Join(t.TempDir(), "m.safetensors")
	if err := m.Save(path); err != nil {
		t.Fatal(err)
	}
	file, err := checkpoint.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	text := file.Metadata["srdiff"]
	old := strings.NewReplacer(`"format":3`, `"format":2`, `"name":"tutorial"`, `"name":"tutorial","precision":"bfloat16"`).Replace(text)
	if strings.Count(old, "precision") != 1+strings.Count(text, "precision") {
		t.Fatalf("the metadata is %s: want a place for the precision", text)
	}
	file.Metadata["srdiff"] = old
	if err := checkpoint.Write(path, file); err != nil {
		t.Fatal(err)
	}
	again, err := Load(graphtest.Engine(t), path)
	if err != nil {
		t.Fatal(err)
	}
	if again.Config != m.Config {
		t.Errorf("the configuration is %+v, want %+v", again.Config, m.Config)
	}
}

// low is a picture of a low resolution with some structure.
func low(width, height int) imaging.Picture {
	p := imaging.New(width, height)
	for i := range p.Pix {
		p.Pix[i] = float32(math.Sin(float64(i)))
	}
	return p
}

func TestSample(t *testing.T) {
	m, err := NewModel(graphtest.Engine(t), Config{Diffusion: diffusion.Config{Timesteps: 7}, Network: networks.Config{BaseChannels: 4}, Training: TrainingConfig{Seed: 3}})
	if err != nil {
		t.Fatal(err)
	}
	sample := func(seed int64, pictures ...imaging.Picture) []imaging.Picture {
		t.Helper()
		var seen []int
		out, err := m.Sample(context.Background(), SampleOptions{Seed: seed, Each: func(s SampleStep) {
			seen = append(seen, s.T)
			for _, v := range tensors.MustCopyFlatData[float32](s.X0) {
				if !(v >= -1 && v <= 1) {
					t.Fatalf("predicted x_0 has %v at t = %d: want it clipped to [-1, 1]", v, s.T)
				}
			}
		}}, pictures...)
		if err != nil {
			t.Fatal(err)
		}
		if len(seen) != 7 || seen[0] != 6 || seen[6] != 0 {
			t.Errorf("timesteps visited: %v, want 6..0", seen)
		}
		return out
	}
	a, again, other := sample(1, low(4, 2)), sample(1, low(4, 2)), sample(2, low(4, 2))
	if a[0].Width != 16 || a[0].Height != 8 {
		t.Errorf("a 4x2 picture became %dx%d, want 16x8", a[0].Width, a[0].Height)
	}
	if !equal(a[0], again[0]) {
		t.Error("the same seed gave another picture")
	}
	if equal(a[0], other[0]) {
		t.Error("another seed gave the same picture")
	}
	// The last step returns the predicted x_0, which is clipped.
	for _, v := range a[0].Pix {
		if !(v >= -1.0001 && v <= 1.0001) {
			t.Fatalf("sample has %v: want it in [-1, 1]", v)
		}
	}
	if tiny := sample(1, low(1, 1)); tiny[0].Width != 4 || tiny[0].Height != 4 {
		t.Errorf("a 1x1 picture became %dx%d, want 4x4", tiny[0].Width, tiny[0].Height)
	}
	if two := sample(1, low(3, 3), low(3, 3)); len(two) != 2 || equal(two[0], two[1]) {
		t.Error("two pictures must get noise of their own")
	}
	if _, err := m.Sample(context.Background(), SampleOptions{Seed: 1}, low(4, 2), low(2, 4)); err == nil ||
		!strings.Contains(err.Error(), "want one size for all") {
		t.Errorf("pictures of two sizes: %v", err)
	}
	if _, err := m.Sample(context.Background(), SampleOptions{}); err == nil {
		t.Error("no pictures: no error")
	}
}

// The engine's loop over many steps gives what single steps give.
func TestSampleLoops(t *testing.T) {
	m, err := NewModel(graphtest.Engine(t), Config{Diffusion: diffusion.Config{Timesteps: 30}, Network: networks.Config{BaseChannels: 4}})
	if err != nil {
		t.Fatal(err)
	}
	single, err := m.Sample(context.Background(), SampleOptions{Seed: 1, Each: func(SampleStep) {}}, low(4, 2), low(4, 2))
	if err != nil {
		t.Fatal(err)
	}
	loops, err := m.Sample(context.Background(), SampleOptions{Seed: 1}, low(4, 2), low(4, 2))
	if err != nil {
		t.Fatal(err)
	}
	for n := range single {
		for i, v := range single[n].Pix {
			if d := math.Abs(float64(v - loops[n].Pix[i])); d > 1e-4 { // a compiler may round differently in a loop
				t.Fatalf("picture %d, value %d: %v in steps, %v in loops", n, i, v, loops[n].Pix[i])
			}
		}
	}
}

// A loop may use what travels in its state, on every engine: see reverseSteps. Whether it may use
// what is around it as well depends on the engine and its version (go-xla v0.4.5 refuses that), and is
// only reported: where all engines can, reverseSteps can become simpler.
func TestLoops(t *testing.T) {
	sum := func(carried bool) (float32, error) {
		exec, err := NewExec(graphtest.Engine(t), func(start, more *Node) *Node {
			g, state := start.Graph(), []*Node{start}
			if carried {
				state = append(state, more)
			}
			received := func(g *Graph) (list []*Node) {
				for i, s := range state {
					list = append(list, Parameter(g, fmt.Sprintf("state%d", i), s.Shape()))
				}
				return list
			}
			small := NewClosure(g, func(g *Graph) []*Node {
				return []*Node{LessThan(received(g)[0], Const(g, float32(10)))}
			})
			add := NewClosure(g, func(g *Graph) []*Node {
				s := received(g)
				if carried {
					return []*Node{Add(s[0], s[1]), s[1]}
				}
				return []*Node{Add(s[0], more)}
			})
			return While(small, add, state...)[0]
		})
		if err != nil {
			return 0, err
		}
		out, err := exec.Call(float32(1), float32(4))
		if err != nil {
			return 0, err
		}
		return tensors.ToScalar[float32](out[0]), nil
	}
	if got, err := sum(true); err != nil || got != 13 {
		t.Errorf("1 and as many 4 as are needed to reach 10: %g, %v: want 13", got, err)
	}
	if got, err := sum(false); err != nil {
		t.Logf("a loop uses what is around it: %v", err)
	} else if got != 13 {
		t.Errorf("a loop used what is around it, and gave %g, want 13", got)
	}
}

func TestSampleStops(t *testing.T) {
	m, err := NewModel(graphtest.Engine(t), Config{Diffusion: diffusion.Config{Timesteps: 50}, Network: networks.Config{BaseChannels: 4}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	steps := 0
	_, err = m.Sample(ctx, SampleOptions{Seed: 1, Each: func(SampleStep) {
		if steps++; steps == 3 {
			stop()
		}
	}}, low(2, 2))
	if !errors.Is(err, context.Canceled) || steps != 3 {
		t.Errorf("stopped after %d steps with %v, want 3 and %v", steps, err, context.Canceled)
	}
	if _, err := m.Sample(ctx, SampleOptions{Seed: 1}, low(2, 2)); !errors.Is(err, context.Canceled) {
		t.Errorf("loops, stopped: %v, want %v", err, context.Canceled)
	}
}

func equal(a, b imaging.Picture) bool {
	for i := range a.Pix {
		if a.Pix[i] != b.Pix[i] {
			return false
		}
	}
	return a.Width == b.Width && a.Height == b.Height
}

func TestLoadMissing(t *testing.T) {
	_, err := Load(graphtest.Engine(t), filepath.Join(t.TempDir(), "none.safetensors"))
	if err == nil || !strings.HasSuffix(err.Error(), "no such file") {
		t.Errorf("got %v", err)
	}
	text := filepath.Join(t.TempDir(), "text.safetensors")
	if err := os.WriteFile(text, []byte("not a model"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(graphtest.Engine(t), text); err == nil || !strings.Contains(err.Error(), "not a safetensors file") {
		t.Errorf("got %v", err)
	}
}
