// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

//go:build cgo

package engine

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gomlx/gomlx/core/graph"
	"k8s.io/klog/v2"
)

// refused expects xla:cpu to return an error of one line with all these words, and auto to open the
// go engine and give the same reason.
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
	refused(t, "is not installed", "run 'srdiff engine install cpu'")
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

// Opening an engine leaves the program's environment and logger as they were, whether it works or
// not.
func TestOpenLeavesTheProgramAlone(t *testing.T) {
	path := write(t, filepath.Join(emptyMachine(t), "pjrt_c_api_cpu_plugin.so"), "no library")
	defer klog.CaptureState().Restore()
	var logged bytes.Buffer
	klog.LogToStderr(false)
	klog.SetOutput(&logged)
	for _, variables := range []map[string]string{
		{"TF_CPP_MIN_LOG_LEVEL": "", "TF_ENABLE_ONEDNN_OPTS": "1"},
		{"TF_CPP_MIN_LOG_LEVEL": "2"},
		{"TF_ENABLE_ONEDNN_OPTS": ""},
	} {
		for _, name := range []string{"TF_CPP_MIN_LOG_LEVEL", "TF_ENABLE_ONEDNN_OPTS"} {
			t.Setenv(name, "") // the test puts it back
			if value, set := variables[name]; set {
				os.Setenv(name, value)
			} else {
				os.Unsetenv(name)
			}
		}
		before := os.Environ()
		if _, err := Open("xla:cpu"); err == nil {
			t.Fatalf("%s opens", path)
		}
		if after := os.Environ(); !slices.Equal(sorted(after), sorted(before)) {
			t.Errorf("the environment was %q and is %q", before, after)
		}
		klog.Warning("after Open")
		klog.Flush()
		if !strings.Contains(logged.String(), "after Open") {
			t.Errorf("the program's log is %q, want its warning", logged.String())
		}
		logged.Reset()
	}
}

func sorted(list []string) []string { return slices.Sorted(slices.Values(list)) }

// asUser makes the test binary a program that computes on xla:cpu.
const asUser = "SRDIFF_TEST_XLA_CPU"

func TestMain(m *testing.M) {
	if os.Getenv(asUser) == "" {
		os.Exit(m.Run())
	}
	os.Unsetenv("TF_ENABLE_ONEDNN_OPTS")
	before := os.Environ()
	e, err := Open("xla:cpu")
	if err != nil {
		panic(err)
	}
	if after := os.Environ(); !slices.Equal(sorted(after), sorted(before)) {
		panic(fmt.Sprintf("the environment was %q and is %q", before, after))
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
	if err := e.Close(); err != nil {
		panic(err)
	}
	exec, out = nil, nil
	for range 3 { // what is freed after the engine must not complain
		runtime.GC()
		time.Sleep(50 * time.Millisecond)
	}
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
