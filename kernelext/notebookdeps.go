// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

//go:build notebookdeps

package kernelext

// The packages that notebooks import and the library does not. Cells cannot download modules: the
// kernel takes each version from this module's go.mod, and an import here keeps the module there.
// `make setup` compiles these packages before the first cell runs.
import (
	_ "github.com/gomlx/gomlx/core/graph"
	_ "github.com/gomlx/gomlx/core/tensors"
	_ "github.com/gomlx/gomlx/ml/model"
	_ "github.com/janpfeifer/gonb/gonbui"
	_ "gonum.org/v1/plot"
)
