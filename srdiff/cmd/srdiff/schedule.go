// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"

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
			s, err := diffusion.NewSchedule(config.Diffusion)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			if asJSON {
				return json.NewEncoder(out).Encode(s)
			}
			fmt.Fprintf(out, "%6s  %-12s  %-12s  %-12s  %-12s\n", "t", "beta", "alpha", "alpha_bar", "SNR")
			for t := range s.Timesteps {
				fmt.Fprintf(out, "%6d  %-12.6g  %-12.6g  %-12.6g  %-12.6g\n",
					t, s.Betas[t], s.Alphas[t], s.AlphaBars[t], s.SNR(t))
			}
			return nil
		},
	}
	scheduleFlags(cmd.Flags(), &config)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, in full precision")
	return cmd
}
