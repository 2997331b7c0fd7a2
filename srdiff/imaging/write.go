// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package imaging

import (
	"errors"
	"fmt"
	"image"
	"image/png"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// WritePNG writes img to a file whole or not at all: to a hidden file in the same folder first, which then takes
// the name. On an error a file of that name is as it was before, and nothing else is left behind.
func WritePNG(path string, img image.Image) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return fmt.Errorf("write %s: it is a folder; give the name of a file", path)
	}
	folder := filepath.Dir(path)
	f, err := renameio.NewPendingFile(path, renameio.WithTempDir(folder), renameio.WithPermissions(0o644))
	if err != nil {
		return fmt.Errorf("write %s: folder %s: %w", path, folder, cause(err))
	}
	defer f.Cleanup() // Does nothing once the file has its name.
	if err := png.Encode(f, img); err != nil {
		return fmt.Errorf("write %s: %w", path, cause(err))
	}
	if err := f.CloseAtomicallyReplace(); err != nil {
		return fmt.Errorf("write %s: %w", path, cause(err))
	}
	return nil
}

// cause strips the hidden file's name from an error: it means nothing to the reader.
func cause(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	if e, ok := errors.AsType[*os.LinkError](err); ok {
		return e.Err
	}
	return err
}
