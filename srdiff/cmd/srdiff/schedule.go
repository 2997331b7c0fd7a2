// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"

	"github.com/spf13/cobra"
	"github.com/srdiff/srlab/srdiff"
	"github.com/srdiff/srlab/srdiff/diffusion"
)

func scheduleCommand() *cobra.Command {
	config := srdiff.Config{}.WithDefaults()
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "schedule",
		Short: "Print a noise schedule: beta, alpha and alpha_bar at every timestep",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkScheduleFlags(cmd.Flags(), config); err != nil {
				return err
			}
			s, err := diffusion.NewSchedule(config.Diffusion)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			if asJSON {
				return json.NewEncoder(out).Encode(s)
			}
			err = printLine(out, "%6s  %-12s  %-12s  %-12s  %-12s", "t", "beta", "alpha", "alpha_bar", "SNR")
			for t := 0; t < s.Timesteps && err == nil; t++ {
				err = printLine(out, "%6d  %-12.6g  %-12.6g  %-12.6g  %-12.6g",
					t, s.Betas[t], s.Alphas[t], s.AlphaBars[t], s.SNR(t))
			}
			return err
		},
	}
	scheduleFlags(cmd.Flags(), &config)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, in full precision")
	return cmd
}
