// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin || freebsd

package main

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// freeSpace returns how many bytes this user may still write to the file system of a folder, and an
// identifier of the file system.
func freeSpace(folder string) (free uint64, system string, err error) {
	var s unix.Statfs_t
	if err := unix.Statfs(folder, &s); err != nil {
		return 0, "", err
	}
	var at unix.Stat_t
	if err := unix.Stat(folder, &at); err != nil {
		return 0, "", err
	}
	return uint64(s.Bavail) * uint64(s.Bsize), fmt.Sprint(at.Dev), nil
}

// isBrokenPipe reports whether a write failed because the pipe has no reader.
func isBrokenPipe(err error) bool { return errors.Is(err, unix.EPIPE) }

// isDiskFull reports whether a write failed because the disk or the quota is full.
func isDiskFull(err error) bool { return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) }
