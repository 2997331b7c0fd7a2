// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"cmp"
	"runtime/debug"
	"slices"
)

const modulePath = "github.com/srdiff/srlab"

// Version returns the version of srdiff in the running program: a release, a pseudo-version that
// ends in the commit (and "+dirty" if files differ from it), or "(devel)" if the build did not
// record one.
func Version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range slices.Concat([]*debug.Module{&info.Main}, info.Deps) {
			if module.Path == modulePath {
				return cmp.Or(module.Version, "(devel)")
			}
		}
	}
	return "(devel)"
}
