// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/spf13/pflag"
	"github.com/srdiff/srlab/srdiff/engine"
)

// engineFlag adds the flag that names the engine. Commands pass its value to engine.Open, which
// chooses the engine for "auto".
func engineFlag(flags *pflag.FlagSet, name *string) {
	flags.StringVar(name, "engine", "auto", "engine for the computation: "+engine.Names)
}

// devicesFlag adds the flag for training on several GPUs.
func devicesFlag(flags *pflag.FlagSet, n *int) {
	intFlag(flags, n, "devices", "number of the engine's devices that share every batch")
}
