// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package install

import (
	"archive/zip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/gomlx/go-xla/installer"
	"github.com/srdiff/srlab/srdiff/engine"
	"github.com/srdiff/srlab/srdiff/internal/download"
)

// wheel is a Python package on PyPI.
type wheel struct {
	project, version string
	file, sha256     string
	size             int64 // in bytes
}

// tensorflow is the wheel that holds the plugin's XLA. The plugin's source fits this wheel alone:
// see xlacpu/README.md. Tests replace it.
var tensorflow = wheel{
	project: "tensorflow-cpu",
	version: "2.21.0",
	file:    "tensorflow_cpu-2.21.0-cp311-cp311-manylinux_2_27_x86_64.whl",
	sha256:  "2b847d217b02ee7731ed91431daf3250daa0196c3c94614d23be27232e6e5b6c",
	size:    273829956,
}

// The parts of the wheel that are unpacked.
var libraries = []string{"libtensorflow_cc.so.2", "libtensorflow_framework.so.2"}

const headers = "include"

// fromWheel builds the plugin from the wheel, in a temporary folder. If the plugin works, the files
// get their final names, the plugin last.
func fromWheel(ctx context.Context, folder string, report Report) (path string, err error) {
	if platform := runtime.GOOS + "/" + runtime.GOARCH; platform != "linux/amd64" {
		return "", fmt.Errorf("the plugin can be built on linux/amd64 alone, not on %s", platform)
	}
	compiler, err := findCompiler() // before a long download
	if err != nil {
		return "", err
	}
	cache, err := cacheFolder()
	if err != nil {
		return "", err
	}
	file := filepath.Join(cache, tensorflow.file)
	if err := tensorflow.fetch(ctx, file, report); err != nil {
		return "", err
	}

	leftovers, _ := filepath.Glob(filepath.Join(folder, temporary)) // of one that was killed; the pattern is right
	for _, leftover := range leftovers {
		os.RemoveAll(leftover)
	}
	work, err := os.MkdirTemp(folder, temporary)
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	if err := unpack(ctx, file, work, report); err != nil {
		return "", err
	}
	name := pluginName()
	if err := compile(ctx, compiler, work, name, report); err != nil {
		return "", err
	}
	strip(ctx, work)
	if err := ctx.Err(); err != nil {
		return "", context.Cause(ctx)
	}
	if err := works("cpu", filepath.Join(work, name)); err != nil {
		return "", fmt.Errorf("the plugin that was built does not work: %w", err)
	}
	for _, f := range append(slices.Clone(libraries), name) {
		if err := os.Rename(filepath.Join(work, f), filepath.Join(folder, f)); err != nil {
			return "", err
		}
	}
	path = filepath.Join(folder, name)
	older, _ := filepath.Glob(filepath.Join(folder, engine.BuiltPlugins)) // the pattern is right
	for _, old := range older {
		if old != path {
			err = errors.Join(err, os.Remove(old))
		}
	}
	return path, errors.Join(err, os.Remove(file))
}

// fetch downloads the wheel, or the missing rest of it.
func (w wheel) fetch(ctx context.Context, path string, report Report) error {
	url, err := w.url(ctx)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("downloading %s %s", w.project, w.version)
	var from int64 // where this download began
	var started time.Time
	d := download.File{URL: url, Path: path, Size: w.size, SHA256: w.sha256, Progress: func(done, total int64) {
		if started.IsZero() {
			from, started = done, time.Now()
		}
		left := time.Since(started).Seconds() / float64(max(1, done-from)) * float64(total-done)
		report(false, "%s: %d of %d MB, %.0fs left", what, done>>20, total>>20, left)
	}}
	if err := d.Fetch(ctx); err != nil {
		return err
	}
	report(true, "%s: done", what)
	return nil
}

// url returns the wheel's address on PyPI.
func (w wheel) url(ctx context.Context) (string, error) {
	info, page, err := askPyPI(ctx, w.project)
	if err != nil {
		return "", err
	}
	for _, f := range info.Releases[w.version] {
		if f.Filename != w.file {
			continue
		}
		url, err := page.Parse(f.URL) // mirrors of PyPI name files relative to the page
		if err != nil {
			return "", fmt.Errorf("cannot read PyPI's answer: %w", err)
		}
		return url.String(), nil
	}
	return "", fmt.Errorf("PyPI has no %s", w.file)
}

// askPyPI returns PyPI's description of a project, and the address of the page it came from.
func askPyPI(ctx context.Context, project string) (info installer.PipPackageInfo, page *url.URL, err error) {
	const wait = 30 * time.Second
	ctx, cancel := context.WithTimeoutCause(ctx, wait, fmt.Errorf("pypi.org did not answer in %v", wait))
	defer cancel()
	response, err := get(ctx, "https://pypi.org/pypi/"+project+"/json")
	if err != nil {
		return info, nil, err
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(&info); err != nil {
		return info, nil, fmt.Errorf("cannot read PyPI's answer: %w", err)
	}
	return info, response.Request.URL, nil
}

// unpack extracts the libraries and the headers from the wheel.
func unpack(ctx context.Context, file, folder string, report Report) error {
	archive, err := zip.OpenReader(file)
	if err != nil {
		return fmt.Errorf("cannot unpack %s: %w", file, err)
	}
	defer archive.Close()
	for i, f := range archive.File {
		name, ours := strings.CutPrefix(f.Name, "tensorflow/")
		ours = ours && (slices.Contains(libraries, name) || strings.HasPrefix(name, headers+"/"))
		if !ours || strings.HasSuffix(name, "/") {
			continue
		}
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		report(false, "unpacking: %d of %d files", i, len(archive.File))
		if err := unpackFile(f, folder, name); err != nil {
			return fmt.Errorf("cannot unpack %s from %s: %w", f.Name, file, err)
		}
	}
	for _, library := range libraries {
		if _, err := os.Stat(filepath.Join(folder, library)); err != nil {
			return fmt.Errorf("%s holds no %s", file, library)
		}
	}
	report(true, "unpacking: done")
	return nil
}

func unpackFile(f *zip.File, folder, name string) error {
	if !filepath.IsLocal(name) {
		return errors.New("its name leads out of the folder")
	}
	path := filepath.Join(folder, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	in, err := f.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
