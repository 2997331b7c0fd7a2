// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/srdiff/srlab/srdiff/dataset"
	"github.com/srdiff/srlab/srdiff/internal/checkpoint"
	"github.com/srdiff/srlab/srdiff/internal/training"
)

// dataKey is the metadata key of a checkpoint's dataID.
const dataKey = "srdiff.data"

// dataID identifies the data of a run.
type dataID struct {
	Name        string `json:"name"`
	Fingerprint string `json:"fingerprint,omitempty"`
}

func idOf(src dataset.Source) dataID { return dataID{src.Name(), dataset.Fingerprint(src)} }

// CheckData returns an error unless src is the data of the model's last training. It compares
// fingerprints, or names if one has no fingerprint. Call it when a run is resumed. A model without
// a record of its data accepts any.
func (m *Model) CheckData(src dataset.Source) error {
	was, is := m.data, idOf(src)
	switch {
	case was.Name == "" || was == is:
		return nil
	case was.Fingerprint != "" && is.Fingerprint != "" && was.Fingerprint == is.Fingerprint:
		return nil
	case was.Name != is.Name:
		return fmt.Errorf("the run learned from %s, and this is %s: give the same data", was.Name, is.Name)
	case was.Fingerprint != "" && is.Fingerprint != "":
		return fmt.Errorf("the run learned from other pictures than those that %s holds now: restore them", is.Name)
	}
	return nil
}

// saveTraining writes what Resume needs and then the model, each whole or not at all. If writing
// the model fails, the first file still holds everything.
func (m *Model) saveTraining(dir string) error {
	file := checkpoint.File{Tensors: map[string]*tensors.Tensor{}}
	for v := range m.store.IterVariables() {
		value, err := v.Value()
		if err != nil {
			return fmt.Errorf("saving %s: %w", v.Path(), err)
		}
		file.Tensors[v.Path()] = value
	}
	text, err := json.Marshal(m.data)
	if err != nil {
		return err
	}
	file.Metadata = map[string]string{dataKey: string(text)}
	if err := m.write(filepath.Join(dir, TrainingFile), file); err != nil {
		return err
	}
	if err := training.KeepCheckpoint(dir, m.Step, func(path string) error { return m.write(path, file) }); err != nil {
		return err
	}
	return m.Save(filepath.Join(dir, ModelFile))
}

// Resume returns the model of the training run in dir as it was last saved, so that Train continues
// the run. If the last save is damaged, Resume takes the newest undamaged one; Model.Damaged lists
// the damaged ones.
func Resume(backend compute.Backend, dir string) (*Model, error) {
	var damaged []error
	for _, path := range training.Checkpoints(dir) {
		m, err := resume(backend, path)
		if err == nil {
			m.Damaged = damaged
			return m, nil
		}
		damaged = append(damaged, err)
	}
	return nil, fmt.Errorf("nothing to resume: %w", damaged[0])
}

func resume(backend compute.Backend, path string) (*Model, error) {
	m, file, err := open(backend, path)
	if err != nil {
		return nil, err
	}
	for _, w := range m.weights {
		if t := file.Tensors[w.Path(weightsScope)]; t == nil || !t.Shape().Equal(w.Shape()) {
			return nil, fmt.Errorf("%s does not fit: weight %s is missing or not %s", path, w.Name, w.Shape())
		}
	}
	if text, ok := file.Metadata[dataKey]; ok {
		if err := json.Unmarshal([]byte(text), &m.data); err != nil {
			return nil, fmt.Errorf("%s: its record of the data cannot be read: %w", path, err)
		}
	}
	for name, t := range file.Tensors {
		v, err := m.store.CreateVariable(name, t)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", path, name, err)
		}
		v.SetTrainable(strings.HasPrefix(name, "/"+weightsScope+"/"))
	}
	return m, nil
}

// restore takes all variables from a checkpoint of the same run.
func (m *Model) restore(path string) error {
	file, err := checkpoint.Read(path)
	if err != nil {
		return err
	}
	about, err := readMetadata(file)
	if err != nil {
		return err
	}
	if !m.isOfRun(about.Config) || about.Step > m.Step {
		return fmt.Errorf("%s is of another run", path)
	}
	for name, t := range file.Tensors {
		v := m.store.GetVariable(name)
		if v == nil {
			return fmt.Errorf("%s: %s is not of this model", path, name)
		}
		if err := v.SetValue(t); err != nil {
			return err
		}
	}
	m.Step = about.Step
	return nil
}
