// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"sync"

	"github.com/srdiff/srlab/srdiff"
	"github.com/srdiff/srlab/srdiff/engine"
)

// loadedModel is a model with the SHA-256 of its file.
type loadedModel struct {
	*srdiff.Model
	hash string
}

// loadedModels are the models of a program that runs for long. It reads each of them once.
type loadedModels struct {
	engine *engine.Engine

	mu     sync.Mutex
	opened map[modelSource]*loadedModel
}

// openEngine opens the engine of a name, for models.
func openEngine(name string) (*loadedModels, error) {
	eng, err := engine.Open(name)
	if err != nil {
		return nil, err
	}
	return &loadedModels{engine: eng, opened: map[modelSource]*loadedModel{}}, nil
}

// load returns a model.
func (l *loadedModels) load(source modelSource) (*loadedModel, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if m := l.opened[source]; m != nil {
		return m, nil
	}
	m, hash, err := source.load(l.engine.Backend)
	if err != nil {
		return nil, err
	}
	l.opened[source] = &loadedModel{m, hash}
	return l.opened[source], nil
}
