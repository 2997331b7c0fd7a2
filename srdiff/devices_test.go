// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"context"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// One, two and four devices give the same losses for the same batches, and so does a run that is stopped on four and goes on on two. The
// processor passes for so many devices.
func TestDevices(t *testing.T) {
	const steps = 50
	if dir := os.Getenv("SRDIFF_DEVICES_RUN"); dir != "" { // a run
		devices, err := strconv.Atoi(os.Getenv("SRDIFF_DEVICES"))
		if err != nil {
			t.Fatal(err)
		}
		m := newSmall(t, small)
		until := steps
		if old, err := Resume(openEngine(t), dir); err == nil {
			m = old
		} else if strings.HasSuffix(dir, "both") {
			until = steps / 2
		}
		m.Devices = devices
		trainSmall(t, m, until, dir)
		if _, err := m.Sample(context.Background(), SampleOptions{Sampler: DDIM, Steps: 2}, low(2, 2)); err != nil {
			t.Fatal(err)
		}
		return
	}
	if openEngine(t).Name() == "Go Backend" {
		t.Skip("the pure-Go engine has one device")
	}
	losses := func(dir string, devices ...string) []float64 {
		for _, n := range devices {
			run := exec.Command(os.Args[0], "-test.run=^TestDevices$")
			run.Env = append(os.Environ(), "SRDIFF_DEVICES_RUN="+dir, "SRDIFF_DEVICES="+n,
				"XLA_FLAGS=--xla_force_host_platform_device_count="+n)
			if out, err := run.CombinedOutput(); err != nil {
				t.Fatalf("%s devices: %v\n%s", n, err, out)
			}
		}
		return lossesIn(t, dir)
	}
	want := losses(filepath.Join(t.TempDir(), "1"), "1")
	for name, got := range map[string][]float64{
		"2": losses(filepath.Join(t.TempDir(), "2"), "2"), "4, then 2": losses(filepath.Join(t.TempDir(), "both"), "4", "2"),
		"4": losses(filepath.Join(t.TempDir(), "4"), "4"),
	} {
		worst := 0.0
		for i, loss := range got {
			worst = max(worst, math.Abs(loss-want[i]))
		}
		t.Logf("%s devices: off by %.1e", name, worst)
		if len(got) != steps || len(want) != steps || !(worst < 1e-4) {
			t.Errorf("%s devices: %d losses, off by %g: want %d within 1e-4", name, len(got), worst, steps)
		}
	}
}

func TestDevicesRefused(t *testing.T) {
	for devices, want := range map[int]string{-1: "training on -1 devices", 1000: "training on 1000 devices: the engine"} {
		m := newSmall(t, small)
		m.Devices = devices
		if err := m.Train(context.Background(), waves{8}, 1, ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%d devices: %v", devices, err)
		}
	}
}
