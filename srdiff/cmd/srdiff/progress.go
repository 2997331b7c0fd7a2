// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// progressLine shows how far a long piece of work is: on a terminal one line that is written over, elsewhere a line now and
// then.
type progressLine struct {
	out      io.Writer
	terminal *os.File // nil where out is none
	shown    time.Time
	width    int // in characters, of what the terminal shows
}

func newProgressLine(out io.Writer) *progressLine {
	return &progressLine{out: out, terminal: terminalOf(out)}
}

// show prints the line if it is time for one; the last one is always printed.
func (p *progressLine) show(last bool, format string, args ...any) {
	pause := 10 * time.Second
	if p.terminal != nil {
		pause = 200 * time.Millisecond
	}
	if !last && time.Since(p.shown) < pause {
		return
	}
	p.shown = time.Now()
	if p.terminal == nil {
		printLine(p.out, format, args...)
		return
	}
	text := []rune(escaped(fmt.Sprintf(format, args...)))
	if columns, _, err := term.GetSize(int(p.terminal.Fd())); err == nil && columns > 1 {
		text = text[:min(len(text), columns-1)] // a line that wraps cannot be written over
	}
	blanks := strings.Repeat(" ", max(0, p.width-len(text)))
	p.width = len(text)
	io.WriteString(p.out, "\r"+string(text)+blanks)
	if last {
		p.end()
	}
}

// end leaves the line, so that what is printed next stands on its own.
func (p *progressLine) end() {
	if p.terminal != nil && p.width > 0 {
		io.WriteString(p.out, "\n")
		p.width = 0
	}
}

// remaining estimates how long the rest of some work takes from its speed since the first question. The time before that does not
// count, because the first piece waits for its program to be compiled.
type remaining struct {
	since time.Time
	from  float64
}

// left returns the time left when done of all is done, in any unit, as ", 12s left"; "" while it is not known.
func (r *remaining) left(done, all float64) string {
	if r.since.IsZero() {
		r.since, r.from = time.Now(), done
	}
	if done >= all {
		return ", 0s left"
	}
	if done <= r.from {
		return ""
	}
	rest := time.Duration(float64(time.Since(r.since)) * (all - done) / (done - r.from))
	return fmt.Sprintf(", %s left", rest.Round(time.Second))
}
