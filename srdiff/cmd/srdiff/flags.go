// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/srdiff/srlab/srdiff"
	"github.com/srdiff/srlab/srdiff/engine"
)

// positive is a flag whose zero is refused: in srdiff.Config a zero means the default, on a command line it is a mistake.
type positive[T int | float64] struct {
	value *T
	parse func(string) (T, error)
	kind  string
}

func (p positive[T]) String() string {
	if p.value == nil {
		return ""
	}
	return strconv.FormatFloat(float64(*p.value), 'g', -1, 64)
}

func (p positive[T]) Type() string { return p.kind }

func (p positive[T]) Set(text string) error {
	v, err := p.parse(text)
	if err != nil || !(v > 0) {
		return errors.New("want a " + p.kind + " greater than 0")
	}
	*p.value = v
	return nil
}

func intFlag(flags *pflag.FlagSet, value *int, name, usage string) {
	flags.Var(positive[int]{value, strconv.Atoi, "number"}, name, usage)
}

func floatFlag(flags *pflag.FlagSet, value *float64, name, usage string) {
	parse := func(text string) (float64, error) { return strconv.ParseFloat(text, 64) }
	flags.Var(positive[float64]{value, parse, "value"}, name, usage)
}

// scheduleFlags adds the noise schedule's flags.
func scheduleFlags(flags *pflag.FlagSet, c *srdiff.Config) {
	flags.StringVar(&c.Kind, "kind", c.Kind, "kind of noise schedule: linear")
	intFlag(flags, &c.Timesteps, "timesteps", "number of timesteps T")
	floatFlag(flags, &c.BetaStart, "beta-start", "beta at the first timestep")
	floatFlag(flags, &c.BetaEnd, "beta-end", "beta at the last timestep")
}

func engineFlag(flags *pflag.FlagSet, name *string) {
	flags.StringVar(name, "engine", "auto", "what computes: "+engine.Names)
}

// load opens the engine and reads a model for it.
func load(engineName, model string) (*srdiff.Model, error) {
	eng, err := engine.Open(engineName)
	if err != nil {
		return nil, err
	}
	return srdiff.Load(eng.Backend, model)
}

func seedFlag(flags *pflag.FlagSet, seed *int64) {
	flags.Int64Var(seed, "seed", 0, "seed of all that is random: the same seed gives the same result")
}

// required marks flags without which the command means nothing.
func required(cmd *cobra.Command, names ...string) {
	for _, name := range names {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err) // the flag was never defined: a mistake in this program
		}
	}
}
