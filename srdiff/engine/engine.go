// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// Package engine chooses the machine that runs the graphs: a GoMLX compute backend.
package engine

import (
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/gomlx/compute"
	_ "github.com/gomlx/compute/gobackend" // the engine that is always there
)

// Engine is an open compute backend, with what was chosen and why.
type Engine struct {
	Backend compute.Backend
	Name    string // "xla:cuda", "xla:cpu" or "go"
	Why     string // one line for people
	Plugin  string // the PJRT plugin's file, "" for the go engine
}

// Names lists what Open knows, for messages and flags.
const Names = "auto, xla:cuda, xla:cpu, go"

// Open opens the engine of the given name.
//
//	"xla:cuda"  XLA on NVIDIA GPUs, through a PJRT plugin
//	"xla:cpu"   XLA on the processor, through a PJRT plugin
//	"go"        GoMLX's pure-Go engine, part of the program: nothing to download or install
//	"auto"      the first of these that is there and works; Why says what kept the ones before it.
//	            The environment variable SRDIFF_ENGINE may name another choice for it
//
// An engine of XLA may be followed by go-xla's options, as in "xla:cuda,preallocate=true"; memory of a GPU is taken as it
// is needed otherwise. Plugins are found in Folders. Nothing is ever downloaded: see package install.
//
// An unknown name, a plugin that is missing or does not work, and a GPU or its driver that is missing are errors of one
// line that say what to do.
func Open(name string) (*Engine, error) {
	switch platform, options, _ := strings.Cut(name, ","); platform {
	case "auto":
		if wanted := os.Getenv("SRDIFF_ENGINE"); wanted != "" && wanted != "auto" {
			e, err := Open(wanted)
			if err != nil {
				return nil, fmt.Errorf("SRDIFF_ENGINE: %w", err)
			}
			e.Why += ", as SRDIFF_ENGINE says"
			return e, nil
		}
		return first("xla:cuda", "xla:cpu", "go")
	case "xla:cuda", "xla:cpu":
		return openXLA(platform, options)
	case "go":
		return openGo()
	}
	return nil, fmt.Errorf("engine %q is not known: want one of %s", name, Names)
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
		if !isAbsent(err) { // a GPU that is not there is not worth a word
			missed = append(missed, "not "+err.Error())
		}
	}
	return nil, fmt.Errorf("no engine works: %s", strings.Join(missed, "; "))
}

func openGo() (*Engine, error) {
	backend, err := compute.NewWithConfig("go")
	if err != nil {
		return nil, fmt.Errorf("go: %s", line(err))
	}
	why := fmt.Sprintf("GoMLX's pure-Go engine on %d processors, %s", runtime.GOMAXPROCS(0), simd())
	return &Engine{Backend: backend, Name: "go", Why: why}, nil
}

// String is the engine's name with the reason for it.
func (e *Engine) String() string { return e.Name + ": " + e.Why }

// line makes one line of an error.
func line(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
