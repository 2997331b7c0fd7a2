// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

//go:build notebookdeps

package kernelext

// What notebooks import beyond what the library does. Cells cannot download anything: the kernel takes every version
// from this module's go.mod, and an import here keeps a module in it. `make setup` compiles these for the first cell.
import (
	_ "github.com/gomlx/gomlx/core/graph"
	_ "github.com/gomlx/gomlx/core/tensors"
	_ "github.com/gomlx/gomlx/ml/model"
	_ "github.com/janpfeifer/gonb/gonbui"
	_ "gonum.org/v1/plot"
)
