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

	"github.com/srdiff/srlab/srdiff/diffusion"
	"github.com/srdiff/srlab/srdiff/internal/graphtest"
)

// One, two and four devices give the same losses for the same batches, and so does a run that is
// stopped on four and goes on on two. The processor passes for so many devices.
func TestDevices(t *testing.T) {
	const steps = 50
	if dir := os.Getenv("SRDIFF_DEVICES_RUN"); dir != "" { // a run
		devices, err := strconv.Atoi(os.Getenv("SRDIFF_DEVICES"))
		if err != nil {
			t.Fatal(err)
		}
		c, until := small, steps
		if strings.HasSuffix(dir, "student") {
			c.Diffusion.Prediction, until = diffusion.PredictV, 4
		}
		m := newSmall(t, c)
		if old, err := Resume(graphtest.Engine(t), dir); err == nil {
			m = old
		} else if strings.HasSuffix(dir, "both") {
			until = steps / 2
		}
		m.Devices = devices
		trainSmall(t, m, until, dir)
		if strings.HasSuffix(dir, "student") { // whose losses replace its teacher's
			student, err := m.Student(2)
			if err != nil {
				t.Fatal(err)
			}
			student.Devices = devices
			m = student
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
			trainSmall(t, m, steps, dir)
		}
		if _, err := m.Sample(context.Background(), SampleOptions{Sampler: diffusion.DDIM, Steps: 2}, low(2, 2)); err != nil {
			t.Fatal(err)
		}
		return
	}
	if graphtest.Engine(t).Name() == "Go Backend" {
		t.Skip("the pure-Go engine has one device")
	}
	if n := graphtest.Engine(t).NumDevices(); strings.HasPrefix(os.Getenv("SRDIFF_ENGINE"), "xla:cuda") && n < 4 {
		t.Skipf("%d GPUs of the 4 that this test takes", n)
	}
	losses := func(dir string, devices ...string) []float64 {
		for _, n := range devices {
			run := exec.Command(os.Args[0], "-test.run=^TestDevices$")
			run.Env = append(os.Environ(), "SRDIFF_DEVICES_RUN="+dir, "SRDIFF_DEVICES="+n,
				"XLA_FLAGS="+os.Getenv("XLA_FLAGS")+" --xla_force_host_platform_device_count="+n)
			if out, err := run.CombinedOutput(); err != nil {
				t.Fatalf("%s devices: %v\n%s", n, err, out)
			}
		}
		return lossesIn(t, dir)
	}
	dir := func(name string) string { return filepath.Join(t.TempDir(), name) }
	one, oneStudent := losses(dir("1"), "1"), losses(dir("student"), "1")
	for name, got := range map[string][]float64{
		"2": losses(dir("2"), "2"), "4, then 2": losses(dir("both"), "4", "2"), "4": losses(dir("4"), "4"),
		"a student on 2": losses(dir("student"), "2"),
	} {
		worst, want := 0.0, one
		if strings.HasPrefix(name, "a student") {
			want = oneStudent
		}
		for i, loss := range got {
			worst = max(worst, math.Abs(loss/want[i]-1))
		}
		t.Logf("%s devices: losses %.3g to %.3g, off by %.1e of them", name, want[0], want[len(want)-1], worst)
		if len(got) != steps || len(want) != steps || !(worst < 1e-4) {
			t.Errorf("%s devices: %d losses, off by %g of them: want %d within 1e-4", name, len(got), worst, steps)
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
