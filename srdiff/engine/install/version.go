// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

//go:build cgo

package install

import "github.com/gomlx/go-xla/pjrt"

// cpuVersion is the release of go-xla's plugin for the processor that this go-xla is tested with.
var cpuVersion = pjrt.DefaultCPUVersion
