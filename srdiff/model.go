// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"math/rand/v2"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/srdiff/srlab/srdiff/diffusion"
	"github.com/srdiff/srlab/srdiff/internal/training"
	"github.com/srdiff/srlab/srdiff/networks"
	"github.com/srdiff/srlab/srdiff/nn"
)

// Model is a network with its weights, on an engine. It is for one goroutine at a time.
type Model struct {
	Config Config // complete with defaults; of a finished model, only Training may be changed
	Step   int    // how many training steps its weights have seen

	Damaged []error // the checkpoints that Resume could not read, newest first
	Devices int     // of the engine, over which Train spreads every batch; 0 is 1

	made      Config // what Config was at first
	data      dataID // what it was last trained on; may be empty
	backend   compute.Backend
	schedule  *diffusion.Schedule
	network   networks.Network
	predictor networks.MeanPredictor // see Config.Predictor; may be nil
	weights   []nn.Weight            // what the network declares
	store     *model.Store           // the weights; while and after training, their averages and the optimizer's state too
	raw       bool                   // see WithRawWeights

	// The programs of Sample and NoiseError.
	graph       func(m *Model, scope *nn.Scope, v samplerVariant, inputs []*Node) []*Node // Model.build, but in tests
	programs    *programs
	noiseErrors map[string]*model.Exec // by the weights that they use
}

// Where the network's weights are in a store, their averages, and the weights of a student's
// teacher. Optimizer state and the random state lie beside them.
const (
	weightsScope  = "unet"
	averagesScope = "average"
	teacherScope  = "teacher"
)

// NewModel makes a network with first weights that follow from config.Training.Seed. It returns an
// error when the configuration is not valid.
func NewModel(backend compute.Backend, config Config) (*Model, error) {
	m, err := emptyModel(backend, config)
	if err != nil {
		return nil, err
	}
	rng := rand.New(rand.NewPCG(uint64(m.Config.Training.Seed), 0x5eed)) // the same weights on every engine
	for _, w := range m.weights {
		if _, err := m.store.CreateVariable(w.Path(weightsScope), w.FirstValue(rng)); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// emptyModel makes a model whose weights are still to be put in its store.
func emptyModel(backend compute.Backend, config Config) (*Model, error) {
	d, err := newDenoiser(config)
	if err != nil {
		return nil, err
	}
	m := &Model{
		Config: d.config, made: d.config, schedule: d.schedule, network: d.network, predictor: d.predictor, backend: backend, store: model.NewStore(),
		graph: (*Model).build, programs: &programs{}, noiseErrors: map[string]*model.Exec{},
	}
	return m, m.declare()
}

// denoiser is the network as the model's configuration says now.
func (m *Model) denoiser() denoiser { return denoiser{m.Config, m.schedule, m.network, m.predictor} }

// WithRawWeights returns the model as the last training step left it: its Sample, NoiseError and
// Save use the weights themselves, where those of a model trained with an average
// (TrainingConfig.EMA) use that. Both share their weights.
func (m *Model) WithRawWeights() *Model {
	raw := *m
	raw.raw = true
	return &raw
}

// NewExec makes a program of a graph function that uses the network: Predict and Loss find in the
// scope the weights that Sample uses. It is for looking inside, as a notebook's cell does:
//
//	predict, err := m.NewExec(func(scope *nn.Scope, in []*Node) []*Node {
//		return []*Node{srdiff.Predict(scope, m.Config, in[0], in[1], in[2])}
//	})
func (m *Model) NewExec(f func(scope *nn.Scope, inputs []*Node) []*Node) (*model.Exec, error) {
	use := m.inUse()
	return model.NewExec(m.backend, m.store, func(scope *model.Scope, inputs []*Node) []*Node {
		return f(weightsAt(scope, use), inputs)
	})
}

// weightsAt returns the scope of a network whose weights are in the given place of a store.
func weightsAt(root *model.Scope, place string) *nn.Scope { return nn.NewScope(root.At("%s", place)) }

// inUse is the scope of the weights that the model is used with.
func (m *Model) inUse() string {
	if m.raw || !m.averaged() {
		return weightsScope
	}
	return averagesScope
}

// averaged reports whether there are averages of the weights, and they are wanted.
func (m *Model) averaged() bool {
	return m.Config.Training.EMA > 0 && m.variable(m.weights[0], averagesScope) != nil
}

// variable returns a weight's variable in the given scope, or nil.
func (m *Model) variable(w nn.Weight, scope string) *model.Variable {
	return m.store.GetVariable(w.Path(scope))
}

// copyWeights makes variables in a scope with the values that the network of another model has in
// one of its scopes.
func (m *Model) copyWeights(to string, from *Model, fromScope string, trainable bool) error {
	for _, w := range m.weights {
		if err := training.CopyVariable(m.store, w.Path(to), from.variable(w, fromScope), trainable); err != nil {
			return err
		}
	}
	return nil
}

// Close frees the memory of the weights and the programs on the engine at once, rather than when
// the garbage collector comes to them. The model, and those of WithRawWeights, must not be used
// after it.
func (m *Model) Close() {
	m.programs.close()
	for _, program := range m.noiseErrors {
		program.Finalize()
	}
	m.store.Finalize()
}

// Schedule returns the model's noise schedule.
func (m *Model) Schedule() *diffusion.Schedule { return m.schedule }

// NumParameters returns how many numbers the network's weights are: 467,747 for the tutorial's 32
// base channels.
func (m *Model) NumParameters() int {
	n := 0
	for _, w := range m.weights {
		n += w.Shape().Size()
	}
	return n
}
