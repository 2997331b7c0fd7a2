// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package engine

import (
	"runtime"

	"golang.org/x/sys/cpu"
)

// CPUFeatures lists the vector instructions of this processor that the engines can use, such as
// "AVX2".
func CPUFeatures() []string {
	var features []string
	for _, f := range []struct {
		name string
		has  bool
	}{
		{"AVX2", cpu.X86.HasAVX2},
		{"FMA", cpu.X86.HasFMA},
		{"AVX-512", cpu.X86.HasAVX512F},
		{"NEON", cpu.ARM64.HasASIMD},
	} {
		if f.has {
			features = append(features, f.name)
		}
	}
	return features
}

// simd describes whether the convolutions and products of the pure-Go engine use vector instructions on
// this machine.
func simd() string {
	switch {
	case cpu.X86.HasAVX512F:
		return "with AVX-512"
	case cpu.X86.HasAVX2 && cpu.X86.HasFMA:
		return "with AVX2"
	case runtime.GOARCH == "arm64":
		return "with NEON"
	default:
		return "without vector instructions"
	}
}
