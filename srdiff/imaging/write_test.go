// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package imaging

import (
	"bytes"
	"errors"
	"image"
	"image/png"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

func TestWritePNG(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "a picture.png")
	for _, size := range []int{1, 9} { // The second one replaces the first.
		want := pattern(size, size).Image()
		if err := WritePNG(path, want); err != nil {
			t.Fatal(err)
		}
		img, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := FromImage(img).Image(); !bytes.Equal(got.Pix, want.Pix) {
			t.Errorf("%dx%d: other pixels came back", size, size)
		}
	}
	onlyFile(t, folder, "a picture.png")
}

func TestWritePNGErrors(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "old.png")
	if err := os.WriteFile(file, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	good := New(1, 1).Image()
	for _, test := range []struct {
		name, path string
		img        image.Image
		want       string
	}{
		{"missing folder", filepath.Join(folder, "no", "a.png"), good, "folder " + filepath.Join(folder, "no") + ": no such"},
		{"file as folder", filepath.Join(file, "a.png"), good, "folder " + file + ": not a directory"},
		{"folder as file", folder, good, "it is a folder"},
		{"encoder fails", file, New(0, 0).Image(), "invalid image size: 0x0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := WritePNG(test.path, test.img)
			if err == nil {
				t.Fatal("no error")
			}
			oneLine(t, err, test.path)
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %q lacks %q", err, test.want)
			}
		})
	}
	onlyFile(t, folder, "old.png")
	if data, err := os.ReadFile(file); err != nil || string(data) != "old" {
		t.Errorf("the old file holds %q, %v", data, err)
	}
}

// failing takes so many bytes, as a disk that gets full.
type failing struct{ left int }

func (f *failing) Write(p []byte) (int, error) {
	n := min(len(p), f.left)
	f.left -= n
	if n < len(p) {
		return n, syscall.ENOSPC
	}
	return n, nil
}

// Chunks come after the header however the encoder's bytes come, and a writer's error ends it wherever that is.
func TestInserter(t *testing.T) {
	plain := encoded(png.Encode, pattern(5, 4).Image())
	chunks := []Chunk{{"gAMA", []byte{0, 0, 0xb1, 0x8f}}, TextChunk("key", "text, größer")}
	inserted := "\x00\x00\x00\x04gAMA\x00\x00\xb1\x8f\x0b\xfc\x61\x05" + // as libpng writes it
		"\x00\x00\x00\x16iTXtkey\x00\x00\x00\x00\x00text, größer"
	var whole []byte
	for _, step := range []int{1, 7, 33, 34, len(plain)} {
		var out bytes.Buffer
		w := &inserter{w: &out, chunks: chunks}
		for piece := range slices.Chunk(plain, step) {
			if n, err := w.Write(piece); n != len(piece) || err != nil {
				t.Fatalf("%d of %d bytes, %v", n, len(piece), err)
			}
		}
		whole = out.Bytes()
		if !bytes.Equal(whole[:33], plain[:33]) || !bytes.HasSuffix(whole, plain[33:]) ||
			!strings.HasPrefix(string(whole[33:]), inserted) || len(whole) != len(plain)+len(inserted)+4 {
			t.Errorf("in pieces of %d: %q", step, whole)
		}
		if types, _ := parts(t, whole); !slices.Equal(types, []string{"IHDR", "gAMA", "iTXt", "IDAT", "IEND"}) {
			t.Errorf("in pieces of %d: %q", step, types)
		}
	}
	for room := range len(whole) {
		if err := png.Encode(&inserter{w: &failing{room}, chunks: chunks}, pattern(5, 4).Image()); !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("on a disk of %d bytes: %v", room, err)
		}
	}
}

func TestText(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.png")
	for _, test := range []struct {
		chunks []Chunk
		want   string
	}{
		{nil, ""},
		{[]Chunk{TextChunk("srdiff", "größer")}, "größer"},
		{[]Chunk{TextChunk("other", "no"), TextChunk("srdiff", "yes"), TextChunk("srdiff", "later")}, "yes"},
		{[]Chunk{{"tEXt", []byte("srdiff\x00plain")}}, "plain"},
		{[]Chunk{{"iTXt", []byte("srdiff\x00\x00\x00de\x00Schlüssel\x00text")}}, "text"},
		{[]Chunk{{"iTXt", []byte("srdiff\x00\x01\x00\x00\x00compressed")}}, ""},
		{[]Chunk{{"iTXt", []byte("srdiff\x00")}}, ""},
		{[]Chunk{{"iTXt", []byte("srdiff\x00\x00\x00cut short")}}, ""},
		{[]Chunk{{"zTXt", []byte("srdiff\x00\x00")}}, ""},
	} {
		if err := WritePNG(path, New(2, 2).Image(), test.chunks...); err != nil {
			t.Fatal(err)
		}
		if got, err := Text(path, "srdiff"); got != test.want || err != nil {
			t.Errorf("%q: %q, %v, want %q", test.chunks, got, err, test.want)
		}
	}
	if err := os.WriteFile(path, []byte("no PNG"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := Text(path, "srdiff"); got != "" || err != nil {
		t.Errorf("a text file: %q, %v", got, err)
	}
	if _, err := Text(path+"x", "srdiff"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// onlyFile checks that a folder holds one file and no leftovers.
func onlyFile(t *testing.T, folder, name string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 || entries[0].Name() != name {
		t.Errorf("the folder holds %v, want only %s", entries, name)
	}
}

// oneLine checks that an error is one line that names the file once.
func oneLine(t *testing.T, err error, path string) {
	t.Helper()
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("error of several lines: %q", err)
	}
	if n := strings.Count(err.Error(), path); n != 1 && filepath.Dir(path) != "." {
		t.Errorf("error names the file %d times: %q", n, err)
	}
}
