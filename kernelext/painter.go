// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package kernelext

import (
	"sync"
	"time"
)

// painter limits how often a display is redrawn, and always draws the last state. It draws in a
// goroutine of its own, so that training does not wait for a chart.
type painter struct {
	every time.Duration // The least time from the end of one redraw to the start of the next.
	paint func()        // Draws the current state. Calls never overlap.

	mu       sync.Mutex
	idle     sync.Cond // Signalled when a redraw ends.
	last     time.Time // The end of the latest redraw.
	wanted   bool      // The state has changed since the latest redraw began.
	painting bool
	closed   bool
}

func newPainter(every time.Duration, paint func()) *painter {
	p := &painter{every: every, paint: paint}
	p.idle.L = &p.mu
	return p
}

// soon schedules a redraw: at once, or as soon as the limit allows.
func (p *painter) soon() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.wanted || p.closed {
		return
	}
	p.wanted = true
	if !p.painting {
		p.schedule()
	}
}

func (p *painter) schedule() {
	time.AfterFunc(max(time.Until(p.last.Add(p.every)), 0), p.draw)
}

func (p *painter) draw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	p.painting, p.wanted = true, false
	p.mu.Unlock()
	p.paint()
	p.mu.Lock()
	p.painting, p.last = false, time.Now()
	p.idle.Signal()
	if p.wanted && !p.closed {
		p.schedule()
	}
}

// close draws the state a last time before it returns.
func (p *painter) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	p.closed = true
	for p.painting {
		p.idle.Wait()
	}
	p.paint()
}
