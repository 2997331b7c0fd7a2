// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package kernelext

import (
	"context"
	"os"
	"os/signal"
	"time"
)

const (
	parentCheck = 500 * time.Millisecond // How often the cell looks whether its kernel lives.
	orphanGrace = 5 * time.Second        // What a cell without a kernel gets to finish: as much as an interrupted one.
)

// Context returns a context that ends with the notebook's interrupt button (SIGINT, Ctrl-C in a terminal), and when
// the kernel dies. The kernel kills an interrupted cell after 5 seconds, so what must be saved has to be saved by
// then. A cell whose kernel is gone has the same 5 seconds, then it exits with status 1. Calling cancel ends the
// context too, and gives the interrupt its usual meaning back.
func Context() (ctx context.Context, cancel context.CancelFunc) {
	ctx, cancel = signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, cancel) // From then on a second interrupt ends the process.
	go watchParent(ctx, cancel)
	return ctx, cancel
}

// watchParent ends the context, and then the process, when the process that started this one is gone.
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
