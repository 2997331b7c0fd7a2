// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package install

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"embed"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/srdiff/srlab/srdiff/engine"
)

//go:embed xlacpu/*.cc xlacpu/*.h xlacpu/exports.map xlacpu/mlir
var sources embed.FS

// flags are the compiler's arguments. It runs in the folder that holds the libraries, the headers
// and xlacpu.
func flags(name string) []string {
	return []string{
		"-std=c++17", "-O2", "-fPIC", "-fvisibility=hidden",
		// The same as for the wheel's libraries: they change the layout of objects.
		"-DNDEBUG", "-D_GLIBCXX_USE_CXX11_ABI=1", "-DEIGEN_MAX_ALIGN_BYTES=64",
		`-DWHEEL="` + tensorflow.project + " " + tensorflow.version + `"`,
		"-Ixlacpu", "-isystem", headers, "-isystem", headers + "/external/highwayhash",
		"-isystem", headers + "/external/farmhash_archive/src", "-isystem", headers + "/external/ml_dtypes_py",
		"-shared", "xlacpu/plugin.cc", "xlacpu/channel_sums.cc", "xlacpu/convolution.cc", "xlacpu/memory.cc", "xlacpu/weight_gradient.cc",
		"xlacpu/weight_gradient_bf16.cc", "xlacpu/winograd.cc", "-o", name,
		"-L.", "-l:libtensorflow_cc.so.2", "-l:libtensorflow_framework.so.2", "-Wl,-rpath,$ORIGIN",
		"-Wl,--version-script=xlacpu/exports.map", "-Wl,-z,nodelete", "-Wl,--no-undefined",
	}
}

// pluginName returns the plugin's file name. It has a hash of the sources, so that a plugin built
// from other sources is told apart.
func pluginName() string {
	hash := sha256.New()
	fmt.Fprint(hash, tensorflow.sha256, flags(""))
	fs.WalkDir(sources, ".", func(path string, entry fs.DirEntry, err error) error { // embedded files can be read
		if !entry.IsDir() {
			text, _ := sources.ReadFile(path)
			fmt.Fprint(hash, path, len(text))
			hash.Write(text)
		}
		return nil
	})
	return fmt.Sprintf("pjrt_c_api_cpu_tf%s-%x_plugin.so", tensorflow.version, hash.Sum(nil)[:4])
}

// outdated reports whether a plugin was built here, but from other sources than these.
func outdated(path string) bool {
	own, _ := filepath.Match(engine.BuiltPlugins, filepath.Base(path)) // the pattern is right
	return own && filepath.Base(path) != pluginName() && canWrite(filepath.Dir(path))
}

// findCompiler returns the command that compiles C++.
func findCompiler() ([]string, error) {
	command := strings.Fields(cmp.Or(os.Getenv("CXX"), "g++"))
	if _, err := exec.LookPath(command[0]); err != nil {
		return nil, fmt.Errorf("the C++ compiler %s is not there: install it (Debian, Ubuntu: apt install g++; "+
			"Fedora: dnf install gcc-c++), or name another in CXX", command[0])
	}
	return command, nil
}

// compile builds the plugin in a folder that holds the wheel's libraries and headers.
func compile(ctx context.Context, compiler []string, folder, name string, report Report) error {
	if err := os.CopyFS(folder, sources); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, compiler[0], append(compiler[1:], flags(name)...)...)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "TMPDIR="+folder, "LC_ALL=C")
	var messages bytes.Buffer
	cmd.Stdout, cmd.Stderr = &messages, &messages
	killGroup(cmd) // g++ is but the driver of the compiler
	started := time.Now()
	if err := cmd.Start(); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	for {
		select {
		case err := <-done:
			switch {
			case ctx.Err() != nil:
				return context.Cause(ctx)
			case err != nil:
				return fmt.Errorf("%s cannot compile the plugin: %s", compiler[0], firstError(messages.String(), err))
			}
			report(true, "compiling: done in %v", time.Since(started).Round(time.Second))
			return nil
		case <-time.After(time.Second):
			report(false, "compiling, which takes a minute or two: %v", time.Since(started).Round(time.Second))
		}
	}
}

// firstError returns the line of a compiler's messages that matters.
func firstError(messages string, err error) string {
	for line := range strings.Lines(messages) {
		if strings.Contains(line, "error") || strings.Contains(line, "undefined reference") {
			return strings.TrimSpace(line)
		}
	}
	return strings.TrimSpace(err.Error() + " " + strings.Join(strings.Fields(messages), " "))
}

// strip removes the debuggers' tables from the libraries, a quarter of their size, if the program
// strip is installed.
func strip(ctx context.Context, folder string) {
	cmd := exec.CommandContext(ctx, "strip", append([]string{"--strip-unneeded"}, libraries...)...)
	cmd.Dir = folder
	cmd.Run() // without it they are larger, no more; if it broke them, they will not work
}
