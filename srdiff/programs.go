// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"fmt"
	"slices"
	"strings"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// maxPrograms is how many compiled programs a model keeps. With XLA each takes some 10 MB.
const maxPrograms = 16

// programKey identifies a program: its variant and the size of its pictures.
type programKey struct {
	samplerVariant
	batch, height, width int
}

// programs are the compiled programs of a model, the most recently used one last. When there are
// too many, the least recently used one is dropped.
type programs struct{ list []program }

type program struct {
	key  programKey
	exec *model.Exec
}

// get returns the program of a key, and builds it if there is none.
func (p *programs) get(key programKey, build func() (*model.Exec, error)) (*model.Exec, error) {
	if i := slices.IndexFunc(p.list, func(have program) bool { return have.key == key }); i >= 0 {
		found := p.list[i]
		p.list = append(slices.Delete(p.list, i, i+1), found)
		return found.exec, nil
	}
	exec, err := build()
	if err != nil {
		return nil, err
	}
	if len(p.list) >= maxPrograms {
		p.list[0].exec.Finalize()
		p.list = slices.Delete(p.list, 0, 1)
	}
	p.list = append(p.list, program{key, exec})
	return exec, nil
}

// close frees all programs.
func (p *programs) close() {
	for _, program := range p.list {
		program.exec.Finalize()
	}
	p.list = nil
}

// program returns the program of a variant for pictures of the size of x, [batch, height, width,
// 3].
func (m *Model) program(v samplerVariant, x *tensors.Tensor) (*model.Exec, error) {
	d := x.Shape().Dimensions
	return m.programs.get(programKey{v, d[0], d[1], d[2]}, func() (*model.Exec, error) {
		exec, err := model.NewExec(m.backend, m.store, func(scope *model.Scope, inputs []*Node) []*Node {
			return m.graph(m, weightsAt(scope, v.weights), v, inputs)
		})
		if err != nil {
			return nil, plain("preparing to sample", err)
		}
		return exec, nil
	})
}

// plain returns the first cause of an engine's error in one line, with the activity that failed. It
// omits the functions that the error passed through.
func plain(doing string, err error) error {
	cause := err
	for {
		wrapped, ok := cause.(interface{ Unwrap() error })
		if !ok || wrapped.Unwrap() == nil {
			return &engineError{doing, cause}
		}
		cause = wrapped.Unwrap()
	}
}

// engineError is an error of plain.
type engineError struct {
	doing string
	cause error
}

func (e *engineError) Error() string {
	return fmt.Sprintf("%s: %s", e.doing, strings.Join(strings.Fields(e.cause.Error()), " "))
}
func (e *engineError) Unwrap() error { return e.cause }
