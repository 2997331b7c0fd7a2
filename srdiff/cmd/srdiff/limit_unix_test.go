// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import (
	"os/signal"
	"syscall"
)

const canLimitFiles = true

// limitFiles makes each write beyond the first bytes of a file fail like one on a full disk.
func limitFiles() {
	signal.Ignore(syscall.SIGXFSZ)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 10_000, Max: 10_000}); err != nil {
		panic(err)
	}
}
