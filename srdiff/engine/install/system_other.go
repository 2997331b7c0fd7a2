// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

//go:build !(linux && amd64)

package install

import (
	"errors"
	"math"
	"os/exec"
)

// Nothing is compiled or unpacked here, so these functions are never called.

func freeSpace(string) int64 { return math.MaxInt64 }

func killGroup(*exec.Cmd) {}

func cudaInstall(plugin, version, folder string) error {
	return errors.New("the plugin for CUDA is there for linux/amd64 alone")
}
