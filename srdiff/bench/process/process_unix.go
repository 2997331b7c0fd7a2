// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

//go:build unix

package process

import (
	"os/exec"
	"syscall"
)

// group makes a command the leader of a group of processes, so that its children are stopped and
// ended with it.
func group(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// Stop stops the process and its children until Continue.
func (p *Process) Stop() error { return p.signal(syscall.SIGSTOP) }

// Continue lets the process and its children go on.
func (p *Process) Continue() error { return p.signal(syscall.SIGCONT) }

func (p *Process) kill() error { return p.signal(syscall.SIGKILL) }

func (p *Process) signal(s syscall.Signal) error { return syscall.Kill(-p.cmd.Process.Pid, s) }
