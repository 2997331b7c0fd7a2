// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package kernelext

import (
	"context"
	"os"
	"os/signal"
	"time"
)

const (
	parentCheck = 500 * time.Millisecond // Between checks that the kernel is alive.
	orphanGrace = 5 * time.Second        // From the death of the kernel to the end of the cell.
)

// Context returns a context that ends when the notebook's interrupt button is pressed (SIGINT,
// Ctrl-C in a terminal) or the kernel dies. The kernel kills an interrupted cell after 5 seconds,
// so the cell must have saved its work by then. A cell whose kernel died exits with status 1 after
// the same 5 seconds. Calling cancel ends the context too; after that an interrupt ends the
// process, as usual.
func Context() (ctx context.Context, cancel context.CancelFunc) {
	ctx, cancel = signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, cancel) // From then on a second interrupt ends the process.
	go watchParent(ctx, cancel)
	return ctx, cancel
}

// watchParent ends the context, and then the process, when the process that started this one has
// ended.
func watchParent(ctx context.Context, cancel context.CancelFunc) {
	tick := time.NewTicker(parentCheck)
	defer tick.Stop()
	for parent := os.Getppid(); os.Getppid() == parent; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
	cancel()
	time.Sleep(orphanGrace)
	os.Exit(1)
}
