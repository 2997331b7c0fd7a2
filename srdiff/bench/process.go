// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// process is a running contestant. It is stopped, its threads too, while others are measured.
type process struct {
	cmd     *exec.Cmd
	asks    io.WriteCloser
	answers *json.Decoder
	stderr  bytes.Buffer // for when it fails
}

// start runs a contestant's command; it ends with ctx.
func start(ctx context.Context, command []string) (*process, error) {
	p := &process{cmd: exec.CommandContext(ctx, command[0], command[1:]...)}
	p.cmd.Stderr = &p.stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // its own children are stopped and ended with it
	p.cmd.Cancel = func() error { return p.signal(syscall.SIGKILL) }
	p.cmd.WaitDelay = 5 * time.Second // for a child that got away and keeps the pipes open
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if p.asks, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	p.answers = json.NewDecoder(out)
	return p, p.cmd.Start()
}

// signal sends a signal to the process and its children.
func (p *process) signal(s syscall.Signal) error { return syscall.Kill(-p.cmd.Process.Pid, s) }

// ask sends a line and returns the answer.
func (p *process) ask(format string, args ...any) (answer, error) {
	if _, err := fmt.Fprintf(p.asks, format+"\n", args...); err != nil {
		return answer{}, p.failed(err)
	}
	return p.answer()
}

// answer waits for an answer.
func (p *process) answer() (a answer, err error) {
	if err := p.answers.Decode(&a); err != nil {
		return a, p.failed(err)
	}
	return a, nil
}

// failed ends the process and says why it failed: what it panicked with, the last line that it wrote on stderr, or err.
func (p *process) failed(err error) error {
	ended := p.end()
	lines := strings.Split(strings.TrimSpace(p.stderr.String()), "\n")
	for _, line := range lines {
		if strings.HasPrefix(line, "panic: ") {
			return errors.New(line)
		}
	}
	if last := lines[len(lines)-1]; last != "" {
		return errors.New(strings.TrimPrefix(last, "bench: "))
	}
	return cmp.Or(ended, err)
}

// end ends the process.
func (p *process) end() error {
	if p.cmd.ProcessState != nil { // it was ended before
		return nil
	}
	p.asks.Close()
	p.signal(syscall.SIGKILL) // it may be gone already
	return p.cmd.Wait()
}

// peakMB is the most resident memory that the process has had, or 0 where the system does not tell (Linux does).
func (p *process) peakMB() float64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	_, line, _ := bytes.Cut(status, []byte("VmHWM:"))
	var kB float64
	fmt.Sscanf(string(line), "%f kB", &kB)
	return kB / 1024
}
