// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package engine

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// emptyMachine has no plugin, no program in PATH and no GPU. It returns the folder for plugins.
func emptyMachine(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	t.Setenv(pluginPaths, folder)
	t.Setenv("HOME", t.TempDir())
	t.Setenv("SRDIFF_ENGINE", "")
	t.Setenv("PATH", t.TempDir())
	old := devices
	t.Cleanup(func() { devices = old })
	devices = t.TempDir()
	if path := FindPlugin("cpu"); path != "" {
		t.Skip("this machine has a plugin for all users: " + path)
	}
	return folder
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFolders(t *testing.T) {
	t.Setenv(pluginPaths, "/first"+string(os.PathListSeparator)+"relative"+string(os.PathListSeparator)+"/second")
	got := Folders()
	if len(got) < 3 || got[0] != "/first" || got[1] != "/second" || got[len(got)-1] != "/usr/local/lib/go-xla" {
		t.Errorf("folders %q", got)
	}
}

func TestFindPlugin(t *testing.T) {
	first, second := emptyMachine(t), t.TempDir()
	t.Setenv(pluginPaths, first+string(os.PathListSeparator)+second)
	for _, name := range []string{
		"pjrt_c_api_cpu_plugin.txt", "pjrt_c_api_cpu_plugin.so.broken", "pjrt_c_api_tpu_plugin.so", "libother.so",
	} {
		write(t, filepath.Join(first, name), "")
	}
	for _, c := range []struct{ kind, file string }{ // each goes before those above it
		{"cpu", filepath.Join(second, "pjrt_c_api_cpu_v0.1_plugin.so")},
		{"cpu", filepath.Join(second, "pjrt_c_api_cpu_plugin.so")},
		{"cpu", filepath.Join(first, "pjrt_c_api_cpu_v0.1_plugin.so")},
		{"cuda", filepath.Join(second, "nvidia", "pjrt_c_api_cuda_plugin.so")},
		{"cuda", filepath.Join(first, "nvidia", "pjrt_c_api_cuda_plugin.so")},
	} {
		write(t, c.file, "")
		if got := FindPlugin(c.kind); got != c.file {
			t.Errorf("finds %q for %s, want %q", got, c.kind, c.file)
		}
	}
}

func TestGPUs(t *testing.T) {
	emptyMachine(t)
	if _, err := GPUs(); err == nil || err.Error() != "there is no NVIDIA GPU" || !isAbsent(err) {
		t.Errorf("without a GPU: %v", err)
	}
	card := filepath.Join(devices, "0000:01:00.0")
	write(t, filepath.Join(card, "vendor"), "0x10de\n")
	write(t, filepath.Join(card, "class"), "0x040300\n")
	if _, err := GPUs(); !isAbsent(err) {
		t.Errorf("with NVIDIA's sound chip alone: %v", err)
	}
	write(t, filepath.Join(card, "class"), "0x030200\n")
	if _, err := GPUs(); err == nil || isAbsent(err) || !strings.Contains(err.Error(), "driver does not answer") {
		t.Errorf("without a driver: %v", err)
	}
	smi := filepath.Join(os.Getenv("PATH"), "nvidia-smi")
	write(t, smi, "#!/bin/sh\necho 'NVIDIA-SMI has failed because it could not communicate with the driver'\nexit 9\n")
	if _, err := GPUs(); err == nil || !strings.Contains(err.Error(), "driver does not answer") {
		t.Errorf("with a broken driver: %v", err)
	}
	write(t, smi, "#!/bin/sh\necho 'NVIDIA A, 100 MiB, 580.65.06'\necho 'NVIDIA B, 200 MiB, 580.65.06'\n")
	want := []GPU{{"NVIDIA A", "100 MiB", "580.65.06"}, {"NVIDIA B", "200 MiB", "580.65.06"}}
	if got, err := GPUs(); err != nil || !slices.Equal(got, want) {
		t.Errorf("GPUs %v and %v, want %v", got, err, want)
	}
	wanted := "srdiff engine install cuda"
	if !HasXLA {
		wanted = "built without cgo"
	}
	if _, err := Open("xla:cuda"); err == nil || !strings.Contains(err.Error(), wanted) {
		t.Errorf("with a GPU and no plugin: %v", err)
	}
}

// The option turns TF32 off in NVIDIA's libraries too.
func TestTF32Off(t *testing.T) {
	if !HasXLA {
		t.Skip("built without cgo")
	}
	emptyMachine(t)
	write(t, filepath.Join(os.Getenv("PATH"), "nvidia-smi"), "#!/bin/sh\necho 'NVIDIA A, 100 MiB, 580.65.06'\n")
	plugin := filepath.Join(t.TempDir(), "pjrt_c_api_cuda_plugin.so")
	write(t, plugin, "no plugin")
	t.Setenv(pluginPaths, filepath.Dir(plugin))
	for options, want := range map[string]string{"": "", ",preallocate=false": "", ",preallocate=false,tf32=false": "0"} {
		t.Setenv("NVIDIA_TF32_OVERRIDE", "")
		if _, err := Open("xla:cuda" + options); err == nil || !strings.Contains(err.Error(), "does not work") {
			t.Errorf("a file that is no plugin: %v", err)
		}
		if got := os.Getenv("NVIDIA_TF32_OVERRIDE"); got != want {
			t.Errorf("%q sets NVIDIA_TF32_OVERRIDE to %q, want %q", options, got, want)
		}
	}
}
