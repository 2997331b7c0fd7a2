// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// Command srdiff trains the tutorial's super-resolution model, enlarges pictures with it, and measures it. See
// "srdiff help" and README.md.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	// The first interrupt ends the work in order; a second one ends the program.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// interrupted is the exit status of a program that was interrupted, as shells have it.
const interrupted = 130

// run executes the command line and returns the exit status. Results go to stdout; messages and progress go to stderr.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := &cobra.Command{
		Use:           "srdiff",
		Short:         "Diffusion super-resolution: train, upscale, measure",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(scheduleCommand(), trainCommand(), distillCommand(), upscaleCommand(), evalCommand(), engineCommand(), doctorCommand())
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w; see '%s --help'", err, cmd.CommandPath())
	})
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintln(stderr, "srdiff:", err)
	if errors.Is(err, context.Canceled) {
		return interrupted
	}
	return 1
}
