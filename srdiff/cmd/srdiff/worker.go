// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/spf13/cobra"
	"github.com/srdiff/srlab/srdiff/internal/storage"
	"github.com/srdiff/srlab/srdiff/internal/worker"
)

func workerCommand() *cobra.Command {
	w := workerProgram{store: &storage.Store{}}
	var engineName string
	cmd := &cobra.Command{
		Use:   "worker",
		Short: "Do jobs from standard input, for programs that enlarge many pictures",
		Long: "Do jobs from standard input, one JSON object a line, and print what became of each, one JSON object a line in the same\n" +
			"order. A job names a picture and its result, as {\"input\":\"a.png\",\"output\":\"a-x4.png\"}; see docs/scale.md. Each model is read\n" +
			"once. Results have the bytes that srdiff upscale writes. A complete result of the same input, model and options is kept. A\n" +
			"job that fails is a line of the output; the exit status is 0 when the input ends.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if _, err := findModel(w.model, defaultTimes); err != nil {
				return err
			}
			var err error
			if w.loadedModels, err = openEngine(engineName); err != nil {
				return err
			}
			w.remark = func(name, remark string) { printLine(cmd.ErrOrStderr(), "%s: %s", name, remark) }
			counts, err := worker.Run(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout(), &w)
			printLine(cmd.ErrOrStderr(), "%d made, %d there already, %d failed", counts.Made, counts.Kept, counts.Failed)
			return err
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&w.model, "model", "", "name of one of srdiff models, or model file, for jobs that name none (default: the first of srdiff models)")
	flags.Var((*byteCount)(&w.memory), "memory", "memory that the program may use, such as 4GB (default: 2GB)")
	engineFlag(flags, &engineName)
	return cmd
}
