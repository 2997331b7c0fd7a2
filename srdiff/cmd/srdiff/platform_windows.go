// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"path/filepath"

	"golang.org/x/sys/windows"
)

// freeSpace returns how many bytes this user may still write to the file system of a folder, and
// something that names the file system.
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

// readerGone is whether a write failed since nobody reads the pipe.
func readerGone(err error) bool {
	return errors.Is(err, windows.ERROR_BROKEN_PIPE) || errors.Is(err, windows.ERROR_NO_DATA)
}

// diskFull is whether a write failed since there is no space.
func diskFull(err error) bool {
	return errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL)
}
