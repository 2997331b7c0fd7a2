// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package kernelext

import (
	"sync"
	"time"
)

// painter redraws a display no more often than it should, never loses the last state, and draws aside from the
// goroutine that reports it: training does not wait for a chart.
type painter struct {
	every time.Duration // At least this long from the end of one redraw to the start of the next.
	paint func()        // Draws the state of the moment. Calls never overlap.

	mu       sync.Mutex
	idle     sync.Cond // Signalled when a redraw ends.
	last     time.Time // End of the latest redraw.
	wanted   bool      // There is something to draw that no redraw has looked at yet.
	painting bool
	closed   bool
}

func newPainter(every time.Duration, paint func()) *painter {
	p := &painter{every: every, paint: paint}
	p.idle.L = &p.mu
	return p
}

// soon has the state drawn: at once, or when the time for it has come.
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

// close has the state drawn a last time before it returns, and never again.
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
