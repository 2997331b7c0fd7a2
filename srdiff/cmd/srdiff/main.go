// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// Command srdiff trains the tutorial's super-resolution model, enlarges pictures with it, and
// measures it. See "srdiff help" and README.md.
package main

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	_ "github.com/srdiff/srlab/notebooks/photos" // the data "photos"
	"github.com/srdiff/srlab/srdiff"
)

func main() {
	os.Exit(run(terminationContext(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// interrupted is the shell's exit status for an interrupted program.
const interrupted = 130

// run executes the command line and returns the exit status. Results go to stdout; messages and
// progress go to stderr.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	results, messages := &stream{name: "standard output", w: stdout}, &stream{name: "standard error", w: stderr}
	root := &cobra.Command{
		Use:           "srdiff",
		Short:         "Diffusion super-resolution: train, upscale, measure",
		Version:       srdiff.Version(),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetVersionTemplate("srdiff {{.Version}}\n")
	root.AddCommand(scheduleCommand(), trainCommand(), distillCommand(), upscaleCommand(), workerCommand(), serveCommand(), evalCommand(), exportCommand(), modelsCommand(), engineCommand(), doctorCommand())
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(results)
	root.SetErr(messages)
	root.SetFlagErrorFunc(flagError)
	err := root.ExecuteContext(ctx)
	if err == nil {
		err = results.failed() // the output is incomplete
	}
	if err == nil {
		return 0
	}
	if failed := results.failed(); failed == nil || !isBrokenPipe(failed) { // as after head
		printLine(messages, "srdiff: %s", oneLine(err))
	}
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return interrupted
	}
	return 1
}

// oneLine returns the text of an error without cobra's list of similar commands.
func oneLine(err error) string {
	text, similar, ok := strings.Cut(err.Error(), "\n\nDid you mean this?\n")
	if ok {
		text += ": did you mean " + strings.Join(strings.Fields(similar), " or ") + "?"
	}
	return text
}
