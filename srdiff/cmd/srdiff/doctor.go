// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
	"github.com/srdiff/srlab/srdiff"
	"github.com/srdiff/srlab/srdiff/engine"
)

func doctorCommand() *cobra.Command {
	var engineName string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Show the engines, the GPUs and the versions on this machine",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return doctor(cmd.OutOrStdout(), engineName)
		},
	}
	engineFlag(cmd.Flags(), &engineName)
	return cmd
}

// modules lists the modules whose versions affect results.
var modules = []string{"github.com/gomlx/gomlx", "github.com/gomlx/compute", "github.com/gomlx/go-xla"}

func doctor(out io.Writer, engineName string) error {
	row := func(name, format string, args ...any) {
		printLine(out, "%-12s %s", name, fmt.Sprintf(format, args...))
	}
	eng, err := engine.Open(engineName)
	if err != nil {
		return err
	}
	row("engine", "%s", eng)
	for _, kind := range []string{"cpu", "cuda"} {
		if !engine.HasXLA {
			row("xla:"+kind, "not part of this program: it was built without cgo")
			continue
		}
		switch path := engine.FindPlugin(kind); path {
		case "":
			row("xla:"+kind, "not installed: run srdiff engine install %s", kind)
		case eng.Plugin:
			row("xla:"+kind, "%s, in use", path)
		default:
			row("xla:"+kind, "%s", path)
		}
	}
	gpus, err := engine.GPUs()
	for _, gpu := range gpus {
		row("gpu", "%s, driver %s", gpu, gpu.Driver)
	}
	if err != nil {
		row("gpu", "%s", err)
	}
	features := "no vector instructions that srdiff knows"
	if list := engine.CPUFeatures(); len(list) > 0 {
		features = strings.Join(list, ", ")
	}
	row("processor", "%s/%s, %d in use, %s", runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0), features)
	row("srdiff", "%s", srdiff.Version())
	row("go", "%s", runtime.Version())
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			for _, m := range modules {
				if dep.Path == m {
					row(m[strings.LastIndex(m, "/")+1:], "%s", dep.Version)
				}
			}
		}
	}
	if cache, err := os.UserCacheDir(); err == nil {
		row("downloads", "%s", filepath.Join(cache, "srdiff"))
	}
	return nil
}
