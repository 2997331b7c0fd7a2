// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/gomlx/go-xla/installer"
	"golang.org/x/sys/cpu"
)

// absent is the error for an engine without its device.
type absent struct{ error }

func isAbsent(err error) bool { return errors.As(err, &absent{}) }

// openXLA opens the engine of a platform, "xla:cpu" or "xla:cuda", on the first plugin in Folders.
func openXLA(platform, options string) (*Engine, error) {
	if !HasXLA {
		return nil, absent{fmt.Errorf("%s: %w", platform, errWithoutXLA)}
	}
	kind := strings.TrimPrefix(platform, "xla:")
	why, err := device(kind)
	if err != nil {
		return nil, err
	}
	path := FindPlugin(kind)
	if path == "" {
		return nil, fmt.Errorf("%s: its PJRT plugin is not installed: run 'srdiff engine install %s'", platform, kind)
	}
	backend, err := openPlugin(kind, path, options)
	if err != nil {
		return nil, fmt.Errorf("%s: the plugin %s does not work: %s; run 'srdiff engine install %s', or use another engine",
			platform, path, line(err), kind)
	}
	return &Engine{Backend: backend, Name: platform, Why: why, Plugin: path, FastBFloat16: fastBFloat16(kind, path)}, nil
}

// OpenPlugin opens the engine of a kind, "cpu" or "cuda", on the PJRT plugin in a file. The error
// says in one line why the plugin does not work.
func OpenPlugin(kind, path string) (*Engine, error) {
	if !HasXLA {
		return nil, errWithoutXLA
	}
	why, err := device(kind)
	if err != nil {
		return nil, err
	}
	backend, err := openPlugin(kind, path, "")
	if err != nil {
		return nil, errors.New(line(err))
	}
	return &Engine{Backend: backend, Name: "xla:" + kind, Why: why, Plugin: path, FastBFloat16: fastBFloat16(kind, path)}, nil
}

// BuiltPlugins is the pattern of the names of the plugins for the processor that package install
// builds.
const BuiltPlugins = "pjrt_c_api_cpu_tf*_plugin.so"

// fastBFloat16 returns Engine.FastBFloat16.
func fastBFloat16(kind, path string) bool {
	built, _ := filepath.Match(BuiltPlugins, filepath.Base(path)) // the pattern is right
	return kind == "cuda" || built && cpu.X86.HasAMXBF16
}

var errWithoutXLA = errors.New("this program was built without cgo, which XLA needs: " +
	"use the engine go, or build with CGO_ENABLED=1 and a C compiler")

// device describes the device that an engine of XLA runs on. It is an error if there is none.
func device(kind string) (why string, err error) {
	if kind == "cpu" {
		return fmt.Sprintf("XLA on %d processors", runtime.GOMAXPROCS(0)), nil
	}
	gpus, err := GPUs()
	if err != nil {
		return "", fmt.Errorf("xla:%s: %w", kind, err)
	}
	why = "XLA on " + gpus[0].String()
	if n := len(gpus); n > 1 {
		why += fmt.Sprintf(" and %d more", n-1)
	}
	return why, nil
}

// pluginPaths is the environment variable with go-xla's folders of plugins.
const pluginPaths = "PJRT_PLUGIN_LIBRARY_PATH"

// Folders lists the folders that are searched for PJRT plugins, in this order: those of
// PJRT_PLUGIN_LIBRARY_PATH; for a program in a repository's .lab/bin, the repository's
// .lab/lib/go-xla; and go-xla's usual places.
func Folders() []string {
	folders := filepath.SplitList(os.Getenv(pluginPaths))
	if program, err := os.Executable(); err == nil {
		if bin := filepath.Dir(program); filepath.Base(filepath.Dir(bin)) == ".lab" {
			folders = append(folders, filepath.Join(filepath.Dir(bin), "lib", "go-xla"))
		}
	}
	if lib, err := installer.DefaultHomeLibPath(); err == nil {
		folders = append(folders, filepath.Join(lib, "go-xla"))
	}
	folders = append(folders, "/usr/local/lib/go-xla")
	folders = slices.DeleteFunc(folders, func(folder string) bool { return !filepath.IsAbs(folder) })
	return folders
}

// FindPlugin returns the file of the first PJRT plugin of a kind, "cpu" or "cuda", in Folders, ""
// if there is none. (go-xla puts the CUDA plugin into a subfolder nvidia.)
func FindPlugin(kind string) string {
	for _, folder := range Folders() {
		for _, pattern := range []string{
			"pjrt_c_api_" + kind + "_plugin.*", "pjrt_c_api_" + kind + "_*_plugin.*",
			"nvidia/pjrt_c_api_" + kind + "_plugin.*",
		} {
			files, _ := filepath.Glob(filepath.Join(folder, pattern)) // the pattern is valid
			for _, file := range files {
				if slices.Contains([]string{".so", ".dylib", ".dll"}, filepath.Ext(file)) {
					return file
				}
			}
		}
	}
	return ""
}
