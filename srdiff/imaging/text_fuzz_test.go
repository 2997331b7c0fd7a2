// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package imaging

import (
	"image"
	"os"
	"path/filepath"
	"testing"
)

// FuzzText reads the text of any file, and of a PNG file with any text.
func FuzzText(f *testing.F) {
	f.Add([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0diTXtsrdiff\x00\x00\x00\x00\x00{}"), "{\"seed\":1}")
	f.Add([]byte("\x89PNG\r\n\x1a\n\xff\xff\xff\xfftEXtsrdiff\x00"), "")
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte, text string) {
		path := filepath.Join(dir, "a.png")
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		if found, err := Text(path, "srdiff"); err != nil || len(found) > maxText {
			t.Errorf("%q: %v", found, err)
		}
		if err := WritePNG(path, image.NewGray(image.Rect(0, 0, 1, 1)), TextChunk("srdiff", text)); err != nil {
			t.Fatal(err)
		}
		if found, err := Text(path, "srdiff"); err != nil || found != text {
			t.Errorf("%q came back as %q: %v", text, found, err)
		}
	})
}
