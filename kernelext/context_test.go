// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package kernelext

import (
	"bufio"
	"io"
	"os"
	"testing"
	"time"
)

func TestContextEndsWithInterrupt(t *testing.T) {
	t.Parallel()
	cmd := role("interrupted")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() || lines.Text() != "ready" {
		t.Fatalf("the cell printed %q", lines.Text())
	}
	sent := time.Now()
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if !lines.Scan() || lines.Text() != "ended" {
		t.Fatalf("the cell printed %q after the interrupt", lines.Text())
	}
	if took := time.Since(sent); took > 3*time.Second {
		t.Errorf("the interrupt took %v", took)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("a cell that ends by itself: %v", err)
	}
}

func TestCellEndsWithoutItsKernel(t *testing.T) {
	t.Parallel()
	cmd := role("parent of stubborn")
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = out
	started := time.Now()
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	out.Close()
	output, err := io.ReadAll(in) // Until the cell ends, as it has the other end open.
	if err != nil || string(output) != "ready\nended\n" {
		t.Errorf("the cell printed %q, %v", output, err)
	}
	if took := time.Since(started); took < orphanGrace || took > orphanGrace+10*time.Second {
		t.Errorf("the cell was gone after %v", took)
	}
}

func TestCancel(t *testing.T) {
	ctx, cancel := Context()
	if ctx.Err() != nil {
		t.Fatal("ended at once")
	}
	cancel()
	if ctx.Err() == nil {
		t.Fatal("cancel does not end it")
	}
}
