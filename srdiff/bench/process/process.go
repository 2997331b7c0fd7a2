// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// Package process runs the programs that are measured beside srdiff. They read requests as lines on
// stdin and write answers as lines of JSON on stdout.
package process

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
	"time"
)

// Process is a running program. It can be stopped with its threads while others are measured.
type Process struct {
	cmd     *exec.Cmd
	asks    io.WriteCloser
	answers *json.Decoder
	stderr  bytes.Buffer // for when it fails
}

// Start runs a command; it ends with ctx.
func Start(ctx context.Context, command []string) (*Process, error) {
	p := &Process{cmd: exec.CommandContext(ctx, command[0], command[1:]...)}
	p.cmd.Stderr = &p.stderr
	group(p.cmd)
	p.cmd.Cancel = p.kill
	p.cmd.WaitDelay = 5 * time.Second // for a child that survives and keeps the pipes open
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

// Ask sends a line and waits for the answer to it.
func (p *Process) Ask(answer any, format string, args ...any) error {
	if _, err := fmt.Fprintf(p.asks, format+"\n", args...); err != nil {
		return p.failed(err)
	}
	return p.Answer(answer)
}

// Answer waits for an answer and decodes its JSON into answer, a pointer. Without an answer it ends
// the process and returns the reason: the panic message, or the last line on stderr.
func (p *Process) Answer(answer any) error {
	if err := p.answers.Decode(answer); err != nil {
		return p.failed(err)
	}
	return nil
}

func (p *Process) failed(err error) error {
	ended := p.End()
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

// End ends the process.
func (p *Process) End() error {
	if p.cmd.ProcessState != nil { // it was ended before
		return nil
	}
	p.asks.Close()
	p.kill() // it may have ended already
	return p.cmd.Wait()
}

// PeakMB returns the peak resident memory of the process in MB, or 0 on systems other than Linux.
func (p *Process) PeakMB() float64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	_, line, _ := bytes.Cut(status, []byte("VmHWM:"))
	var kB float64
	fmt.Sscanf(string(line), "%f kB", &kB)
	return kB / 1024
}
