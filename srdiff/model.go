// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/srdiff/srlab/srdiff/checkpoint"
)

// Model is a network with its weights, on an engine. It is for one goroutine at a time.
type Model struct {
	Config Config // with its defaults filled in
	Step   int    // how many training steps its weights have seen

	Damaged []error // the checkpoints that Resume could not read, newest first
	Devices int     // of the engine, over which Train spreads every batch; 0 is 1

	backend  compute.Backend
	schedule *Schedule
	store    *model.Store // the weights; while and after training, their averages and the optimizer's state too
	raw      bool         // see WithRawWeights

	// The programs of Sample and NoiseError.
	start       *Exec
	samplers    map[samplerVariant]*model.Exec
	noiseErrors map[string]*model.Exec // by the weights that they use
}

// NewModel makes a network with first weights that follow from config.Seed. It returns an error when the configuration is
// not valid.
func NewModel(backend compute.Backend, config Config) (*Model, error) {
	m, err := emptyModel(backend, config)
	if err != nil {
		return nil, err
	}
	return m, newWeights(m.store, m.Config)
}

// emptyModel makes a model whose weights are still to be put in its store.
func emptyModel(backend compute.Backend, config Config) (*Model, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	m := &Model{
		Config: config.WithDefaults(), backend: backend, store: model.NewStore(),
		samplers: map[samplerVariant]*model.Exec{}, noiseErrors: map[string]*model.Exec{},
	}
	var err error
	if m.schedule, err = m.Config.Schedule(); err != nil {
		return nil, err
	}
	return m, m.newStart()
}

// WithRawWeights returns the model as the last training step left it, whose Sample, NoiseError and Save use the weights
// themselves. Those of a model that was trained with an average (Config.EMA) use that. The two share their weights.
func (m *Model) WithRawWeights() *Model {
	raw := *m
	raw.raw = true
	return &raw
}

// NewExec makes a program of a graph function that uses the network: scope is where Predict and Loss find the weights that Sample
// uses. It is for looking inside, as a notebook's cell does:
//
//	predict, err := m.NewExec(func(scope *model.Scope, in []*Node) []*Node {
//		return []*Node{srdiff.Predict(scope, m.Config, in[0], in[1], in[2])}
//	})
func (m *Model) NewExec(f func(scope *model.Scope, inputs []*Node) []*Node) (*model.Exec, error) {
	use := m.weights()
	return model.NewExec(m.backend, m.store, func(scope *model.Scope, inputs []*Node) []*Node {
		return f(scope.In("%s", use), inputs)
	})
}

// weights is the scope of the weights that the model is used with.
func (m *Model) weights() string {
	if m.raw || !m.averaged() {
		return weights
	}
	return averages
}

// averaged is whether there are averages of the weights, and they are wanted.
func (m *Model) averaged() bool {
	return m.Config.EMA > 0 && m.store.GetVariable(parametersOf(m.Config)[0].path(averages)) != nil
}

// Schedule returns the model's noise schedule.
func (m *Model) Schedule() *Schedule { return m.schedule }

// NumParameters returns how many numbers the network's weights are: 467,747 for the tutorial's 32 base channels.
func (m *Model) NumParameters() int {
	n := 0
	for _, p := range parametersOf(m.Config) {
		n += shapes.Make(dtypes.Float32, p.dims...).Size()
	}
	return n
}

const metadataKey = "srdiff"

// architecture names the network's code in a model file.
func architecture(c Config) string {
	if c.Network == NetworkTutorial {
		return "tutorial-unet"
	}
	return "residual-unet"
}

// metadata is what a model file says about itself, as JSON under the key "srdiff".
type metadata struct {
	Architecture string `json:"architecture"`
	Step         int    `json:"step"`
	Config       Config `json:"config"`
	Version      string `json:"version,omitempty"` // of srdiff, which wrote the file
}

// Save writes the weights that Sample uses, the averaged ones where there are any, as a safetensors file with the names and
// layouts of the tutorial's PyTorch state_dict, and the configuration as metadata. The file is written whole or not at all.
func (m *Model) Save(path string) error {
	file := checkpoint.File{Tensors: map[string]*tensors.Tensor{}}
	for _, p := range parametersOf(m.Config) {
		value, err := m.store.GetVariable(p.path(m.weights())).Value()
		if err != nil {
			return fmt.Errorf("saving weight %s: %w", p.name, err)
		}
		if file.Tensors[p.name], err = p.toTorch(value); err != nil {
			return fmt.Errorf("saving weight %s: %w", p.name, err)
		}
	}
	return m.write(path, file)
}

// write adds the metadata to a file and writes it.
func (m *Model) write(path string, file checkpoint.File) error {
	about, err := json.Marshal(metadata{architecture(m.Config), m.Step, m.Config, Version()})
	if err != nil {
		return err
	}
	file.Metadata = map[string]string{"format": "pt", metadataKey: string(about)}
	return checkpoint.Write(path, file)
}

// Load reads a model file: one that Save wrote, or the tutorial's network saved straight from PyTorch, which has no
// metadata: then the configuration is the tutorial's, with the base channels read off the shapes. Half precision and the
// prefixes of PyTorch's wrappers are read too: see checkpoint.Read and checkpoint.NetworkNames.
//
// A file that is missing, cut short, or does not fit is an error that says what differs.
func Load(backend compute.Backend, path string) (*Model, error) {
	m, file, err := open(backend, path)
	if err != nil {
		return nil, err
	}
	if err := m.setWeights(file); err != nil {
		return nil, fmt.Errorf("%s does not fit: %w", path, err)
	}
	return m, nil
}

// open reads a file and makes the model that it describes, still without its weights.
func open(backend compute.Backend, path string) (*Model, checkpoint.File, error) {
	file, err := checkpoint.Read(path)
	if err != nil {
		return nil, file, err
	}
	if file.Tensors, err = checkpoint.NetworkNames(file.Tensors); err != nil {
		return nil, file, fmt.Errorf("%s: %w", path, err)
	}
	about, err := readMetadata(file)
	if err != nil {
		return nil, file, fmt.Errorf("%s: %w", path, err)
	}
	m, err := emptyModel(backend, about.Config)
	if err != nil {
		return nil, file, fmt.Errorf("%s: %w", path, err)
	}
	m.Step = about.Step
	return m, file, nil
}

// readMetadata returns what the file says about itself, or the tutorial's settings when it says nothing.
func readMetadata(file checkpoint.File) (metadata, error) {
	text, ok := file.Metadata[metadataKey]
	if !ok {
		first := file.Tensors["enc1.0.weight"]
		if first == nil || first.Rank() != 4 {
			return metadata{}, errors.New("not a model of the tutorial's network: it has no weight enc1.0.weight")
		}
		return metadata{Config: Config{BaseChannels: first.Shape().Dimensions[0]}}, nil
	}
	var about metadata
	if err := json.Unmarshal([]byte(text), &about); err != nil {
		return metadata{}, fmt.Errorf("its metadata cannot be read: %w", err)
	}
	switch {
	case about.Architecture != architecture(about.Config.WithDefaults()):
		return metadata{}, fmt.Errorf("its architecture is %q: want %q", about.Architecture,
			architecture(about.Config.WithDefaults()))
	case about.Step < 0:
		return metadata{}, fmt.Errorf("its training step is %d: want 0 or more", about.Step)
	}
	return about, nil
}

// setWeights puts the tensors of a file, named and laid out as in PyTorch, in the store.
func (m *Model) setWeights(file checkpoint.File) error {
	parameters := parametersOf(m.Config)
	for _, p := range parameters {
		t := file.Tensors[p.name]
		if t == nil {
			return fmt.Errorf("weight %s is missing", p.name)
		}
		if want := shapes.Make(dtypes.Float32, p.torchDims()...); !t.Shape().Equal(want) {
			return fmt.Errorf("weight %s is %s: want %s", p.name, t.Shape(), want)
		}
		value, err := p.fromTorch(t)
		if err != nil {
			return fmt.Errorf("weight %s: %w", p.name, err)
		}
		if _, err := m.store.CreateVariable(p.path(weights), value); err != nil {
			return fmt.Errorf("weight %s: %w", p.name, err)
		}
	}
	if len(file.Tensors) > len(parameters) {
		var unknown []string
		for name := range file.Tensors {
			if !slices.ContainsFunc(parameters, func(p parameter) bool { return p.name == name }) {
				unknown = append(unknown, name)
			}
		}
		slices.Sort(unknown)
		return fmt.Errorf("the network has no weight %s", strings.Join(unknown, ", "))
	}
	return nil
}

// toTorch lays a weight of this network out as PyTorch has it.
func (p parameter) toTorch(value *tensors.Tensor) (*tensors.Tensor, error) {
	axes := make([]int, len(p.torchAxes))
	for here, there := range p.torchAxes {
		axes[there] = here
	}
	return transpose(value, axes)
}

// fromTorch is toTorch backward. Values that are not finite are refused.
func (p parameter) fromTorch(value *tensors.Tensor) (*tensors.Tensor, error) {
	if finite, err := isFinite(value); err != nil {
		return nil, err
	} else if !finite {
		return nil, errors.New("it holds values that are not finite numbers: the training that made it diverged")
	}
	return transpose(value, p.torchAxes)
}

// isFinite is whether a float32 tensor holds no NaN and no infinity.
func isFinite(t *tensors.Tensor) (finite bool, err error) {
	err = tensors.ConstFlatData(t, func(flat []float32) {
		finite = !slices.ContainsFunc(flat, func(v float32) bool { return v-v != 0 })
	})
	return finite, err
}

// transpose returns a float32 tensor whose axis i is the old one's axis axes[i].
func transpose(t *tensors.Tensor, axes []int) (*tensors.Tensor, error) {
	old, err := tensors.CopyFlatData[float32](t)
	if err != nil {
		return nil, err
	}
	strides := t.LayoutStrides()
	dims := make([]int, len(axes))
	for i, axis := range axes {
		dims[i] = t.Shape().Dimensions[axis]
	}
	values := make([]float32, len(old))
	index := make([]int, len(axes)) // of values, counted up like an odometer
	for n := range values {
		from := 0
		for i, axis := range axes {
			from += index[i] * strides[axis]
		}
		values[n] = old[from]
		for i := len(index) - 1; i >= 0; i-- {
			if index[i]++; index[i] < dims[i] {
				break
			}
			index[i] = 0
		}
	}
	return tensors.FromFlatDataAndDimensions(values, dims...), nil
}
