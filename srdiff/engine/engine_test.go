// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
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
	if e, err := Open("auto"); err != nil || e.Name != "go" || !strings.Contains(e.Why, "as SRDIFF_ENGINE says") {
		t.Errorf("auto opens %v: %v", e, err)
	}
	t.Setenv("SRDIFF_ENGINE", "abacus")
	if _, err := Open("auto"); err == nil || !strings.HasPrefix(err.Error(), `SRDIFF_ENGINE: engine "abacus" is not known`) {
		t.Errorf("with a wrong name: %v", err)
	}
}

func ExampleOpen() {
	_, err := Open("abacus")
	fmt.Println(err)
	// Output: engine "abacus" is not known: want one of auto, xla:cuda, xla:cpu, go
}
