// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package engine

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/go-xla/compute/xla"
	"github.com/gomlx/go-xla/installer"
	"github.com/gomlx/go-xla/pjrt"
	"k8s.io/klog/v2"
)

// absent is an engine that is missing because the machine lacks what it is for.
type absent struct{ error }

func isAbsent(err error) bool { return errors.As(err, &absent{}) }

// openXLA opens the engine of a platform, "xla:cpu" or "xla:cuda", on the first plugin in Folders.
func openXLA(platform, options string) (*Engine, error) {
	kind := strings.TrimPrefix(platform, "xla:")
	why, err := device(kind)
	if err != nil {
		return nil, err
	}
	path := FindPlugin(kind)
	if path == "" {
		return nil, fmt.Errorf("%s: its PJRT plugin is not there: run 'srdiff engine install %s'", platform, kind)
	}
	backend, err := openPlugin(kind, path, options)
	if err != nil {
		return nil, fmt.Errorf("%s: the plugin %s does not work: %s; run 'srdiff engine install %s', or take another engine",
			platform, path, line(err), kind)
	}
	return &Engine{Backend: backend, Name: platform, Why: why, Plugin: path}, nil
}

// OpenPlugin opens the engine of a kind, "cpu" or "cuda", on the PJRT plugin in a file. The error says in one line why it
// does not work.
func OpenPlugin(kind, path string) (*Engine, error) {
	why, err := device(kind)
	if err != nil {
		return nil, err
	}
	backend, err := openPlugin(kind, path, "")
	if err != nil {
		return nil, errors.New(line(err))
	}
	return &Engine{Backend: backend, Name: "xla:" + kind, Why: why, Plugin: path}, nil
}

// device says what an engine of XLA runs on, or why it has nothing to run on.
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

// Folders lists where PJRT plugins are looked for, in this order: in the folders of PJRT_PLUGIN_LIBRARY_PATH; in the
// repository, ../lib/go-xla from where the program lies (.lab/bin); and in go-xla's usual places.
func Folders() []string {
	folders := filepath.SplitList(os.Getenv(pjrt.PJRTPluginPathsEnv))
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

// FindPlugin returns the file of the first PJRT plugin of a kind, "cpu" or "cuda", in Folders, or "". (go-xla puts the CUDA
// plugin in a folder nvidia.)
func FindPlugin(kind string) string {
	for _, folder := range Folders() {
		for _, pattern := range []string{
			"pjrt_c_api_" + kind + "_plugin.*", "pjrt_c_api_" + kind + "_*_plugin.*",
			"nvidia/pjrt_c_api_" + kind + "_plugin.*",
		} {
			files, _ := filepath.Glob(filepath.Join(folder, pattern)) // the pattern is right
			for _, file := range files {
				if slices.Contains([]string{".so", ".dylib", ".dll"}, filepath.Ext(file)) {
					return file
				}
			}
		}
	}
	return ""
}

// The PJRT C API that a plugin must speak: the oldest version that srdiff is tested with, and go-xla's own major one.
const (
	apiMajor = 0
	apiMinor = 90
)

// openPlugin opens the plugin in a file. It must not print anything, neither what the plugin nor what go-xla says.
func openPlugin(kind, path, options string) (compute.Backend, error) {
	quiet()
	// go-xla takes a plugin for what words in its path say.
	wrong := []string{"cuda", "nvidia"}
	if kind == "cuda" {
		wrong = []string{"cpu"}
	}
	for _, word := range append(wrong, ",") {
		if strings.Contains(strings.ToLower(path), word) {
			return nil, fmt.Errorf("%q in its path confuses go-xla: move it to another folder", word)
		}
	}
	plugin, err := pjrt.GetPlugin(path)
	if err != nil {
		return nil, err
	}
	if major, minor := plugin.Version(); major != apiMajor || minor < apiMinor {
		return nil, fmt.Errorf("it speaks version %d.%d of the PJRT C API, and %d.%d or a later %[3]d.x is needed",
			major, minor, apiMajor, apiMinor)
	}
	return xla.NewWithOptions(strings.TrimSuffix(path+","+options, ","), nil)
}

// quiet keeps messages from the person that are meant for developers of the libraries. What fails is an error all the same.
var quiet = sync.OnceFunc(func() {
	klog.LogToStderr(false)
	klog.SetOutput(io.Discard)
	for name, value := range map[string]string{
		"TF_CPP_MIN_LOG_LEVEL":  "3", // fatal messages only
		"TF_ENABLE_ONEDNN_OPTS": "0", // or a plugin made of TensorFlow says that it has them
	} {
		if os.Getenv(name) == "" {
			os.Setenv(name, value)
		}
	}
})
