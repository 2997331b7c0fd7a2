// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// GPU is an NVIDIA GPU as its driver describes it.
type GPU struct {
	Name   string
	Memory string // such as "81559 MiB"
	Driver string // the driver's version, such as "580.65.06"
}

// String is the GPU's name with its memory.
func (g GPU) String() string { return fmt.Sprintf("%s (%s)", g.Name, g.Memory) }

// devices is the folder where Linux lists PCI devices.
var devices = "/sys/bus/pci/devices"

// GPUs lists the machine's GPUs, which it asks NVIDIA's driver for through the program nvidia-smi.
// If there is none, the error says whether the GPU or only its driver is missing.
func GPUs() ([]GPU, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "nvidia-smi", "--query-gpu=name,memory.total,driver_version",
		"--format=csv,noheader").Output()
	var gpus []GPU
	for row := range strings.Lines(string(out)) {
		if f := strings.Split(strings.TrimSpace(row), ", "); len(f) == 3 {
			gpus = append(gpus, GPU{f[0], f[1], f[2]})
		}
	}
	switch {
	case err == nil && len(gpus) > 0:
		return gpus, nil
	case !pluggedIn():
		return nil, absent{errors.New("there is no NVIDIA GPU")}
	default:
		return nil, errors.New("there is an NVIDIA GPU, but its driver does not answer: 'nvidia-smi' must list it; " +
			"install or update the driver, see docs/gpu.md")
	}
}

// pluggedIn reports whether the machine has a display or 3D controller (class 03) of NVIDIA (vendor
// 10de), with or without a driver.
func pluggedIn() bool {
	vendors, _ := filepath.Glob(filepath.Join(devices, "*", "vendor")) // the pattern is right
	for _, vendor := range vendors {
		v, _ := os.ReadFile(vendor)
		class, _ := os.ReadFile(filepath.Join(filepath.Dir(vendor), "class"))
		if strings.HasPrefix(string(v), "0x10de") && strings.HasPrefix(string(class), "0x03") {
			return true
		}
	}
	return false
}
