// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/srdiff/srlab/srdiff/engine/install"
)

func engineCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "engine",
		Short: "Install the plugins of the XLA engines",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(engineInstallCommand())
	return cmd
}

func engineInstallCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "install cpu|cuda",
		Short: "Install the plugin of an XLA engine, unless it is installed",
		Long: "Install the PJRT plugin that the engine xla:cpu or xla:cuda runs on. cpu takes go-xla's plugin from GitHub; " +
			"where GitHub cannot be reached, it builds one from PyPI's tensorflow-cpu (274 MB) with g++. cuda takes JAX's " +
			"plugin and NVIDIA's libraries from PyPI (2.4 GB). A plugin that works is kept. Plugins go to the first " +
			"folder of PJRT_PLUGIN_LIBRARY_PATH, or else to go-xla's own.",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || installers[args[0]] == nil {
				return fmt.Errorf("want 'srdiff engine install cpu' or 'srdiff engine install cuda', not %q", args)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			line := newProgressLine(cmd.ErrOrStderr())
			path, err := installers[args[0]](cmd.Context(), line.show)
			line.end()
			if err != nil {
				return err
			}
			return printLine(cmd.OutOrStdout(), "xla:%s  %s", args[0], path)
		},
	}
}

var installers = map[string]func(context.Context, install.Report) (string, error){
	"cpu":  install.CPU,
	"cuda": install.CUDA,
}
