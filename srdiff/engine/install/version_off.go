// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

//go:build !cgo

package install

// cpuVersion is empty: without cgo nothing is installed.
const cpuVersion = ""
