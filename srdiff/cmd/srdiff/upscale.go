// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/srdiff/srlab/srdiff"
	"github.com/srdiff/srlab/srdiff/imaging"
)

func upscaleCommand() *cobra.Command {
	var model, out, engineName string
	var sampling srdiff.SampleOptions
	cmd := &cobra.Command{
		Use:   "upscale --model FILE IN [-o OUT.png]",
		Short: fmt.Sprintf("Enlarge a picture %d times in each direction", srdiff.Scale),
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			in := args[0]
			if out == "" {
				out = fmt.Sprintf("%s-x%d.png", strings.TrimSuffix(in, filepath.Ext(in)), srdiff.Scale)
			}
			if !strings.EqualFold(filepath.Ext(out), ".png") {
				return fmt.Errorf("the result is a PNG, not what %s says: want a name that ends in .png", out)
			}
			img, err := imaging.Open(in)
			if err != nil {
				return err
			}
			if err := srdiff.CheckUpscale(img); err != nil {
				return fmt.Errorf("%s: %w", in, err)
			}
			m, err := load(engineName, model)
			if err != nil {
				return err
			}
			line := newProgressLine(cmd.ErrOrStderr())
			started := time.Now()
			sampling.Each = func(s srdiff.SampleStep) {
				line.show(s.Done == s.Steps, "%d of %d steps, %s",
					s.Done, s.Steps, left(time.Since(started), s.Done, s.Steps-s.Done))
			}
			result, err := m.Upscale(cmd.Context(), sampling, img)
			line.end()
			if err != nil {
				return err
			}
			if err := imaging.WritePNG(out, result); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: %dx%d\n", out, result.Bounds().Dx(), result.Bounds().Dy())
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&model, "model", "", "model file, from srdiff train or PyTorch")
	flags.StringVarP(&out, "output", "o", "", "name of the result (default: IN-x4.png beside IN)")
	seedFlag(flags, &sampling.Seed)
	samplingFlags(flags, &sampling)
	predictionFlag(flags, &sampling)
	engineFlag(flags, &engineName)
	required(cmd, "model")
	return cmd
}
