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
	terminal bool
	shown    time.Time
	width    int // of what the terminal shows
}

func newProgressLine(out io.Writer) *progressLine {
	file, ok := out.(*os.File)
	return &progressLine{out: out, terminal: ok && term.IsTerminal(int(file.Fd()))}
}

// show prints the line if it is time for one; the last one is always printed.
func (p *progressLine) show(last bool, format string, args ...any) {
	pause := 10 * time.Second
	if p.terminal {
		pause = 200 * time.Millisecond
	}
	if !last && time.Since(p.shown) < pause {
		return
	}
	p.shown = time.Now()
	text := fmt.Sprintf(format, args...)
	if !p.terminal {
		fmt.Fprintln(p.out, text)
		return
	}
	blanks := strings.Repeat(" ", max(0, p.width-len(text)))
	p.width = len(text)
	fmt.Fprint(p.out, "\r", text, blanks)
	if last {
		p.end()
	}
}

// end leaves the line, so that what is printed next stands on its own.
func (p *progressLine) end() {
	if p.terminal && p.width > 0 {
		fmt.Fprintln(p.out)
		p.width = 0
	}
}

// remaining tells how long work will take that goes on as it went since it was first asked. What was before does not count: the
// first piece waits for its program to be compiled.
type remaining struct {
	since time.Time
	from  float64
}

// left says it of work of which so much is done, in any unit: ", 12s left", or nothing while that is not known.
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
