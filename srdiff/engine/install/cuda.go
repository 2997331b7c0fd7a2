// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package install

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/srdiff/srlab/srdiff/engine"
)

// jaxVersion is the release of JAX whose plugin is installed. NVIDIA's libraries are not pinned:
// go-xla installs the newest of each that JAX's newest release allows. They are of the same CUDA,
// 12 or 13, and JAX bounds them from below only (cuDNN also to 9.x), so the newest is at least as
// new as jaxVersion requires.
const jaxVersion = "0.10.2"

// cudaSpace is the disk space in bytes that the installation needs at its peak, for the downloads
// and the unpacked files. Tests change it.
var cudaSpace int64 = 7 << 30

// CUDA returns the file of a plugin for the engine "xla:cuda", and installs one if there is none
// that works: JAX's plugin and NVIDIA's libraries for the driver's CUDA, 2.4 GB from PyPI, on
// linux/amd64 only. The error is one line if the GPU or its driver is missing or too old, if there
// is too little disk space, or if a download fails.
func CUDA(ctx context.Context, report Report) (path string, err error) {
	gpus, err := engine.GPUs()
	if err != nil {
		return "", err
	}
	plugin, err := cudaFor(gpus[0].Driver)
	if err != nil {
		return "", err
	}
	return once(ctx, "cuda", report, func(folder string) (string, error) { return fromPyPI(ctx, plugin, folder, report) })
}

// fromPyPI installs JAX's plugin and NVIDIA's libraries.
func fromPyPI(ctx context.Context, plugin, folder string, report Report) (path string, err error) {
	if filepath.Base(folder) != "go-xla" {
		return "", fmt.Errorf("the folder %s must be named go-xla, or NVIDIA's libraries are not found: name such a one in "+
			"PJRT_PLUGIN_LIBRARY_PATH", folder)
	}
	if free := freeSpace(folder); free < cudaSpace {
		return "", fmt.Errorf("%s has %.1f GB of free space, and %d GB are needed", folder, float64(free)/(1<<30),
			cudaSpace>>30)
	}
	version, err := pickJAX(ctx, plugin)
	if err != nil {
		return "", fmt.Errorf("no plugin for XLA on the GPU: %w", err)
	}
	// Downloads are kept until all is installed, so that an interrupted installation can go on from
	// there.
	err = goXLA(ctx, report, "downloading CUDA", func() error { return cudaInstall(plugin, version, folder) })
	if ctx.Err() != nil {
		return "", fmt.Errorf("the installation was stopped: %w", context.Cause(ctx))
	}
	if err != nil {
		return "", fmt.Errorf("no plugin for XLA on the GPU: %w", err)
	}
	if path, err = installed("cuda"); err == nil && path == "" {
		err = errors.New("it is not where it was installed")
	}
	if err != nil {
		return "", fmt.Errorf("the plugin that was installed does not work: %w", err)
	}
	return path, removeDownloads()
}

// cudaFor returns the name of go-xla's plugin for a version of NVIDIA's driver. CUDA 13 and CUDA 12
// each have an oldest driver.
func cudaFor(driver string) (string, error) {
	major, _, _ := strings.Cut(driver, ".")
	n, err := strconv.Atoi(major)
	switch {
	case err != nil:
		return "", fmt.Errorf("NVIDIA's driver says that its version is %q: expected one like 580.65.06", driver)
	case n >= 580:
		return "cuda13", nil
	case n >= 525:
		return "cuda12", nil
	}
	return "", fmt.Errorf("NVIDIA's driver %s is too old for CUDA 12: update it to 525 or later, better 580", driver)
}

// pickJAX returns jaxVersion, or the newest version if PyPI does not have jaxVersion of a plugin.
func pickJAX(ctx context.Context, plugin string) (string, error) {
	info, _, err := askPyPI(ctx, "jax-"+plugin+"-pjrt")
	if err != nil {
		return "", err
	}
	if len(info.Releases[jaxVersion]) > 0 {
		return jaxVersion, nil
	}
	return "latest", nil
}

// removeDownloads removes installed files from go-xla's cache.
func removeDownloads() error {
	cache, err := os.UserCacheDir()
	if err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(cache, "go-xla", "go-xla_*.whl"))
	for _, file := range files {
		err = errors.Join(err, os.Remove(file))
	}
	return err
}
