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

// Model is a network with its weights, on an engine. Only one goroutine at a time may use it.
type Model struct {
	Config Config // complete with defaults; only its Training may be changed
	Step   int    // the number of training steps so far

	Damaged []error // the checkpoints that Resume could not read, newest first
	Devices int     // number of the engine's devices that share every training batch; 0 means 1

	made      Config // the configuration that the model was made with
	data      dataID // the data of its last training; may be empty
	backend   compute.Backend
	schedule  *diffusion.Schedule
	network   networks.Network
	predictor networks.MeanPredictor // see Config.Predictor; may be nil
	weights   []nn.Weight            // in the order of their declaration
	store     *model.Store           // the weights, and once it trains their averages and the optimizer's state
	raw       bool                   // see WithRawWeights

	// The programs of Sample and NoiseError.
	graph       func(m *Model, scope *nn.Scope, v samplerVariant, inputs []*Node) []*Node // Model.build; tests replace it
	programs    *programs
	noiseErrors map[string]*model.Exec // by the scope of their weights
}

// The scopes of the network's weights in a store, of their averages, and of the weights of a
// student's teacher. The optimizer's state and the random state are in other scopes.
const (
	weightsScope  = "unet"
	averagesScope = "average"
	teacherScope  = "teacher"
)

// NewModel makes a network whose first weights depend only on config.Training.Seed. An invalid
// configuration is an error.
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

// emptyModel makes a model without weights in its store.
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

// denoiser returns the network with the model's present configuration.
func (m *Model) denoiser() denoiser { return denoiser{m.Config, m.schedule, m.network, m.predictor} }

// WithRawWeights returns the model without weight averaging: its Sample, NoiseError and Save use
// the weights of the last training step in place of the averages (TrainingConfig.EMA). Both models
// share their weights.
func (m *Model) WithRawWeights() *Model {
	raw := *m
	raw.raw = true
	return &raw
}

// NewExec makes a program from a graph function that uses the network. The scope holds the weights
// that Sample uses, for Predict and Loss. A notebook's cell inspects a prediction with it:
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

// weightsAt returns the scope of a network whose weights are at the given place of a store.
func weightsAt(root *model.Scope, place string) *nn.Scope { return nn.NewScope(root.At("%s", place)) }

// inUse returns the scope of the weights that Sample uses.
func (m *Model) inUse() string {
	if m.raw || !m.averaged() {
		return weightsScope
	}
	return averagesScope
}

// averaged reports whether Sample uses averaged weights: they exist, and the configuration asks for
// them.
func (m *Model) averaged() bool {
	return m.Config.Training.EMA > 0 && m.variable(m.weights[0], averagesScope) != nil
}

// variable returns a weight's variable in the given scope, or nil.
func (m *Model) variable(w nn.Weight, scope string) *model.Variable {
	return m.store.GetVariable(w.Path(scope))
}

// copyWeights copies the weights in a scope of another model to a scope of this one.
func (m *Model) copyWeights(to string, from *Model, fromScope string, trainable bool) error {
	for _, w := range m.weights {
		if err := training.CopyVariable(m.store, w.Path(to), from.variable(w, fromScope), trainable); err != nil {
			return err
		}
	}
	return nil
}

// Close frees the memory of the weights and programs on the engine at once; otherwise the garbage
// collector frees it later. Do not use the model, or one that WithRawWeights returned, after Close.
func (m *Model) Close() {
	m.programs.close()
	for _, program := range m.noiseErrors {
		program.Finalize()
	}
	m.store.Finalize()
}

// Schedule returns the model's noise schedule.
func (m *Model) Schedule() *diffusion.Schedule { return m.schedule }

// NumParameters returns the number of the network's weights, counted as single numbers: 467,747 for
// the tutorial's 32 base channels.
func (m *Model) NumParameters() int {
	n := 0
	for _, w := range m.weights {
		n += w.Shape().Size()
	}
	return n
}
