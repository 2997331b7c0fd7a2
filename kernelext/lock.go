// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package kernelext

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// inUseError is the error of [acquire] when the lock is held already.
type inUseError struct {
	holder string // Names the process.
}

func (e *inUseError) Error() string { return "in use by " + e.holder }

// acquire locks the file at path, and makes it if it does not exist. The lock ends with release or
// with the process. If the lock is held already, the error is an [inUseError].
func acquire(path string) (release func(), err error) {
	for {
		lock := flock.New(path, flock.SetPermissions(0o644))
		locked, err := lock.TryLock()
		if err != nil {
			return nil, fmt.Errorf("not lockable: %w", err)
		}
		if !locked {
			return nil, &inUseError{holder(path)}
		}
		// The last holder may have removed the file after this process opened it.
		if !stillAt(lock, path) {
			_ = lock.Close()
			continue
		}
		if err := os.WriteFile(path, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o644); err != nil {
			_ = lock.Close()
			return nil, err
		}
		return func() {
			_ = os.Remove(path) // While it is locked, so that it is not another holder's file.
			_ = lock.Close()
		}, nil
	}
}

// stillAt reports whether the locked file is the one at path.
func stillAt(lock *flock.Flock, path string) bool {
	locked, err := lock.Stat()
	if err != nil {
		return false
	}
	current, err := os.Stat(path)
	return err == nil && os.SameFile(locked, current)
}

// holder names the process that wrote its number into a lock's file.
func holder(path string) string {
	for range 20 { // The holder writes its number a moment after it has the lock.
		if data, err := os.ReadFile(path); err == nil {
			if pid, err := strconv.Atoi(strings.TrimSpace(string(data))); err == nil {
				return fmt.Sprintf("process %d", pid)
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
	return "another process"
}
