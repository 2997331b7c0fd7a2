// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// Package engine opens a GoMLX compute backend, which runs the graphs: XLA on a GPU or on the
// processor, or pure Go. A program that is built without cgo has the pure-Go engine alone.
//
// Opening an engine of XLA changes the environment and the logger klog of the program only while
// the plugin loads: TF_CPP_MIN_LOG_LEVEL and TF_ENABLE_ONEDNN_OPTS are set and klog is silent for
// that time, and both are as before when Open returns. Two things cannot be avoided. When a program
// starts that imports go-xla, as this package does, go-xla sets TF_CPP_MIN_LOG_LEVEL to 3 unless it
// is set. And on CUDA it adds --xla_gpu_cuda_data_dir to XLA_FLAGS, where it must stay, since XLA
// reads it as late as it compiles. The option tf32=false of "xla:cuda" also sets
// NVIDIA_TF32_OVERRIDE=0, which stays for the same reason.
package engine

import (
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/gomlx/compute"
	"github.com/srdiff/srlab/srdiff/engine/goengine"
)

// Engine is an open compute backend and the reason why it was chosen.
type Engine struct {
	Backend compute.Backend
	Name    string // "xla:cuda", "xla:cpu" or "go"
	Why     string // one line for people

	// FastBFloat16 reports whether convolutions are faster in bfloat16 than in float32: on a GPU, and on a
	// processor with matrix instructions (AMX) through the plugin that package install builds.
	FastBFloat16 bool

	Plugin string // the PJRT plugin's file, "" for the pure-Go engine
}

// Names lists the names that Open accepts, for messages and flags.
const Names = "auto, xla:cuda, xla:cpu, go"

// Open opens the engine of the given name.
//
//	"xla:cuda"  XLA on NVIDIA GPUs, through a PJRT plugin
//	"xla:cpu"   XLA on the processor, through a PJRT plugin
//	"go"        GoMLX's pure-Go engine, part of the program: nothing to download or install
//	"auto"      the engine that the environment variable SRDIFF_ENGINE names, or else the first
//	            of these that works; Engine.Why gives the reason
//
// The name of an XLA engine can be followed by go-xla's options, as in "xla:cuda,preallocate=true".
// By default XLA allocates a GPU's memory as it needs it. Open looks for plugins in Folders, and
// downloads nothing: see package install.
//
// An unknown name, options for an engine without options, a plugin that is missing or does not
// work, and a missing GPU or driver are errors of one line that state a remedy.
func Open(name string) (*Engine, error) {
	platform, options, hasOptions := strings.Cut(name, ",")
	switch platform {
	case "xla:cuda", "xla:cpu":
		return openXLA(platform, options)
	case "auto", "go":
		if hasOptions {
			return nil, fmt.Errorf("engine %q: %s takes no options; only xla:cuda and xla:cpu do", name, platform)
		}
		if platform == "go" {
			return openGo()
		}
		return openAuto()
	}
	return nil, fmt.Errorf("engine %q is not known: want one of %s", name, Names)
}

// openAuto opens the engine that SRDIFF_ENGINE names, or else the first one that works.
func openAuto() (*Engine, error) {
	wanted := os.Getenv("SRDIFF_ENGINE")
	if wanted == "" || wanted == "auto" {
		return first("xla:cuda", "xla:cpu", "go")
	}
	e, err := Open(wanted)
	if err != nil {
		return nil, fmt.Errorf("SRDIFF_ENGINE: %w", err)
	}
	e.Why += ", chosen by SRDIFF_ENGINE"
	return e, nil
}

// first opens the first engine that works.
func first(names ...string) (*Engine, error) {
	var missed []string
	for _, name := range names {
		e, err := Open(name)
		if err == nil {
			for _, m := range missed {
				e.Why += "; " + m
			}
			return e, nil
		}
		if !isAbsent(err) { // A machine without a GPU needs no remark on it.
			missed = append(missed, "not "+err.Error())
		}
	}
	return nil, fmt.Errorf("no engine works: %s", strings.Join(missed, "; "))
}

func openGo() (*Engine, error) {
	backend, err := goengine.New()
	if err != nil {
		return nil, fmt.Errorf("go: %s", line(err))
	}
	why := fmt.Sprintf("GoMLX's pure-Go engine on %d processors, %s", runtime.GOMAXPROCS(0), simd())
	if !HasXLA {
		why += "; this program was built without cgo, so XLA is not part of it"
	}
	return &Engine{Backend: backend, Name: "go", Why: why}, nil
}

// String is the engine's name and the reason for it.
func (e *Engine) String() string { return e.Name + ": " + e.Why }

// Close frees the memory and the threads that the engine holds. Models and programs that run on it
// cannot be used any more. Closing an engine twice is allowed. The error is always nil; it makes
// Engine an io.Closer.
func (e *Engine) Close() error {
	if !e.Backend.IsFinalized() {
		e.Backend.Finalize()
	}
	return nil
}

// line makes one line of an error.
func line(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
