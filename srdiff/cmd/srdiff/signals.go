// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// terminationContext returns a context that ends when the user or the system asks the program to
// end. The first request ends the work in order; a second one ends the program.
func terminationContext() context.Context {
	requests := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // nohup ignores it
		requests = append(requests, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), requests...)
	context.AfterFunc(ctx, func() {
		signal.Ignore(syscall.SIGHUP) // A terminal that closes sends it more than once.
		stop()
	})
	// Without this, a write to a closed pipe would end the program before it saves. The
	// write fails instead. Unlike signal.Ignore, this leaves programs that are started alone.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	return ctx
}
