// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"
	"testing/synctest"
	"time"
)

// The first of ten pieces took 20 s, since a program was compiled for it; the others take one
// second each.
func TestRemaining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rest timeLeft
		time.Sleep(20 * time.Second)
		if got := rest.left(1, 10); got != "" {
			t.Errorf("after the first piece %q", got)
		}
		time.Sleep(2 * time.Second)
		if got := rest.left(3, 10); got != ", 7s left" {
			t.Errorf("after 3 pieces %q", got)
		}
		if got := rest.left(3, 7); got != ", 4s left" { // a picture of a folder fell out
			t.Errorf("after 3 pieces of fewer %q", got)
		}
		if got := rest.left(10, 10); got != ", 0s left" {
			t.Errorf("at the end %q", got)
		}
	})
}
