// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

//go:build cgo

package engine

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/go-xla/compute/xla"
	"github.com/gomlx/go-xla/pjrt"
	"k8s.io/klog/v2"
)

// HasXLA reports whether XLA's engines are part of this program, which needs cgo.
const HasXLA = true

// The PJRT C API that a plugin must speak: the oldest version that srdiff is tested with, of
// go-xla's own major version.
const (
	apiMajor = 0
	apiMinor = 90
)

// openPlugin opens the plugin in a file. Neither the plugin nor go-xla prints anything.
func openPlugin(kind, path, options string) (backend compute.Backend, err error) {
	// go-xla infers the kind of a plugin from words in its path.
	wrong := []string{"cuda", "nvidia"}
	if kind == "cuda" {
		wrong = []string{"cpu"}
	}
	for _, word := range append(wrong, ",") {
		if strings.Contains(strings.ToLower(path), word) {
			return nil, fmt.Errorf("%q in its path confuses go-xla: move it to another folder", word)
		}
	}
	if kind == "cuda" && slices.Contains(strings.Split(options, ","), "tf32=false") {
		// go-xla's option reaches matrix products alone. NVIDIA's libraries, which compute the convolutions,
		// read this variable when they are first used.
		os.Setenv("NVIDIA_TF32_OVERRIDE", "0")
	}
	quietly(func() { backend, err = load(path, options) })
	return backend, err
}

func load(path, options string) (compute.Backend, error) {
	plugin, err := pjrt.GetPlugin(path)
	if err != nil {
		return nil, err
	}
	if major, minor := plugin.Version(); major != apiMajor || minor < apiMinor {
		return nil, fmt.Errorf("it speaks version %d.%d of the PJRT C API, and %d.%d or a later %[3]d.x is needed",
			major, minor, apiMajor, apiMinor)
	}
	backend, err := xla.NewWithOptions(strings.TrimSuffix(path+","+options, ","), nil)
	if err != nil {
		return nil, err // and no interface that holds a nil pointer
	}
	return backend, nil
}

// loading lets one plugin load at a time, since the environment and the logger are the process's.
var loading sync.Mutex

// quietly calls f while the libraries' messages to their developers are off: those of go-xla, which
// logs to klog, and those of XLA and TensorFlow, which read variables of the environment when they
// load. A failure is an error all the same. Afterwards klog and the environment are as before.
func quietly(f func()) {
	loading.Lock()
	defer loading.Unlock()
	defer klog.CaptureState().Restore()
	klog.LogToStderr(false)
	klog.SetOutput(io.Discard)
	for name, value := range map[string]string{
		"TF_CPP_MIN_LOG_LEVEL":  "3", // fatal messages only
		"TF_ENABLE_ONEDNN_OPTS": "0", // otherwise a plugin made of TensorFlow prints that it has them
	} {
		if old, set := os.LookupEnv(name); old == "" {
			os.Setenv(name, value)
			defer restore(name, old, set)
		}
	}
	f()
}

func restore(name, value string, set bool) {
	if set {
		os.Setenv(name, value)
	} else {
		os.Unsetenv(name)
	}
}
