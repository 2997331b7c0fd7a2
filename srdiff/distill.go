// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"errors"
	"fmt"
	"slices"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/srdiff/srlab/srdiff/diffusion"
	"github.com/srdiff/srlab/srdiff/networks"
	"github.com/srdiff/srlab/srdiff/nn"
)

// Progressive distillation (Salimans and Ho 2022): a student learns to take one step of DDIM where
// its teacher takes two. Then it becomes the teacher of the next student, down to a few steps:
//
//	for steps := 256; steps >= 4; steps /= 2 {
//		student, err := teacher.Student(steps)
//		...
//		err = student.Train(ctx, pictures, 2000, "")
//		...
//		teacher = student
//	}

// Student returns a model that starts with the weights of this one, its teacher. Train teaches it
// to sample in the given number of DDIM steps as well as the teacher does in twice as many. Its
// Config begins as the teacher's; choose a smaller learning rate than the teacher's, and let it
// fall to 0 (Decay).
//
// A student samples only in the steps that it learned, which its file holds. The teacher may itself
// be a student, of twice the steps. It must predict v or x_0: at the first step, x_t is nearly pure
// noise, and x_0 does not follow from a prediction of eps. Other teachers are an error.
func (m *Model) Student(steps int) (*Model, error) {
	c := m.Config
	switch {
	case c.Diffusion.Prediction == diffusion.PredictEps:
		return nil, errors.New("the teacher predicts eps, from which a step from pure noise cannot be learned, since it does not " +
			"determine the picture: train a teacher that predicts v")
	case c.Diffusion.Prediction == diffusion.Regression:
		return nil, errors.New("the teacher was trained for regression, which is one step already: take one that predicts v")
	case steps < 1 || 2*steps > c.Diffusion.Timesteps:
		return nil, fmt.Errorf("distilling to %d steps: want 1 to %d, half of the teacher's timesteps", steps, c.Diffusion.Timesteps/2)
	case c.Diffusion.Distilled > 0 && c.Diffusion.Distilled != 2*steps:
		return nil, fmt.Errorf("distilling to %d steps from a teacher of %d: want a teacher of %d", steps, c.Diffusion.Distilled, 2*steps)
	}
	c.Diffusion.Distilled, c.Training.DropCondition = steps, 0
	student, err := emptyModel(m.backend, c)
	if err != nil {
		return nil, err
	}
	for _, scope := range []string{weightsScope, teacherScope} {
		if err := student.copyWeights(scope, m, m.inUse(), scope == weightsScope); err != nil {
			return nil, err
		}
	}
	return student, nil
}

// CheckTeacher returns an error unless the model is a student of this teacher, with exactly its
// weights. Call it when a run is resumed.
func (m *Model) CheckTeacher(teacher *Model) error {
	if !m.hasTeacher() {
		return errors.New("this model is not a student, or does not hold its teacher")
	}
	if m.Config.Diffusion.Prediction != teacher.Config.Diffusion.Prediction || !slices.Equal(m.schedule.AlphaBars, teacher.schedule.AlphaBars) {
		return errors.New("the student learns from another teacher: its prediction or its schedule differs")
	}
	for _, w := range m.weights {
		theirs := teacher.variable(w, teacher.inUse())
		if theirs == nil {
			return fmt.Errorf("the student learns from another teacher: this one has no weight %s", w.Name)
		}
		a, err := m.variable(w, teacherScope).Value()
		if err != nil {
			return err
		}
		b, err := theirs.Value()
		if err != nil {
			return err
		}
		if !a.Equal(b) {
			return fmt.Errorf("the student learns from another teacher: weight %s differs", w.Name)
		}
	}
	return nil
}

// hasTeacher reports whether the model has a teacher to learn from.
func (m *Model) hasTeacher() bool { return m.variable(m.weights[0], teacherScope) != nil }

// studentTimesteps returns the timesteps at which a model distilled to the given number of steps
// samples, greatest first.
func (m *Model) studentTimesteps(steps int) []int {
	list, err := diffusion.Trailing.Timesteps(m.schedule.Timesteps, steps)
	if err != nil {
		panic(err)
	}
	return list
}

// learnFromTeacher replaces the x_0 and the noise of a batch by the student's targets: see
// studentTarget. The teacher computes as in sampling, without dropout.
func (m *Model) learnFromTeacher(scope *model.Scope, in networks.Inputs, x0, t, eps *Node) (_ networks.Inputs, targetX0, targetEps *Node) {
	teacher := m.trained(scope, teacherScope).Fixed()
	in, x0, _ = m.denoiser().residual(teacher, in, x0)
	in.Xt = m.schedule.QSample(x0, t, eps)
	targetX0, targetEps = m.studentTarget(teacher, in, t)
	return in, targetX0, targetEps
}

// studentTarget returns the student's target at x_t: the x_0 for which one DDIM step lands where
// two teacher steps, t to t' to s, land (Salimans and Ho 2022, algorithm 2). With the coefficients
// a, b of the student's step, x_s = a x_t + b x_0,
//
//	x_0 = (x_s - a x_t) / b,   x_s = teacher(teacher(x_t, t), t')
//
// and eps is the noise of x_t for this x_0. Loss of the two is the student's loss, with the weight
// SNR + 1 for v.
//
// The inputs include x_t. t is an integer [batch], one of the student's timesteps. scope holds the
// teacher's weights.
func (m *Model) studentTarget(scope *nn.Scope, in networks.Inputs, t *Node) (x0, eps *Node) {
	s, prediction, xt := m.schedule, m.Config.Diffusion.Prediction, in.Xt
	of := func(steps []diffusion.Step, t *Node, coefficient func(diffusion.Step) float64) *Node {
		table := map[int]float64{}
		for _, step := range steps {
			table[int(step.T)] = coefficient(step)
		}
		return s.LookUp(func(t int) float64 { return table[t] }, t)
	}
	ofXt := func(r diffusion.Step) float64 { return r.OfXt }
	ofX0 := func(r diffusion.Step) float64 { return r.OfX0 }

	timesteps := m.studentTimesteps(2 * m.Config.Diffusion.Distilled)
	two, one := diffusion.DDIM.Steps(s.Points(timesteps...), diffusion.SamplerOptions{}), diffusion.DDIM.Steps(s.Points(m.studentTimesteps(m.Config.Diffusion.Distilled)...), diffusion.SamplerOptions{})
	next := map[int]float64{}
	for i := 0; i < len(timesteps); i += 2 {
		next[timesteps[i]] = float64(timesteps[i+1])
	}
	between := ConvertDType(Reshape(s.LookUp(func(t int) float64 { return next[t] }, t), -1), t.DType())
	for _, t := range []*Node{t, between} {
		at := s.At(t)
		x0 := prediction.X0(at, in.Xt, m.denoiser().predict(scope, at, in))
		if !m.Config.refines() { // a residual has no range
			x0 = diffusion.ClipX0(x0)
		}
		in.Xt = Add(Mul(of(two, t, ofXt), in.Xt), Mul(of(two, t, ofX0), x0))
	}
	x0 = Div(Sub(in.Xt, Mul(of(one, t, ofXt), xt)), of(one, t, ofX0))
	return x0, diffusion.PredictX0.Eps(s.At(t), xt, x0)
}
