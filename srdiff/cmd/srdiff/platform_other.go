// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

//go:build !linux && !darwin && !freebsd && !windows

package main

import (
	"errors"
	"syscall"
)

// freeSpace is not known on this system.
func freeSpace(string) (free uint64, system string, err error) { return 0, "", errors.ErrUnsupported }

// isBrokenPipe reports whether a write failed because the pipe has no reader.
func isBrokenPipe(err error) bool { return errors.Is(err, syscall.EPIPE) }

// isDiskFull reports whether a write failed because the disk or the quota is full.
func isDiskFull(err error) bool { return errors.Is(err, syscall.ENOSPC) }
