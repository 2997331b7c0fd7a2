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

// progressLine shows the progress of long work. On a terminal it overwrites one line; elsewhere it
// prints a line every 10 seconds.
type progressLine struct {
	out      io.Writer
	terminal *os.File // nil where out is none
	shown    time.Time
	width    int // in characters, of what the terminal shows
}

func newProgressLine(out io.Writer) *progressLine {
	return &progressLine{out: out, terminal: terminalOf(out)}
}

// show prints the line if it is time for one; it always prints the last one.
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
	text := []rune(escape(fmt.Sprintf(format, args...)))
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

// end ends the line, so that the next output begins a new line.
func (p *progressLine) end() {
	if p.terminal != nil && p.width > 0 {
		io.WriteString(p.out, "\n")
		p.width = 0
	}
}

// timeLeft estimates the time left from the speed since the first call of left. The time before
// that call does not count, because it includes compilation.
type timeLeft struct {
	since time.Time
	from  float64
}

// left returns the time left, such as ", 12s left", or "" while it is unknown. done and all have
// the same unit.
func (r *timeLeft) left(done, all float64) string {
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
