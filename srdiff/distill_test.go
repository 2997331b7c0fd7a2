// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/srdiff/srlab/srdiff/diffusion"
	"github.com/srdiff/srlab/srdiff/imaging"
	"github.com/srdiff/srlab/srdiff/internal/checkpoint"
	"github.com/srdiff/srlab/srdiff/internal/graphtest"
	"github.com/srdiff/srlab/srdiff/networks"
	"github.com/srdiff/srlab/srdiff/nn"
)

// velocity is a teacher that is made in a moment.
var velocity = Config{
	Network:   networks.Config{Name: networks.Tiny, BaseChannels: 8, Attention: -1},
	Diffusion: diffusion.Config{Prediction: diffusion.PredictV, Schedule: diffusion.Cosine, Timesteps: 100},
	Training:  TrainingConfig{ImageSize: 8, BatchSize: 8, LearningRate: 2e-3, Seed: 11},
}

func student(t *testing.T, teacher *Model, steps int) *Model {
	t.Helper()
	s, err := teacher.Student(steps)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A student's DDIM step with its target lands where two steps of its teacher land, from each of its
// timesteps; and the target's picture and noise make x_t. The steps are diffusers': see
// diffusion.TestTrajectoriesAreDiffusers.
func TestStudentTarget(t *testing.T) {
	for _, c := range []Config{velocity, {Diffusion: diffusion.Config{Prediction: diffusion.PredictX0}, Network: networks.Config{BaseChannels: 4}, Training: TrainingConfig{ImageSize: 8}}} {
		teacher := newSmall(t, c)
		m := student(t, teacher, 5)
		timesteps, s := m.studentTimesteps(5), m.schedule
		var batch []int32
		for _, at := range timesteps {
			batch = append(batch, int32(at))
		}
		xt, y := graphtest.Pattern(1, 1.2, len(batch), 8, 8, 3), graphtest.Pattern(2, 0.8, len(batch), 8, 8, 3)
		exec, err := model.NewExec(m.backend, m.store, func(scope *model.Scope, in []*Node) []*Node {
			x0, eps := m.studentTarget(weightsAt(scope, teacherScope), networks.Inputs{Xt: in[0], Low: in[1]}, in[2])
			return []*Node{x0, eps, s.QSample(x0, in[2], eps)}
		})
		if err != nil {
			t.Fatal(err)
		}
		target, err := exec.Call(xt, y, batch)
		if err != nil {
			t.Fatal(err)
		}
		graphtest.Same(t, "x_t", target[2], xt, 1e-5)

		// The teacher's own way, one step at a time and one picture at a time.
		predict, err := teacher.NewExec(func(scope *nn.Scope, in []*Node) []*Node {
			x, t := in[0], in[2]
			return []*Node{diffusion.ClipX0(teacher.Config.Diffusion.Prediction.X0(s.At(t), x, Predict(scope, teacher.Config, x, in[1], t)))}
		})
		if err != nil {
			t.Fatal(err)
		}
		two, one := diffusion.DDIM.Steps(s.Points(m.studentTimesteps(10)...), diffusion.SamplerOptions{}), diffusion.DDIM.Steps(s.Points(timesteps...), diffusion.SamplerOptions{})
		all, x0s := graphtest.Float64s(xt), graphtest.Float64s(target[0])
		n := len(all) / len(batch)
		for k := range batch {
			x := all[k*n:][:n]
			for _, step := range two[2*k : 2*k+2] {
				var of []float32
				for range batch { // the rest of the batch is of no interest
					for _, v := range x {
						of = append(of, float32(v))
					}
				}
				out, err := predict.Call(tensors.FromFlatDataAndDimensions(of, xt.Shape().Dimensions...), y, int32(step.T))
				if err != nil {
					t.Fatal(err)
				}
				next := make([]float64, n)
				for i, x0 := range graphtest.Float64s(out[0])[k*n:][:n] {
					next[i] = step.OfXt*x[i] + step.OfX0*x0
				}
				x = next
			}
			var got []float64
			for i, x0 := range x0s[k*n:][:n] {
				got = append(got, one[k].OfXt*all[k*n+i]+one[k].OfX0*x0)
			}
			graphtest.Near(t, fmt.Sprintf("%s, from timestep %d", c.Diffusion.Prediction, timesteps[k]), got, x, 2e-5)
		}
	}
}

// A teacher that was trained with dropout teaches without it.
func TestTeacherHasNoDropout(t *testing.T) {
	c := velocity
	c.Network.Dropout = 0.5
	m := student(t, trained(t, c), 5)
	target := func(training bool) *tensors.Tensor {
		exec, err := model.NewExec(m.backend, m.store, func(scope *model.Scope, in []*Node) *Node {
			m.store.SetTraining(in[0].Graph(), training)
			_, x0, _ := m.learnFromTeacher(scope, networks.Inputs{Low: in[1]}, in[0], in[2], in[3])
			return x0
		})
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.Call(graphtest.Pattern(1, 0.8, 2, 8, 8, 3), graphtest.Pattern(2, 0.8, 2, 2, 2, 3), []int32{99, 59}, graphtest.Pattern(3, 1.2, 2, 8, 8, 3))
		if err != nil {
			t.Fatal(err)
		}
		return out[0]
	}
	graphtest.Same(t, "target while training", target(true), target(false), 1e-6)
}

// trained is a model after a few steps: some layers of a new one are zero, which hides what is
// before them.
func trained(t *testing.T, c Config) *Model {
	m := newSmall(t, c)
	trainSmall(t, m, 5, "")
	return m
}

// The whole path on a tiny model: the student at 2 steps comes closer to what its teacher makes in
// many than the teacher does in 2.
func TestDistillEndToEnd(t *testing.T) {
	ctx := context.Background()
	c := small
	c.Diffusion.Prediction, c.Diffusion.Schedule = diffusion.PredictV, diffusion.Cosine
	teacher := newSmall(t, c)
	trainSmall(t, teacher, 600, "")
	var pictures []imaging.Picture
	for i := range 8 {
		p := imaging.New(8, 8)
		if err := (waves{8}).Picture(uint64(10_000+i), p.Pix); err != nil {
			t.Fatal(err)
		}
		pictures = append(pictures, c.Degradation.Picture(p, 4))
	}
	sample := func(m *Model, o SampleOptions) []imaging.Picture {
		t.Helper()
		o.Seed = 3
		p, err := m.Sample(ctx, o, pictures...)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	distance := func(a, b []imaging.Picture) (sum float64) {
		for n := range a {
			for i, v := range a[n].Pix {
				sum += float64((v - b[n].Pix[i]) * (v - b[n].Pix[i]))
			}
		}
		return sum
	}
	want := sample(teacher, SampleOptions{Sampler: diffusion.DDIM, Steps: 16})
	before := distance(sample(teacher, SampleOptions{Sampler: diffusion.DDIM, Steps: 2}), want)

	m := teacher
	for steps := 8; steps >= 2; steps /= 2 {
		m = student(t, m, steps)
		m.Config.Training.LearningRate, m.Config.Training.Decay = 1e-3, 300
		trainSmall(t, m, 300, "")
	}
	path := filepath.Join(t.TempDir(), ModelFile)
	if err := m.Save(path); err != nil {
		t.Fatal(err)
	}
	loaded, err := Load(graphtest.Engine(t), path)
	if err != nil {
		t.Fatal(err)
	}
	steps := 0
	after := distance(sample(loaded, SampleOptions{Each: func(s SampleStep) { steps = s.Steps }}), want)
	t.Logf("squared distance to 16 steps: %.3g, of the teacher at 2 steps %.3g", after, before)
	if !(after < 0.8*before) {
		t.Errorf("squared distance to the teacher's 16 steps: %.3g, and the teacher's own 2 steps have %.3g: want less",
			after, before)
	}
	if steps != 2 {
		t.Errorf("the student was sampled in %d steps, want 2", steps)
	}
}

// A stage that was stopped and resumed ends as one that was not, and a resumed student knows its
// teacher.
func TestDistillResumes(t *testing.T) {
	c := small
	c.Diffusion.Prediction = diffusion.PredictV
	teacher := newSmall(t, c)
	straight, stopped := t.TempDir(), t.TempDir()
	trainSmall(t, student(t, teacher, 10), 8, straight)

	ctx, stop := context.WithCancel(context.Background())
	err := student(t, teacher, 10).Train(ctx, waves{8}, 8, stopped, func(p Progress) {
		if p.Step == 3 {
			stop()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	m, err := Resume(graphtest.Engine(t), stopped)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.CheckTeacher(teacher); err != nil {
		t.Error(err)
	}
	other := c
	other.Training.Seed++
	if err := m.CheckTeacher(newSmall(t, other)); err == nil || !strings.Contains(err.Error(), "another teacher") {
		t.Errorf("got %v, want another teacher", err)
	}
	other.Network.BaseChannels = 16
	if err := m.CheckTeacher(newSmall(t, other)); err == nil || !strings.Contains(err.Error(), "another teacher") {
		t.Errorf("got %v, want another teacher", err)
	}
	trainSmall(t, m, 8, stopped)
	a, err := checkpoint.Read(filepath.Join(straight, ModelFile))
	if err != nil {
		t.Fatal(err)
	}
	b, err := checkpoint.Read(filepath.Join(stopped, ModelFile))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range a.Tensors {
		if got := b.Tensors[name]; got == nil || !got.Equal(want) {
			t.Errorf("%s differs", name)
		}
	}
}

func TestDistillRefuses(t *testing.T) {
	regression, eps, taught := velocity, velocity, velocity
	regression.Diffusion.Prediction, eps.Diffusion.Prediction, taught.Diffusion.Distilled = diffusion.Regression, diffusion.PredictEps, 8
	for _, test := range []struct {
		want  string
		c     Config
		steps int
	}{
		{"the teacher predicts eps", eps, 1},
		{"the teacher was trained for regression", regression, 4},
		{"distilling to 0 steps: want 1 to 50", velocity, 0},
		{"distilling to 51 steps: want 1 to 50", velocity, 51},
		{"from a teacher of 8: want a teacher of 4", taught, 2},
	} {
		_, err := newSmall(t, test.c).Student(test.steps)
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("got %v, want one line with %q", err, test.want)
		}
	}
	alone := newSmall(t, taught)
	if err := alone.Train(context.Background(), waves{8}, 2, ""); err == nil || !strings.Contains(err.Error(), "without its teacher") {
		t.Errorf("got %v, want that it cannot be trained", err)
	}
	for _, o := range []SampleOptions{{Steps: 4}, {Sampler: diffusion.DDPM}, {Spacing: diffusion.Leading}, {Eta: 0.5}} {
		if _, err := alone.Sample(context.Background(), o, low(2, 2)); err == nil || !strings.Contains(err.Error(), "was distilled to 8 steps") {
			t.Errorf("%+v: got %v, want that it is sampled in 8 steps", o, err)
		}
	}
	if _, err := alone.Sample(context.Background(), SampleOptions{}, low(2, 2)); err != nil {
		t.Error(err)
	}
}
