// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/go-xla/pjrt"
	"github.com/gomlx/gomlx/core/graph"
)

// emptyMachine has no plugin, no program in PATH and no GPU. It returns the folder for plugins.
func emptyMachine(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	t.Setenv(pjrt.PJRTPluginPathsEnv, folder)
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
	t.Setenv(pjrt.PJRTPluginPathsEnv, "/first"+string(os.PathListSeparator)+"relative"+string(os.PathListSeparator)+"/second")
	got := Folders()
	if len(got) < 3 || got[0] != "/first" || got[1] != "/second" || got[len(got)-1] != "/usr/local/lib/go-xla" {
		t.Errorf("folders %q", got)
	}
}

func TestFindPlugin(t *testing.T) {
	first, second := emptyMachine(t), t.TempDir()
	t.Setenv(pjrt.PJRTPluginPathsEnv, first+string(os.PathListSeparator)+second)
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

// refused expects xla:cpu to be an error of one line with all words in it, and auto to open the go engine and say why.
func refused(t *testing.T, words ...string) {
	t.Helper()
	_, err := Open("xla:cpu")
	if err == nil {
		t.Fatal("opens")
	}
	auto, autoErr := Open("auto")
	if autoErr != nil || auto.Name != "go" {
		t.Fatalf("auto opens %v: %v", auto, autoErr)
	}
	for _, text := range []string{err.Error(), auto.Why} {
		for _, want := range words {
			if !strings.Contains(text, want) || strings.Contains(text, "\n") {
				t.Errorf("says %q, want one line with %q in it", text, want)
			}
		}
	}
}

func TestPluginMissing(t *testing.T) {
	emptyMachine(t)
	refused(t, "is not there", "run 'srdiff engine install cpu'")
}

func TestPluginIsText(t *testing.T) {
	path := write(t, filepath.Join(emptyMachine(t), "pjrt_c_api_cpu_plugin.so"), "no library")
	refused(t, path, "does not work", "run 'srdiff engine install cpu'")
}

func TestPluginOfAnotherVersion(t *testing.T) {
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("no C compiler")
	}
	toolPath := os.Getenv("PATH")
	folder := emptyMachine(t)
	source := write(t, filepath.Join(t.TempDir(), "plugin.c"), `
		#include <stddef.h>
		static void *nothing(void *args) { return NULL; } // no error, and nothing written to args
		static struct {
			size_t size; void *extension;
			struct { size_t size; void *extension; int major, minor; } version;
			void *calls[200];
		} api = { sizeof api, NULL, { sizeof api.version, NULL, 7, 1 } };
		void *GetPjrtApi(void) {
			for (int i = 0; i < 200; i++) api.calls[i] = (void *)nothing;
			return &api;
		}`)
	cmd := exec.Command(cc, "-shared", "-fPIC", "-o", filepath.Join(folder, "pjrt_c_api_cpu_plugin.so"), source)
	cmd.Env = append(os.Environ(), "PATH="+toolPath)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	refused(t, "does not work", "version 7.1 of the PJRT C API, and 0.90 or a later 0.x is needed")
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
	if _, err := Open("xla:cuda"); err == nil || !strings.Contains(err.Error(), "srdiff engine install cuda") {
		t.Errorf("with a GPU and no plugin: %v", err)
	}
}

// asUser makes the test binary a program that computes on xla:cpu.
const asUser = "SRDIFF_TEST_XLA_CPU"

func TestMain(m *testing.M) {
	if os.Getenv(asUser) == "" {
		os.Exit(m.Run())
	}
	e, err := Open("xla:cpu")
	if err != nil {
		panic(err)
	}
	exec, err := graph.NewExec(e.Backend, func(x *graph.Node) *graph.Node { return graph.ReduceAllSum(graph.Mul(x, x)) })
	if err != nil {
		panic(err)
	}
	out, err := exec.Call([]float32{1, 2, 3})
	if err != nil {
		panic(err)
	}
	if got := out[0].Value(); got != float32(14) {
		panic(got)
	}
	e.Backend.Finalize()
}

func TestXLAPrintsNothing(t *testing.T) {
	if FindPlugin("cpu") == "" {
		t.Skip("no plugin: 'srdiff engine install cpu'")
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), asUser+"=1")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil || out.Len() > 0 {
		t.Errorf("ends with %v and prints %q", err, out.String())
	}
}
