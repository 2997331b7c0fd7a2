// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// Package atomicfile writes files whole or not at all, on every system that Go knows.
package atomicfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// Write writes a file whole or not at all: write fills a temporary file in the same folder, which
// is synced and takes the name path. A file that is replaced keeps its permissions; a new one gets
// what the umask leaves of 0666. Where path is a symbolic link, the file that it names is written
// and the link stays.
//
// On an error, a file of that name is as it was before and nothing else is left behind. The error
// is one line that names path. It wraps the error that write returned or the system's, such as
// fs.ErrNotExist for a missing folder.
func Write(path string, write func(io.Writer) error) error {
	if err := replace(path, write); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

func replace(path string, write func(io.Writer) error) error {
	path, err := target(path)
	if err != nil {
		return cause(err)
	}
	old, err := os.Lstat(path) // Its error tells a name that is too long before anything is written.
	switch {
	case errors.Is(err, fs.ErrNotExist):
		old = nil
	case err != nil && cannotEnter(filepath.Dir(path)):
		return fmt.Errorf("folder %s: %w", filepath.Dir(path), cause(err))
	case err != nil:
		return cause(err)
	case old.IsDir():
		return errors.New("it is a folder; give the name of a file")
	case !old.Mode().IsRegular():
		return errors.New("it is not a regular file and cannot be replaced")
	}
	f, err := create(filepath.Dir(path), old)
	if err != nil {
		return fmt.Errorf("folder %s: %w", filepath.Dir(path), cause(err))
	}
	defer os.Remove(f.Name()) // There is nothing to remove once the file has its name.
	if err := fill(f, old, write); err != nil {
		return err
	}
	return cause(os.Rename(f.Name(), path)) // On Windows, too, it replaces a file.
}

// cannotEnter is whether a path is not that of a folder.
func cannotEnter(folder string) bool {
	info, err := os.Stat(folder)
	return err != nil || !info.IsDir()
}

// target follows symbolic links to the file that path names, which need not exist.
func target(path string) (string, error) {
	const most = 40 // links, as on Linux
	for range most {
		info, err := os.Lstat(path)
		if err != nil || info.Mode()&fs.ModeSymlink == 0 {
			return path, nil
		}
		if real, err := filepath.EvalSymlinks(path); err == nil {
			return real, nil
		}
		link, err := os.Readlink(path)
		if err != nil {
			return "", err
		}
		if !filepath.IsAbs(link) {
			link = filepath.Join(filepath.Dir(path), link)
		}
		path = link
	}
	return "", errors.New("too many symbolic links")
}

// create opens a new temporary file. Its name is short, since file systems limit the length of
// names, and its permissions are those of the old file, nil for none.
func create(folder string, old fs.FileInfo) (*os.File, error) {
	mode := fs.FileMode(0o666)
	if old != nil {
		mode = old.Mode().Perm() // from the beginning, so that nobody else can read a private file
	}
	for {
		name := filepath.Join(folder, fmt.Sprintf(".srdiff-%08x", rand.Uint32()))
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
		if !errors.Is(err, fs.ErrExist) {
			return f, err
		}
	}
}

// fill writes, syncs and closes the temporary file.
func fill(f *os.File, old fs.FileInfo, write func(io.Writer) error) error {
	defer f.Close() // A second Close does nothing.
	if old != nil {
		if err := f.Chmod(old.Mode().Perm()); err != nil { // The umask may have taken some.
			return cause(err)
		}
	}
	if err := write(writer{f}); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return cause(err)
	}
	return cause(f.Close())
}

// writer writes to a file whose name must not appear in errors.
type writer struct{ f *os.File }

// Write implements io.Writer.
func (w writer) Write(p []byte) (n int, err error) {
	n, err = w.f.Write(p)
	return n, cause(err)
}

// Seek implements io.Seeker, for formats whose beginning says where their end is.
func (w writer) Seek(offset int64, whence int) (int64, error) {
	at, err := w.f.Seek(offset, whence)
	return at, cause(err)
}

// cause strips the temporary file's name from an error: it means nothing to the reader.
func cause(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	if e, ok := errors.AsType[*os.LinkError](err); ok {
		return e.Err
	}
	return err
}
