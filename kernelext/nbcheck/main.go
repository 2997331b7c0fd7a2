// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// Nbcheck executes notebooks through their kernel, as JupyterLab would from top to bottom, and
// fails when a cell fails.
//
//	nbcheck [-in-place] [-out folder] [-timeout 10m] notebook.ipynb ...
//
// It needs Python with nbconvert on the PATH, and the kernel where JUPYTER_PATH or Jupyter's own
// folders lead to it. It writes executed notebooks in a form that is the same in each run: without
// times, and with the outputs of a stream in one piece. For each failing cell it prints the
// notebook, the cell, and the output of the cell.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/renameio/v2"
)

func main() {
	inPlace := flag.Bool("in-place", false, "write the outputs into the notebooks themselves")
	out := flag.String("out", "", "the folder for executed notebooks")
	timeout := flag.Duration("timeout", 10*time.Minute, "the longest time for one cell")
	flag.Parse()
	if flag.NArg() == 0 || *inPlace == (*out != "") {
		fmt.Fprintln(os.Stderr, "nbcheck: want notebooks, and either -in-place or -out")
		os.Exit(2)
	}
	if err := checkTargets(flag.Args(), *out); err != nil {
		fmt.Fprintln(os.Stderr, "nbcheck:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	failed, err := checkAll(ctx, flag.Args(), *out, *timeout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "nbcheck:", err)
		os.Exit(1)
	}
	if failed > 0 {
		fmt.Printf("\n%d of %d notebooks failed\n", failed, flag.NArg())
		os.Exit(1)
	}
}

// checkTargets returns an error if a notebook would be written over a notebook, or over the result
// of another one.
func checkTargets(paths []string, out string) error {
	if out == "" {
		return nil
	}
	byTarget := map[string]string{}
	for _, path := range paths {
		target := filepath.Join(out, filepath.Base(path))
		if other, found := byTarget[target]; found {
			return fmt.Errorf("both %s and %s would be written to %s", other, path, target)
		}
		byTarget[target] = path
		for _, input := range paths {
			if sameFile(input, target) {
				return fmt.Errorf("%s would be written over the notebook %s: want another -out, or -in-place", path, input)
			}
		}
	}
	return nil
}

// sameFile reports whether two paths lead to one file.
func sameFile(a, b string) bool {
	fileA, errA := os.Stat(a)
	fileB, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(fileA, fileB)
}

// checkAll checks the notebooks one after another, and returns how many failed. It writes them to
// the folder out, or in place if out is empty.
func checkAll(ctx context.Context, paths []string, out string, timeout time.Duration) (failed int, err error) {
	kept, err := os.MkdirTemp("", "nbcheck-kept")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(kept)
	if err := os.Setenv("SRDIFF_KEPT", kept); err != nil {
		return 0, err
	}
	for _, path := range paths {
		target := path
		if out != "" {
			target = filepath.Join(out, filepath.Base(path))
		}
		started := time.Now()
		fmt.Printf("%s ... ", path)
		problems, err := check(ctx, path, target, timeout)
		switch took := time.Since(started).Round(time.Second); {
		case err != nil:
			failed++
			fmt.Printf("failed after %v\n%v\n", took, err)
		case len(problems) > 0:
			failed++
			fmt.Printf("failed after %v\n", took)
			for _, p := range problems {
				fmt.Printf("\n%s, %s\n", path, p)
			}
		default:
			fmt.Println(took)
		}
	}
	return failed, nil
}

// check executes the notebook at path and writes it to target. If cells failed, it does so only
// where target is another file.
func check(ctx context.Context, path, target string, timeout time.Duration) ([]problem, error) {
	executed, err := execute(ctx, path, timeout)
	if err != nil {
		return nil, err
	}
	nb, err := parse(executed)
	if err != nil {
		return nil, fmt.Errorf("reading the executed notebook: %w", err)
	}
	problems := nb.problems()
	if len(problems) > 0 && target == path {
		return problems, nil
	}
	data, err := nb.normalised()
	if err != nil {
		return nil, err
	}
	return problems, write(target, data)
}

// write replaces the file at path and keeps its mode. If path is a link, it replaces the file that
// the link leads to.
func write(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if file, err := filepath.EvalSymlinks(path); err == nil {
		path = file
	}
	return renameio.WriteFile(path, data, 0o644, renameio.WithExistingPermissions())
}

// execute runs every cell, also those after a failing one, and returns the notebook with its
// outputs.
func execute(ctx context.Context, path string, timeout time.Duration) ([]byte, error) {
	dir, err := os.MkdirTemp("", "nbcheck")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	cmd := exec.CommandContext(ctx, "python3", "-m", "nbconvert", "--to", "notebook", "--execute", "--allow-errors",
		"--ExecutePreprocessor.kernel_name="+kernelName,
		fmt.Sprintf("--ExecutePreprocessor.timeout=%d", max(int(timeout.Seconds()), 1)),
		"--ExecutePreprocessor.interrupt_on_timeout=True",
		"--ExecutePreprocessor.iopub_timeout=60",
		"--ExecutePreprocessor.startup_timeout=180",
		"--ExecutePreprocessor.record_timing=False",
		"--output-dir", dir, "--output", "executed", path)
	// Nbconvert ends the kernel when it is interrupted.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	log, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("nbconvert: %w\n%s", errors.Join(ctx.Err(), err), lastLines(string(log), 40))
	}
	return os.ReadFile(filepath.Join(dir, "executed.ipynb"))
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	if len(lines) > n {
		lines = append([]string{"..."}, lines[len(lines)-n:]...)
	}
	return strings.Join(lines, "\n")
}
