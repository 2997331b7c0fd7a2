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

// flagError is the error of flags that cannot be parsed, in words about the command line.
func flagError(cmd *cobra.Command, err error) error {
	return fmt.Errorf("%w; see '%s --help'", plain(err), cmd.CommandPath())
}

// wanted says what the values of pflag's own types of flags are.
var wanted = map[string]string{
	"int": "a whole number", "int64": "a whole number", "float64": "a number", "bool": "true or false",
}

// plain replaces the errors of Go's number parser.
func plain(err error) error {
	invalid, ok := errors.AsType[*pflag.InvalidValueError](err)
	if !ok {
		return err
	}
	number, ok := errors.AsType[*strconv.NumError](err)
	if !ok {
		return err
	}
	flag := invalid.GetFlag()
	want := wanted[flag.Value.Type()]
	if errors.Is(number, strconv.ErrRange) {
		want += " of a size that a computer's number can have"
	}
	return fmt.Errorf("--%s is %q: want %s", flag.Name, invalid.GetValue(), want)
}

// checkScheduleFlags refuses flags of the noise schedule that change nothing.
func checkScheduleFlags(flags *pflag.FlagSet, c srdiff.Config) error {
	for _, name := range []string{"beta-start", "beta-end"} {
		if c.Diffusion.Schedule == diffusion.Cosine && flags.Changed(name) {
			return fmt.Errorf("--%s has no effect on the schedule %s, which is a formula without betas: omit it", name, c.Diffusion.Schedule)
		}
	}
	return nil
}
