// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// Package engine chooses the machine that runs the graphs: a GoMLX compute backend.
package engine

import (
	"fmt"
	"runtime"

	"github.com/gomlx/compute"
	_ "github.com/gomlx/compute/gobackend" // the engine that is always there
)

// Engine is an open compute backend, with what was chosen and why.
type Engine struct {
	Backend compute.Backend
	Name    string // "go"
	Why     string // one line for people
}

// Names lists what Open knows, for messages and flags.
const Names = "auto, go"

// Open opens the engine of the given name.
//
//	"go"    GoMLX's pure-Go engine, part of the program: nothing to download or install
//	"auto"  the fastest engine that is there; so far that is "go"
//
// An unknown name is an error that lists the known ones.
func Open(name string) (*Engine, error) {
	switch name {
	case "auto", "go":
	default:
		return nil, fmt.Errorf("engine %q is not known: want one of %s", name, Names)
	}
	backend, err := compute.NewWithConfig("go")
	if err != nil {
		return nil, fmt.Errorf("opening the go engine: %w", err)
	}
	why := fmt.Sprintf("GoMLX's pure-Go engine on %d processors, %s", runtime.GOMAXPROCS(0), simd())
	return &Engine{Backend: backend, Name: "go", Why: why}, nil
}

// String is the engine's name with the reason for it.
func (e *Engine) String() string { return e.Name + ": " + e.Why }
