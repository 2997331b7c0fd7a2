// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

//go:build !goexperiment.simd

package engine

const builtWithSIMD = false
