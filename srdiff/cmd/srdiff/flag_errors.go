// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/srdiff/srlab/srdiff"
	"github.com/srdiff/srlab/srdiff/diffusion"
)

// flagError words a parser error for users of the command line.
func flagError(cmd *cobra.Command, err error) error {
	return fmt.Errorf("%w; see '%s --help'", plainError(err), cmd.CommandPath())
}

// valueKinds describes the values of pflag's own flag types.
var valueKinds = map[string]string{
	"int": "a whole number", "int64": "a whole number", "float64": "a number", "bool": "true or false",
}

// plainError replaces the errors of Go's number parser.
func plainError(err error) error {
	invalid, ok := errors.AsType[*pflag.InvalidValueError](err)
	if !ok {
		return err
	}
	number, ok := errors.AsType[*strconv.NumError](err)
	if !ok {
		return err
	}
	flag := invalid.GetFlag()
	want := valueKinds[flag.Value.Type()]
	if errors.Is(number, strconv.ErrRange) {
		want += " within the range of its type"
	}
	return fmt.Errorf("--%s is %q: want %s", flag.Name, invalid.GetValue(), want)
}

// checkScheduleFlags returns an error for schedule flags without effect.
func checkScheduleFlags(flags *pflag.FlagSet, c srdiff.Config) error {
	for _, name := range []string{"beta-start", "beta-end"} {
		if c.Diffusion.Schedule == diffusion.Cosine && flags.Changed(name) {
			return fmt.Errorf("--%s has no effect on the schedule %s, which is a formula without betas: omit it", name, c.Diffusion.Schedule)
		}
	}
	return nil
}
