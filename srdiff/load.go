// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gomlx/compute"
	"github.com/srdiff/srlab/srdiff/degrade"
	"github.com/srdiff/srlab/srdiff/diffusion"
	"github.com/srdiff/srlab/srdiff/internal/checkpoint"
	"github.com/srdiff/srlab/srdiff/networks"
)

const metadataKey = "srdiff"

// fileFormat is the newest format of a model file's metadata.
const fileFormat = 3

// metadata describes the model in a file, as JSON under the key "srdiff".
type metadata struct {
	Format int `json:"format"`
	Config
	Step    int    `json:"step"`
	Version string `json:"version,omitempty"` // of the srdiff that wrote the file
}

// Save writes the weights that Sample uses (the averaged ones, if there are any) as a safetensors
// file, with the names and layouts of the tutorial's PyTorch state_dict. The configuration is in
// its metadata. The file is written whole or not at all.
func (m *Model) Save(path string) error { return m.save(path, false) }

// SaveHalf is Save with the weights rounded to float16: a file of half the size, for models that
// are finished. A weight of 65520 or more is an error.
func (m *Model) SaveHalf(path string) error { return m.save(path, true) }

func (m *Model) save(path string, half bool) error {
	weights, err := m.torchWeights()
	if err != nil {
		return fmt.Errorf("saving: %w", err)
	}
	return m.write(path, checkpoint.File{Tensors: weights, Half: half})
}

// write adds the metadata to a file and writes it.
func (m *Model) write(path string, file checkpoint.File) error {
	text, err := json.Marshal(metadata{fileFormat, m.Config, m.Step, Version()})
	if err != nil {
		return err
	}
	about := map[string]string{"format": "pt", metadataKey: string(text)}
	maps.Copy(about, file.Metadata)
	file.Metadata = about
	return checkpoint.Write(path, file)
}

// Load reads a model file: one that Save wrote, or the tutorial's network or a predictor as PyTorch
// saves it, in a safetensors file or a checkpoint (.pth, .pt), of which nothing is run. A file from
// PyTorch has no metadata: its configuration is the tutorial's or that of a regression, and its sizes
// follow from the shapes. Load converts half-precision weights to float32 and removes the prefixes
// "module." and "_orig_mod." that PyTorch's wrappers add to names.
//
// A file that is missing, incomplete or of another network is an error that names the difference.
// So is a file of a newer srdiff.
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

// Parse is Load for the bytes of a model file, such as one that is part of a program. Its errors name
// no file.
func Parse(backend compute.Backend, data []byte) (*Model, error) {
	file, err := checkpoint.Parse(data)
	if err != nil {
		return nil, err
	}
	m, err := describedBy(backend, &file)
	if err != nil {
		return nil, err
	}
	if err := m.setWeights(file); err != nil {
		return nil, fmt.Errorf("the model does not fit: %w", err)
	}
	return m, nil
}

// ReadConfig returns the configuration in a model file, complete with defaults, without loading the
// model: see Load.
func ReadConfig(path string) (Config, error) {
	file, err := checkpoint.Read(path)
	if err != nil {
		return Config{}, err
	}
	c, err := configIn(file)
	if err != nil {
		return Config{}, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// ParseConfig is ReadConfig for the bytes of a model file. Its errors name no file.
func ParseConfig(data []byte) (Config, error) {
	file, err := checkpoint.Parse(data)
	if err != nil {
		return Config{}, err
	}
	return configIn(file)
}

func configIn(file checkpoint.File) (Config, error) {
	var err error
	if file.Tensors, err = checkpoint.NetworkNames(file.Tensors); err != nil {
		return Config{}, err
	}
	about, err := readMetadata(file)
	if err == nil {
		err = about.Config.Validate()
	}
	return about.Config.WithDefaults(), err
}

// open reads a file and makes the model that it describes, still without its weights.
func open(backend compute.Backend, path string) (*Model, checkpoint.File, error) {
	file, err := checkpoint.Read(path)
	if err != nil {
		return nil, file, err
	}
	m, err := describedBy(backend, &file)
	if err != nil {
		return nil, file, fmt.Errorf("%s: %w", path, err)
	}
	return m, file, nil
}

// describedBy makes the model that a file describes, without its weights, and gives the file's tensors
// the network's names.
func describedBy(backend compute.Backend, file *checkpoint.File) (m *Model, err error) {
	if file.Tensors, err = checkpoint.NetworkNames(file.Tensors); err != nil {
		return nil, err
	}
	about, err := readMetadata(*file)
	if err != nil {
		return nil, err
	}
	if m, err = emptyModel(backend, about.Config); err != nil {
		return nil, err
	}
	m.Step = about.Step
	return m, nil
}

// readMetadata returns the file's metadata, or the tutorial's settings where it has none.
func readMetadata(file checkpoint.File) (about metadata, err error) {
	text, ok := file.Metadata[metadataKey]
	if !ok {
		return torchMetadata(file)
	}
	var version struct{ Format int }
	if err := json.Unmarshal([]byte(text), &version); err != nil {
		return about, fmt.Errorf("its metadata cannot be read: %w", err)
	}
	switch {
	case version.Format > fileFormat:
		return about, fmt.Errorf("written by a newer srdiff: format %d, this one reads up to %d", version.Format, fileFormat)
	case version.Format == fileFormat:
		err = decode(text, &about)
	case version.Format == 2:
		if text, err = withoutPrecision(text); err == nil {
			err = decode(text, &about)
		}
	default:
		var old metadata1
		err = decode(text, &old)
		about = old.metadata()
	}
	if err != nil {
		return about, err
	}
	if about.Step < 0 {
		return about, fmt.Errorf("its training step is %d: want 0 or more", about.Step)
	}
	return about, nil
}

// withoutPrecision removes from metadata of format 2 the precision of the networks, which does not
// belong to a model any more: see TrainingConfig.Precision and SampleOptions.Precision.
func withoutPrecision(text string) (string, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &fields); err != nil {
		return "", fmt.Errorf("its metadata cannot be read: %w", err)
	}
	for _, name := range []string{"network", "predictor"} {
		var network map[string]json.RawMessage
		if json.Unmarshal(fields[name], &network) != nil {
			continue // decode reports it
		}
		delete(network, "precision")
		fields[name], _ = json.Marshal(network) // what was just read
	}
	again, err := json.Marshal(fields)
	return string(again), err
}

// decode reads metadata. A field that the destination lacks is an error: it may change what the
// model is.
func decode(text string, to any) error {
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(to)
	if err == nil {
		return nil
	}
	if field, found := strings.CutPrefix(err.Error(), "json: unknown field "); found {
		return fmt.Errorf("its metadata has the field %s, which this srdiff does not know: want a file of this version or an "+
			"older one", field)
	}
	return fmt.Errorf("its metadata cannot be read: %w", err)
}

// torchMetadata describes a network saved from PyTorch: the tutorial's, or a predictor, whose sizes
// follow from the shapes.
func torchMetadata(file checkpoint.File) (metadata, error) {
	if outputs := outputsOf(file, "enc1.0.weight"); outputs > 0 {
		return metadata{Config: Config{Network: networks.Config{BaseChannels: outputs}}}, nil
	}
	head, up := outputsOf(file, "head.weight"), outputsOf(file, "up.weight")
	if head > 0 && up > 0 {
		c := Config{Network: networks.Config{Name: networks.PixelShuffle, BaseChannels: head},
			Diffusion: diffusion.Config{Prediction: diffusion.Regression}}
		for outputsOf(file, fmt.Sprintf("trunk.%d.a.weight", c.Network.Blocks)) > 0 {
			c.Network.Blocks++
		}
		for _, factor := range factors {
			if up == 3*factor*factor {
				c.Factor = factor
				return metadata{Config: c}, nil
			}
		}
		return metadata{}, fmt.Errorf("up.weight has %d outputs: want 3 factor^2 for a factor of 2, 3, 4 or 8", up)
	}
	return metadata{}, fmt.Errorf("not a model of srdiff: without its metadata, it has no weight enc1.0.weight, as the tutorial's "+
		"network has, and no head.weight and up.weight, as a %s has", networks.PixelShuffle)
}

// outputsOf returns how many outputs a convolution in a file has, or 0 where there is none of that name.
func outputsOf(file checkpoint.File, name string) int {
	w := file.Tensors[name]
	if w == nil || w.Rank() != 4 {
		return 0
	}
	return w.Shape().Dimensions[0]
}

// metadata1 is the metadata of files from before there were formats.
type metadata1 struct {
	Architecture string // follows from Config.Network
	Prediction   string // of the oldest files, where it is always eps
	Step         int
	Version      string
	Config       struct {
		Kind       diffusion.ScheduleKind
		Timesteps  int
		BetaStart  float64 `json:"beta_start"`
		BetaEnd    float64 `json:"beta_end"`
		ZeroSNR    bool    `json:"zero_snr"`
		Prediction diffusion.Prediction
		Distilled  int

		Network      networks.Name
		BaseChannels int    `json:"base_channels"`
		Precision    string // of the network, which is not the model's any more
		Attention    int
		Transformers int
		AddTime      bool `json:"add_time"`
		Dropout      float64

		Degradation degrade.Kernel
		Blur        float64
		Noise       float64

		TrainingConfig
	}
}

func (old metadata1) metadata() metadata {
	c := old.Config
	return metadata{Format: 1, Step: old.Step, Version: old.Version, Config: Config{
		Diffusion: diffusion.Config{Schedule: c.Kind, Timesteps: c.Timesteps, BetaStart: c.BetaStart, BetaEnd: c.BetaEnd,
			ZeroSNR: c.ZeroSNR, Prediction: c.Prediction, Distilled: c.Distilled},
		Network: networks.Config{Name: c.Network, BaseChannels: c.BaseChannels,
			Attention: c.Attention, Transformers: c.Transformers, AddTime: c.AddTime, Dropout: c.Dropout},
		Degradation: degrade.Config{Kernel: c.Degradation, Blur: c.Blur, Noise: c.Noise},
		Training:    c.TrainingConfig,
	}}
}

// setWeights puts the tensors of a file, named and laid out as in PyTorch, in the store.
func (m *Model) setWeights(file checkpoint.File) error {
	known := map[string]bool{}
	for _, w := range m.weights {
		known[w.Name] = true
		t := file.Tensors[w.Name]
		if t == nil {
			return fmt.Errorf("weight %s is missing", w.Name)
		}
		if want := w.TorchShape(); !t.Shape().Equal(want) {
			return fmt.Errorf("weight %s is %s: want %s", w.Name, t.Shape(), want)
		}
		value, err := w.FromTorch(t)
		if err != nil {
			return fmt.Errorf("weight %s: %w", w.Name, err)
		}
		if _, err := m.store.CreateVariable(w.Path(weightsScope), value); err != nil {
			return fmt.Errorf("weight %s: %w", w.Name, err)
		}
	}
	var unknown []string
	for name := range file.Tensors {
		if !known[name] {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		slices.Sort(unknown)
		return fmt.Errorf("the network has no weight %s", strings.Join(unknown, ", "))
	}
	return nil
}

// InitFrom copies the weights of a model file that have the name and shape of a weight of this
// model, and returns their number. The weights of a predictor go to the predictor of a model that
// refines. Use it to train a network further, to begin a model for another factor with the same
// trunk, or to begin a refiner with its predictor. A file without any such weight is an error.
func (m *Model) InitFrom(path string) (taken int, err error) {
	file, err := checkpoint.Read(path)
	if err != nil {
		return 0, err
	}
	if file.Tensors, err = checkpoint.NetworkNames(file.Tensors); err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	for _, w := range m.weights {
		value := file.Tensors[w.Name]
		if value == nil {
			value = file.Tensors[strings.TrimPrefix(w.Name, predictorScope+".")]
		}
		if value == nil || !value.Shape().Equal(w.TorchShape()) {
			continue
		}
		if value, err = w.FromTorch(value); err != nil {
			return taken, fmt.Errorf("%s: weight %s: %w", path, w.Name, err)
		}
		if err := m.variable(w, weightsScope).SetValue(value); err != nil {
			return taken, err
		}
		taken++
	}
	if taken == 0 {
		return 0, fmt.Errorf("%s has no weight of the name and shape of one of this network's: want a model of the same kind", path)
	}
	return taken, nil
}
