// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import "testing"

func TestByteCount(t *testing.T) {
	for text, want := range map[string]byteCount{
		"1B": 1, "3kB": 3000, "800MB": 800_000_000, "2.5GB": 2_500_000_000, "1tb": 1_000_000_000_000,
		"": 0, "4": 0, "GB": 0, "-1GB": 0, "0GB": 0, "NaNGB": 0, "InfGB": 0, "1e30GB": 0, "2GBs": 0, "2 apples": 0,
	} {
		var got byteCount
		if err := got.Set(text); got != want || (err == nil) != (want != 0) {
			t.Errorf("%q: %d and %v, want %d", text, got, err, want)
		}
	}
}
