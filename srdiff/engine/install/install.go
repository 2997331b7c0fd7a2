// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// Package install installs the PJRT plugins of the XLA engines where package engine finds them.
//
// For the processor it takes go-xla's plugin from GitHub. Where GitHub cannot be reached, it builds
// a plugin from the Python package tensorflow-cpu (see xlacpu/README.md). For NVIDIA's GPUs it
// takes JAX's plugin and NVIDIA's libraries from PyPI.
package install

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/srdiff/srlab/srdiff/engine"
)

// Report receives the progress of an installation, with the arguments of fmt.Printf: several times
// a second during a step, and with last when the step is done.
type Report func(last bool, format string, args ...any)

// once returns the installed plugin of a kind if it works, or lets build make one in a folder. A
// user's processes build one at a time; a process that waited returns the plugin that the other one
// built.
func once(ctx context.Context, kind string, report Report, build func(folder string) (path string, err error)) (string, error) {
	if !engine.HasXLA {
		return "", errors.New("this program was built without cgo and cannot use a plugin: build it with CGO_ENABLED=1 and a C compiler")
	}
	if path, err := installed(kind); path != "" && err == nil {
		return path, nil
	}
	unlock, err := lock(ctx, report)
	if err != nil {
		return "", fmt.Errorf("cannot install a plugin: %w", err)
	}
	defer unlock()
	folder, path, err := place(kind)
	if err != nil {
		return "", fmt.Errorf("cannot install a plugin: %w", err)
	}
	if path != "" { // another process has just installed it
		return path, nil
	}
	return build(folder)
}

// installed returns the plugin of a kind that package engine finds, and the error if it does not
// work. It returns "" if there is none, or only an older one that was built here.
func installed(kind string) (path string, err error) {
	path = engine.FindPlugin(kind)
	if path == "" || outdated(path) {
		return "", nil
	}
	return path, works(kind, path)
}

// works opens a plugin and computes something with it. Tests replace it.
var works = func(kind, path string) error {
	eng, err := engine.OpenPlugin(kind, path)
	if err != nil {
		return err
	}
	defer eng.Close()
	exec, err := graph.NewExec(eng.Backend, func(x *graph.Node) *graph.Node {
		return graph.ReduceAllSum(graph.Mul(x, x))
	})
	if err != nil {
		return oneLine(err)
	}
	defer exec.Finalize()
	out, err := exec.Call([]float32{1, 2, 3})
	if err != nil {
		return oneLine(err)
	}
	if got := out[0].Value(); got != float32(14) {
		return fmt.Errorf("it computes 1*1 + 2*2 + 3*3 = %v", got)
	}
	return nil
}

// place returns the folder for a new plugin: the first of engine.Folders that can be written.
// Plugins there that do not work are renamed first, since they would be found before the new one.
// If one works already, its path is returned instead.
func place(kind string) (folder, path string, err error) {
	folders := engine.Folders()
	for _, f := range folders {
		if canWrite(f) {
			folder = f
			break
		}
	}
	if folder == "" {
		return "", "", fmt.Errorf("cannot write to any of %s: make one of them, or name a folder of yours in "+
			"PJRT_PLUGIN_LIBRARY_PATH", strings.Join(folders, ", "))
	}
	for {
		path, err = installed(kind)
		if err == nil {
			return folder, path, nil
		}
		if !strings.HasPrefix(path, folder+string(filepath.Separator)) {
			return "", "", fmt.Errorf("the plugin %s does not work and would be found before a new one: remove it (%w)",
				path, err)
		}
		if err := os.Rename(path, path+".broken"); err != nil {
			return "", "", err
		}
	}
}

// canWrite reports whether files can be created in a folder. It makes the folder if it is missing.
func canWrite(folder string) bool {
	if os.MkdirAll(folder, 0o755) != nil {
		return false
	}
	f, err := os.CreateTemp(folder, temporary)
	if err != nil {
		return false
	}
	f.Close()
	return os.Remove(f.Name()) == nil
}

// temporary is the pattern of the names of temporary files.
const temporary = ".installing-*"

// cacheFolder is the folder of downloads that are not installed yet.
func cacheFolder() (string, error) {
	cache, err := os.UserCacheDir()
	return filepath.Join(cache, "srdiff"), err
}

// lock waits until no other process of this user installs a plugin.
func lock(ctx context.Context, report Report) (unlock func(), err error) {
	cache, err := cacheFolder()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return nil, err
	}
	l := flock.New(filepath.Join(cache, "install.lock"))
	for {
		ok, err := l.TryLock()
		if err != nil {
			return nil, err
		}
		if ok {
			return func() { l.Close() }, nil
		}
		report(false, "waiting for another installation")
		if err := sleep(ctx, 500*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// oneLine removes line breaks and stack traces from an error.
func oneLine(err error) error {
	return fmt.Errorf("%s", strings.Join(strings.Fields(err.Error()), " "))
}
