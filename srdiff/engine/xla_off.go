// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

//go:build !cgo

package engine

import "github.com/gomlx/compute"

// HasXLA reports whether XLA's engines are part of this program, which needs cgo.
const HasXLA = false

func openPlugin(_, _, _ string) (compute.Backend, error) { return nil, errWithoutXLA }
