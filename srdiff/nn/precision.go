// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package nn

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// Precision is the number type that layers compute in. Their weights are float32 in each.
type Precision string

// The precisions.
const (
	Float32  Precision = "float32"
	BFloat16 Precision = "bfloat16"
)

// Validate reports a precision that is not known.
func (p Precision) Validate() error {
	if p != Float32 && p != BFloat16 {
		return fmt.Errorf("precision is %q: want %s or %s", p, Float32, BFloat16)
	}
	return nil
}

// Computing returns the same scope for a network that computes in the given precision, Float32
// without it.
func (s *Scope) Computing(p Precision) *Scope {
	computing := *s
	computing.precision = p
	return &computing
}

// Convert returns x in the number type that a network in this scope computes in: see Computing.
// Layers compute in the type of what they are given.
func (s *Scope) Convert(x *Node) *Node {
	if s.precision == BFloat16 {
		return ConvertDType(x, dtypes.BFloat16)
	}
	return ConvertDType(x, dtypes.Float32)
}
