// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package worker

import (
	"context"
	"sync"
)

// pending knows the files that jobs on their way write. A job that is read ahead waits for the jobs
// before it that write any of its files, so that it finds what it would find without reading ahead.
type pending struct {
	key   func(name string) string // of Program
	mu    sync.Mutex
	files map[string]chan struct{} // by their keys; closed when the file is written
}

// begin waits until no job writes a file of j, or ctx ends. The caller calls done when j has written
// its files.
func (p *pending) begin(ctx context.Context, j Job) (done func()) {
	for _, name := range append(j.reads(), j.writes()...) {
		p.mu.Lock()
		written := p.files[p.key(name)]
		p.mu.Unlock()
		if written == nil {
			continue
		}
		select {
		case <-written:
		case <-ctx.Done():
		}
	}
	written := make(chan struct{})
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, name := range j.writes() {
		p.files[p.key(name)] = written
	}
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, name := range j.writes() {
			delete(p.files, p.key(name))
		}
		close(written)
	}
}
