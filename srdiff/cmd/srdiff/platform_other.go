// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

//go:build !linux && !darwin && !freebsd && !windows

package main

import (
	"errors"
	"syscall"
)

// freeSpace is not known on this system.
func freeSpace(string) (free uint64, system string, err error) { return 0, "", errors.ErrUnsupported }

// readerGone is whether a write failed since nobody reads the pipe.
func readerGone(err error) bool { return errors.Is(err, syscall.EPIPE) }

// diskFull is whether a write failed since there is no space.
func diskFull(err error) bool { return errors.Is(err, syscall.ENOSPC) }
