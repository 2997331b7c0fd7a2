// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// Package lock keeps two processes from working on the same files at once. Training locks a run's
// folder, a download locks its file, and kernelext locks what cells keep. The package is public for
// its HeldError, by which a program recognises that files are in use.
package lock

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/gofrs/flock"
)

// HeldError is the error of Acquire when the lock is taken.
type HeldError struct {
	Path string // the lock's file
	PID  int    // the process that holds the lock, 0 if unknown
}

// Error says in one line who holds the lock and what to do.
func (e *HeldError) Error() string {
	return fmt.Sprintf("in use by %s: wait for it to end, or stop it (lock file %s)", e.Holder(), e.Path)
}

// Holder names the process that holds the lock, as in "process 4711", or "another process".
func (e *HeldError) Holder() string {
	if e.PID == 0 {
		return "another process"
	}
	return fmt.Sprintf("process %d", e.PID)
}

// Acquire locks the file at path and does not wait for another holder. It creates the file, in a
// folder that must exist. release removes the file, and may be called more than once. The operating
// system frees the lock of a process that dies, so a file that is left behind locks nothing.
//
// If this process or another one holds the lock, the error is a *HeldError, which names the
// process. Where the file system cannot lock files, Acquire succeeds without a lock.
func Acquire(path string) (release func(), err error) {
	for {
		l := flock.New(path, flock.SetPermissions(0o644))
		locked, err := l.TryLock()
		switch {
		case errors.Is(err, errors.ErrUnsupported):
			return func() {}, nil
		case err != nil:
			return nil, fmt.Errorf("cannot lock %s: %w", path, err)
		case !locked:
			return nil, &HeldError{Path: path, PID: readPID(path)}
		}
		// The holder before may have removed the file after this process opened it.
		if current(l) {
			writePID(path)
			return func() { free(l) }, nil
		}
		_ = l.Unlock() // and try the file that is there now
	}
}

// current reports whether a lock's path still leads to the file that is locked.
func current(l *flock.Flock) bool {
	ours, err := l.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(l.Path())
	return err == nil && os.SameFile(ours, there)
}

// free gives a lock back. The file is removed while it is locked, so that nobody else's is; Windows
// only removes files that are closed, and refuses if somebody else has opened the file since.
func free(l *flock.Flock) {
	if !l.Locked() {
		return
	}
	removed := os.Remove(l.Path())
	_ = l.Unlock()
	if removed != nil {
		_ = os.Remove(l.Path())
	}
}

// The process id begins at the file's second byte: on Windows nobody else can read a locked byte,
// and the first one is locked.
const pidOffset = 1

// writePID writes this process's id into the lock's file. It is for people, so an error is ignored.
func writePID(path string) {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return
	}
	defer file.Close()
	_ = file.Truncate(pidOffset)
	_, _ = file.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), pidOffset)
}

// readPID returns the process id in a lock's file, 0 if there is none.
func readPID(path string) int {
	file, err := os.Open(path)
	if err != nil {
		return 0
	}
	defer file.Close()
	buffer := make([]byte, 20)
	n, _ := file.ReadAt(buffer, pidOffset)
	text, whole := strings.CutSuffix(string(buffer[:n]), "\n")
	if pid, err := strconv.Atoi(text); err == nil && whole {
		return pid
	}
	return 0
}
