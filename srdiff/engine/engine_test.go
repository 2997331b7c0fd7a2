// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"io"
	"strings"
	"testing"
)

func TestOpen(t *testing.T) {
	emptyMachine(t)
	for _, name := range []string{"auto", "go"} {
		e, err := Open(name)
		if err != nil {
			t.Fatal(err)
		}
		if e.Name != "go" || e.Backend == nil || !strings.HasPrefix(e.String(), "go: GoMLX's pure-Go engine") {
			t.Errorf("%s opens %q: %q", name, e.Name, e)
		}
	}
}

func TestOpenWanted(t *testing.T) {
	emptyMachine(t)
	t.Setenv("SRDIFF_ENGINE", "go")
	if e, err := Open("auto"); err != nil || e.Name != "go" || !strings.Contains(e.Why, "chosen by SRDIFF_ENGINE") {
		t.Errorf("auto opens %v: %v", e, err)
	}
	t.Setenv("SRDIFF_ENGINE", "abacus")
	if _, err := Open("auto"); err == nil || !strings.HasPrefix(err.Error(), `SRDIFF_ENGINE: engine "abacus" is not known`) {
		t.Errorf("with a wrong name: %v", err)
	}
}

// Options of an engine that has none are refused, not ignored.
func TestOpenRefusesOptions(t *testing.T) {
	emptyMachine(t)
	for _, name := range []string{"go,foo", "go,", "auto,preallocate=true", "auto,"} {
		if _, err := Open(name); err == nil || !strings.Contains(err.Error(), "takes no options") {
			t.Errorf("%s: %v", name, err)
		}
		t.Setenv("SRDIFF_ENGINE", name)
		if _, err := Open("auto"); err == nil || !strings.Contains(err.Error(), "SRDIFF_ENGINE: ") {
			t.Errorf("SRDIFF_ENGINE=%s: %v", name, err)
		}
		t.Setenv("SRDIFF_ENGINE", "")
	}
}

func TestClose(t *testing.T) {
	e, err := Open("go")
	if err != nil {
		t.Fatal(err)
	}
	var closer io.Closer = e
	for range 2 {
		if err := closer.Close(); err != nil {
			t.Error(err)
		}
	}
	if !e.Backend.IsFinalized() {
		t.Error("the backend is still open")
	}
}

// A program without cgo says so where it would otherwise offer XLA.
func TestWithoutCgo(t *testing.T) {
	e, err := Open("go")
	if err != nil {
		t.Fatal(err)
	}
	if says := strings.Contains(e.Why, "without cgo"); says == HasXLA {
		t.Errorf("with XLA: %t, and the engine says %q", HasXLA, e.Why)
	}
	if HasXLA {
		return
	}
	if _, err := Open("xla:cpu"); err == nil || !strings.Contains(err.Error(), "xla:cpu: this program was built without cgo") {
		t.Errorf("xla:cpu: %v", err)
	}
	if _, err := OpenPlugin("cpu", "plugin.so"); err == nil || !strings.Contains(err.Error(), "without cgo") {
		t.Errorf("a plugin: %v", err)
	}
}

func ExampleOpen() {
	_, err := Open("abacus")
	fmt.Println(err)
	// Output: engine "abacus" is not known: want one of auto, xla:cuda, xla:cpu, go
}
