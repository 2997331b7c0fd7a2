// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

//go:build !unix

package process

import (
	"errors"
	"os/exec"
)

var errStop = errors.New("this system cannot stop a process for a while: run the benchmark on Linux or macOS")

func group(*exec.Cmd) {}

// Stop returns an error: the system cannot do it.
func (p *Process) Stop() error { return errStop }

// Continue returns an error: the system cannot do it.
func (p *Process) Continue() error { return errStop }

func (p *Process) kill() error { return p.cmd.Process.Kill() }
