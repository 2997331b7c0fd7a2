// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/srdiff/srlab/srdiff"
	"github.com/srdiff/srlab/srdiff/engine"
)

// exportOptions are the flags of "srdiff export".
type exportOptions struct {
	model, onnx, half string
	mix               string
	share             float64
	steps             int
	overwrite         bool
}

func exportCommand() *cobra.Command {
	var o exportOptions
	cmd := &cobra.Command{
		Use:   "export (--onnx OUT.onnx | --half OUT.safetensors)",
		Short: "Write a model for other programs, or in half the size",
		Long: "Write a model as ONNX, which ONNX Runtime and other programs run on pictures of any size. OUT.onnx is the predictor: a\n" +
			"picture in, the enlarged picture out. A model that refines has a second file, OUT-refiner.onnx, which also takes noise and\n" +
			"a strength, and holds all steps of the sampler. See docs/onnx.md.\n" +
			"With --half, write the model's weights in 16 bits: srdiff and PyTorch read such a file as they read the whole one.\n" +
			"With --mix, write the mean of two models of which one was trained from the other; --share is the other's part in it.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.OutOrStdout()) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.model, "model", "", "name of one of srdiff models, or model file, from srdiff train or PyTorch (default: the first of srdiff models)")
	flags.StringVar(&o.onnx, "onnx", "", "name of the result, which ends in .onnx")
	intFlag(flags, &o.steps, "sampling-steps", "number of timesteps that the refiner visits (default: the model's own)")
	flags.BoolVar(&o.overwrite, "overwrite", false, "replace files that are there")
	flags.StringVar(&o.half, "half", "", "name of the result in float16, which ends in .safetensors")
	flags.StringVar(&o.mix, "mix", "", "name or file of another model of the same network: write a mean of the weights of both")
	flags.Var((*share)(&o.share), "share", "part of the other model in the mean, 0 to 1")
	cmd.MarkFlagsOneRequired("onnx", "half")
	cmd.MarkFlagsRequiredTogether("mix", "share")
	cmd.MarkFlagsMutuallyExclusive("onnx", "half")
	cmd.MarkFlagsMutuallyExclusive("half", "sampling-steps")
	return cmd
}

func (o *exportOptions) run(out io.Writer) error {
	source, err := findModel(o.model, defaultTimes)
	if err != nil {
		return err
	}
	config, err := source.config()
	if err != nil {
		return err
	}
	files := []string{o.half}
	switch {
	case o.onnx != "":
		if files, err = srdiff.ONNXFiles(config, o.onnx); err != nil {
			return fmt.Errorf("%s: %w", source, err)
		}
	case filepath.Ext(o.half) != ".safetensors":
		return fmt.Errorf("--half %s: want a name that ends in .safetensors", o.half)
	}
	for _, path := range files {
		if err := o.checkNew(path); err != nil {
			return err
		}
	}
	eng, err := engine.Open("go") // nothing is computed that another engine would speed up
	if err != nil {
		return err
	}
	m, _, err := source.load(eng.Backend)
	if err != nil {
		return err
	}
	if o.mix != "" {
		other, err := findModel(o.mix, defaultTimes)
		if err != nil {
			return err
		}
		towards, _, err := other.load(eng.Backend)
		if err == nil {
			err = m.Mix(towards, o.share)
		}
		if err != nil {
			return fmt.Errorf("--mix %s: %w", other, err)
		}
	}
	if o.half != "" {
		if err := m.SaveHalf(o.half); err != nil {
			return err
		}
		printLine(out, "%s", o.half)
		return nil
	}
	written, err := m.ExportONNX(o.onnx, o.steps)
	for _, path := range written {
		printLine(out, "%s", path)
	}
	return err
}

// checkNew returns an error for a file that must not be replaced.
func (o *exportOptions) checkNew(path string) error {
	if err := replaceable(path, true); err != nil || o.overwrite {
		return err
	}
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%s is there: give another name, or --overwrite", path)
	}
	return nil
}
