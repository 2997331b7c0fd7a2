// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"strings"
	"testing"
)

func TestOpen(t *testing.T) {
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

func ExampleOpen() {
	_, err := Open("abacus")
	fmt.Println(err)
	// Output: engine "abacus" is not known: want one of auto, go
}
