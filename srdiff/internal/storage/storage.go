// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// Package storage reads and writes files by name. A name without "://" is a path.
package storage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/srdiff/srlab/srdiff/internal/atomicfile"
)

// Store reads and writes files.
type Store struct{}

// Key returns a text that is the same for names of the same file, but for links.
func Key(name string) string {
	if path, err := filepath.Abs(name); err == nil {
		return path
	}
	return name
}

// Base returns the last part of a name.
func Base(name string) string { return filepath.Base(name) }

// Open opens a file for reading. The caller closes it.
func (s *Store) Open(ctx context.Context, name string) (io.ReadCloser, error) { return os.Open(name) }

// Fetch returns the path of a file on this machine with the contents of name. It is valid until the
// call of remove. The error wraps fs.ErrNotExist if there is no such file.
func (s *Store) Fetch(ctx context.Context, name string) (path string, remove func(), err error) {
	if _, err := os.Stat(name); err != nil {
		return "", nil, err
	}
	return name, func() {}, nil
}

// IsMissing reports whether an error says that there is no such file.
func IsMissing(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// Same reports whether two names are of the same file.
func (s *Store) Same(a, b string) bool {
	if Key(a) == Key(b) {
		return true
	}
	first, err := os.Stat(a)
	if err != nil {
		return false
	}
	second, err := os.Stat(b)
	return err == nil && os.SameFile(first, second)
}

// Written is what Write wrote.
type Written struct {
	Bytes  int64
	SHA256 string // in hexadecimal
}

// Write writes a file whole or not at all. The folders above it are made if they do not exist.
func (s *Store) Write(ctx context.Context, name string, write func(io.Writer) error) (Written, error) {
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		return Written{}, err
	}
	if err := atomicfile.Write(name, write); err != nil {
		return Written{}, err
	}
	return Measure(name)
}

// Measure returns the size and the hash of a file on this machine.
func Measure(path string) (Written, error) {
	f, err := os.Open(path)
	if err != nil {
		return Written{}, err
	}
	defer f.Close()
	hash := sha256.New()
	n, err := io.Copy(hash, f)
	return Written{n, hex.EncodeToString(hash.Sum(nil))}, err
}
