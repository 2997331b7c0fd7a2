// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"path/filepath"

	"golang.org/x/sys/windows"
)

// freeSpace returns how many bytes this user may still write to the file system of a folder, and an
// identifier of the file system.
func freeSpace(folder string) (free uint64, system string, err error) {
	whole, err := filepath.Abs(folder)
	if err != nil {
		return 0, "", err
	}
	name, err := windows.UTF16PtrFromString(whole)
	if err != nil {
		return 0, "", err
	}
	err = windows.GetDiskFreeSpaceEx(name, &free, nil, nil)
	return free, filepath.VolumeName(whole), err
}

// isBrokenPipe reports whether a write failed because the pipe has no reader.
func isBrokenPipe(err error) bool {
	return errors.Is(err, windows.ERROR_BROKEN_PIPE) || errors.Is(err, windows.ERROR_NO_DATA)
}

// isDiskFull reports whether a write failed because the disk or the quota is full.
func isDiskFull(err error) bool {
	return errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL)
}
