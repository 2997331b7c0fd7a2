// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package atomicfile

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// text returns what writes a text.
func text(s string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, s)
		return err
	}
}

// put makes a file without the code under test.
func put(t *testing.T, path, content string, mode fs.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// holds checks a file's content, and that its folder holds so many entries: nothing is left behind.
func holds(t *testing.T, path, want string, entries int) {
	t.Helper()
	if got, err := os.ReadFile(path); string(got) != want || err != nil {
		t.Errorf("%s holds %q, %v, want %q", path, got, err, want)
	}
	if list, err := os.ReadDir(filepath.Dir(path)); len(list) != entries || err != nil {
		t.Errorf("the folder holds %v, %v, want %d entries", list, err, entries)
	}
}

func TestWriteLongestName(t *testing.T) {
	for _, length := range []int{1, 200, 232, 254, 255} {
		path := filepath.Join(t.TempDir(), strings.Repeat("x", length))
		for _, content := range []string{"first", "second"} {
			if err := Write(path, text(content)); err != nil {
				t.Fatalf("a name of %d bytes: %.80v", length, err)
			}
			holds(t, path, content, 1)
		}
	}
}

// A name that no file can have is refused before anything is written.
func TestWriteTooLongName(t *testing.T) {
	path := filepath.Join(t.TempDir(), strings.Repeat("x", 256))
	err := Write(path, func(io.Writer) error {
		t.Error("something was written")
		return nil
	})
	if !errors.Is(err, syscall.ENAMETOOLONG) {
		t.Error(err)
	}
}

func TestWriteMode(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such modes")
	}
	folder := t.TempDir()
	for _, mode := range []fs.FileMode{0o600, 0o640, 0o444, 0o666, 0o755} {
		path := filepath.Join(folder, mode.String())
		put(t, path, "old", mode)
		if err := Write(path, text("new")); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode() != mode {
			t.Errorf("mode %v became %v, %v", mode, info.Mode(), err)
		}
	}
	plain, path := filepath.Join(folder, "plain"), filepath.Join(folder, "new")
	f, err := os.Create(plain)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if err := Write(path, text("new")); err != nil {
		t.Fatal(err)
	}
	want, _ := os.Stat(plain)
	if got, err := os.Stat(path); err != nil || got.Mode() != want.Mode() {
		t.Errorf("a new file has mode %v, %v, want %v as any file", got.Mode(), err, want.Mode())
	}
}

// The temporary file of a private one is private too.
func TestWritePrivateFromTheBeginning(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such modes")
	}
	path := filepath.Join(t.TempDir(), "a")
	put(t, path, "old", 0o600)
	err := Write(path, func(w io.Writer) error {
		list, err := os.ReadDir(filepath.Dir(path))
		if err != nil || len(list) != 2 {
			t.Errorf("%v, %v, want two files", list, err)
		}
		for _, entry := range list {
			if info, err := entry.Info(); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%v", info)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestWriteThroughLinks(t *testing.T) {
	for _, test := range []struct {
		name, link, real string // the link's text, and the file that it means
		exists           bool
	}{
		{"absolute", "ABS", "files/a", true},
		{"relative", "files/a", "files/a", true},
		{"dangling", "files/a", "files/a", false},
		{"dangling, absolute", "ABS", "files/a", false},
		{"through a link to a folder", "linked/a", "files/a", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			folder := t.TempDir()
			real := filepath.Join(folder, test.real)
			if err := os.Mkdir(filepath.Dir(real), 0o755); err != nil {
				t.Fatal(err)
			}
			if test.exists {
				put(t, real, "old", 0o600)
			}
			link, second := filepath.Join(folder, "link"), filepath.Join(folder, "second")
			for from, to := range map[string]string{
				link: strings.Replace(test.link, "ABS", real, 1), second: "link", filepath.Join(folder, "linked"): "files",
			} {
				if err := os.Symlink(filepath.FromSlash(to), from); err != nil {
					t.Skip(err)
				}
			}
			for _, path := range []string{link, second} {
				if err := Write(path, text(path)); err != nil {
					t.Fatal(err)
				}
				holds(t, real, path, 1)
				if info, err := os.Lstat(path); err != nil || info.Mode()&fs.ModeSymlink == 0 {
					t.Errorf("%s is no link any more: %v", path, err)
				}
			}
		})
	}
}

func TestWriteErrors(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "file")
	put(t, file, "old", 0o600)
	loop := filepath.Join(t.TempDir(), "loop")
	if err := os.Symlink("loop", loop); err != nil {
		t.Skip(err)
	}
	full := func(w io.Writer) error {
		if _, err := io.WriteString(w, "half of the"); err != nil {
			return err
		}
		return syscall.ENOSPC
	}
	for _, test := range []struct {
		name, path string
		write      func(io.Writer) error
		want       string
		is         error
	}{
		{"missing folder", filepath.Join(folder, "no", "a"), text("new"), "folder " + filepath.Join(folder, "no") + ": ", fs.ErrNotExist},
		{"file as folder", filepath.Join(file, "a"), text("new"), "folder " + file + ": ", nil},
		{"folder as file", folder, text("new"), "it is a folder; give the name of a file", nil},
		{"full disk", file, full, "no space left", syscall.ENOSPC},
		{"link to itself", loop, text("new"), "too many symbolic links", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := Write(test.path, test.write)
			if err == nil {
				t.Fatal("no error")
			}
			if line := err.Error(); !strings.HasPrefix(line, "write "+test.path+": ") || !strings.Contains(line, test.want) ||
				strings.Contains(line, "\n") || strings.Contains(line, ".srdiff-") || strings.Count(line, test.path) != 1 {
				t.Errorf("error %q, want one line with %q", line, test.want)
			}
			if test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("%v is not %v", err, test.is)
			}
		})
	}
	holds(t, file, "old", 1)
}

func TestWriteReadOnlyFolder(t *testing.T) {
	if runtime.GOOS == "windows" || os.Getuid() == 0 {
		t.Skip("this user may write everywhere")
	}
	folder := t.TempDir()
	file := filepath.Join(folder, "file")
	put(t, file, "old", 0o600)
	if err := os.Chmod(folder, 0o500); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(folder, 0o700)
	if err := Write(file, text("new")); !errors.Is(err, fs.ErrPermission) {
		t.Error(err)
	}
	holds(t, file, "old", 1)
}

// The system's error when a disk is full or a file is closed names the temporary file, which nobody knows.
func TestWriterHidesTheTemporaryName(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), ".srdiff-1"))
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if _, err := (writer{f}).Write([]byte("x")); !errors.Is(err, os.ErrClosed) || strings.Contains(err.Error(), ".srdiff-") {
		t.Error(err)
	}
	link := &os.LinkError{Op: "rename", Old: ".srdiff-1", New: "a", Err: fs.ErrPermission}
	if got := cause(link); got != fs.ErrPermission {
		t.Errorf("%v becomes %v", link, got)
	}
}
