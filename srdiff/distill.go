// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Progressive distillation (Salimans and Ho 2022): a student learns to go in one step of DDIM where its teacher goes in two, then
// becomes the teacher of the next, until a handful of steps is left:
//
//	for steps := 256; steps >= 4; steps /= 2 {
//		student, err := teacher.Student(steps)
//		...
//		err = student.Train(ctx, pictures, 2000, "")
//		...
//		teacher = student
//	}

// teachers is where a student's store has its teacher's weights: see network.
const teachers = "teacher"

// Student returns a model with the weights of this one, its teacher, for Train to teach: it learns to sample in so many steps of
// DDIM as well as the teacher does in twice as many. How it is trained is its Config's, which begins as the teacher's: the
// learning rate is best smaller than the teacher's was, and made to fall to 0 (Decay).
//
// A student is sampled in the steps that it learned, which its file says, and no others. The teacher may be a student itself, of
// twice the steps. It must predict v or x_0: from eps the x_0 of the first step, which is all that few steps rest on, cannot be
// told. Anything else is an error.
func (m *Model) Student(steps int) (*Model, error) {
	c := m.Config
	switch {
	case c.Prediction == PredictsEps:
		return nil, errors.New("the teacher predicts eps, and a step from noise alone, which says nothing of the picture, cannot " +
			"be learned from that: train a teacher that predicts v")
	case c.Prediction == Regresses:
		return nil, errors.New("the teacher was trained for regression, which is one step already: take one that predicts v")
	case steps < 1 || 2*steps > c.Timesteps:
		return nil, fmt.Errorf("distilling to %d steps: want 1 to %d, half of the teacher's timesteps", steps, c.Timesteps/2)
	case c.Distilled > 0 && c.Distilled != 2*steps:
		return nil, fmt.Errorf("distilling to %d steps from a teacher of %d: want a teacher of %d", steps, c.Distilled, 2*steps)
	}
	c.Distilled, c.DropCondition = steps, 0
	student, err := emptyModel(m.backend, c)
	if err != nil {
		return nil, err
	}
	for _, p := range parametersOf(c) {
		from := m.store.GetVariable(p.path(m.weights()))
		for _, to := range []string{weights, teachers} {
			if err := copyVariable(student.store, p.path(to), from, to == weights); err != nil {
				return nil, err
			}
		}
	}
	return student, nil
}

// copyVariable makes a variable with the value of another one, of any store.
func copyVariable(store *model.Store, path string, from *model.Variable, trainable bool) error {
	value, err := from.Value()
	if err != nil {
		return err
	}
	if value, err = value.LocalClone(); err != nil {
		return err
	}
	made, err := store.CreateVariable(path, value)
	if err != nil {
		return err
	}
	made.SetTrainable(trainable)
	return nil
}

// CheckTeacher returns an error unless the model is a student of this very teacher, weight by weight. It is for a run that is
// resumed.
func (m *Model) CheckTeacher(teacher *Model) error {
	if !m.taught() {
		return errors.New("this model is no student, or has no teacher with it")
	}
	if m.Config.Prediction != teacher.Config.Prediction || !slices.Equal(m.schedule.AlphaBars, teacher.schedule.AlphaBars) {
		return errors.New("the student learns from another teacher: its prediction or its schedule differs")
	}
	for _, p := range parametersOf(m.Config) {
		theirs := teacher.store.GetVariable(p.path(teacher.weights()))
		if theirs == nil {
			return fmt.Errorf("the student learns from another teacher: this one has no weight %s", p.name)
		}
		a, err := m.store.GetVariable(p.path(teachers)).Value()
		if err != nil {
			return err
		}
		b, err := theirs.Value()
		if err != nil {
			return err
		}
		if !a.Equal(b) {
			return fmt.Errorf("the student learns from another teacher: weight %s differs", p.name)
		}
	}
	return nil
}

// taught is whether the model has a teacher to learn from.
func (m *Model) taught() bool {
	return m.store.GetVariable(parametersOf(m.Config)[0].path(teachers)) != nil
}

// visited are the timesteps of a model that was distilled to so many steps, greatest first.
func (s *Schedule) visited(steps int) []int {
	list, err := Spacing(Trailing, s.Timesteps, steps)
	if err != nil {
		panic(err)
	}
	return list
}

// drawTimestep draws a timestep for every picture of a batch: any, or one of those that a student visits.
func (m *Model) drawTimestep(rng *Node, batch int) (newRNG, t *Node) {
	shape := shapes.Make(dtypes.Int32, batch)
	if m.Config.Distilled == 0 {
		return RandomIntN(rng, m.schedule.Timesteps, shape)
	}
	var list []int32
	for _, t := range m.schedule.visited(m.Config.Distilled) {
		list = append(list, int32(t))
	}
	newRNG, k := RandomIntN(rng, m.Config.Distilled, shape)
	return newRNG, Reshape(Gather(Const(rng.Graph(), list), Reshape(k, batch, 1)), batch)
}

// lesson is what a teacher has its student learn at x_t: the picture that the student must predict to arrive, in one step from t,
// where the teacher arrives in two, by way of t' (Salimans and Ho 2022, algorithm 2). With the coefficients a, b of the student's
// step of DDIM, x_s = a x_t + b x_0,
//
//	x_0 = (x_s - a x_t) / b,   x_s = teacher(teacher(x_t, t), t')
//
// and the noise that is in x_t if that is the picture. So Loss of the two is the student's, with the weight SNR + 1 for v.
//
// y is the network's condition, t an integer [batch], of those that the student visits; scope is where the teacher's weights are.
func (m *Model) lesson(scope *model.Scope, xt, y, t *Node) (x0, eps *Node) {
	s := m.schedule
	of := func(steps []ReverseStep, t *Node, coefficient func(ReverseStep) float64) *Node {
		table := map[int]float64{}
		for _, step := range steps {
			table[step.T] = coefficient(step)
		}
		return s.lookUp(func(t int) float64 { return table[t] }, t)
	}
	ofXt := func(r ReverseStep) float64 { return r.OfXt }
	ofX0 := func(r ReverseStep) float64 { return r.OfX0 }

	timesteps := s.visited(2 * m.Config.Distilled)
	two, one := s.DDIM(timesteps, 0), s.DDIM(s.visited(m.Config.Distilled), 0)
	next := map[int]float64{}
	for i := 0; i < len(timesteps); i += 2 {
		next[timesteps[i]] = float64(timesteps[i+1])
	}
	between := ConvertDType(Reshape(s.lookUp(func(t int) float64 { return next[t] }, t), -1), t.DType())
	x := xt
	for _, t := range []*Node{t, between} {
		x0 := ClipX0(s.X0(m.Config.Prediction, x, t, Predict(scope, m.Config, x, y, t)))
		x = Add(Mul(of(two, t, ofXt), x), Mul(of(two, t, ofX0), x0))
	}
	x0 = Div(Sub(x, Mul(of(one, t, ofXt), xt)), of(one, t, ofX0))
	return x0, s.Eps(PredictsX0, xt, t, x0)
}
