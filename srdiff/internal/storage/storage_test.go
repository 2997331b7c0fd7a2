// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package storage

import (
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	_ "gocloud.dev/blob/memblob" // mem://, for tests alone
)

// sha256OfHello is the hash of "hello", by sha256sum.
const sha256OfHello = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

func hello(w io.Writer) error { _, err := io.WriteString(w, "hello"); return err }

// bucketOf returns the address of a new object of a store that speaks S3's protocol.
func bucketOf(t *testing.T) (object func(key string) string) {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	backend := s3mem.New()
	if err := backend.CreateBucket("pictures"); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(gofakes3.New(backend).Server())
	t.Cleanup(server.Close)
	return func(key string) string {
		return fmt.Sprintf("s3://pictures/%s?region=us-east-1&use_path_style=true&endpoint=%s", key, server.URL)
	}
}

// What is written is read again, from every kind of place.
func TestWriteAndRead(t *testing.T) {
	folder := t.TempDir()
	object := bucketOf(t)
	t.Setenv("TMPDIR", t.TempDir())
	for _, name := range []string{
		filepath.Join(folder, "new", "a b.png"),
		"file://" + filepath.ToSlash(folder) + "/b%20c/d.png",
		"mem://bucket/a/b%3f.png",
		object("a/b.png"),
		object("a%20b/%C3%A9+%3F%23.png"),
	} {
		if runtime.GOOS == "windows" && strings.HasPrefix(name, "file") {
			continue
		}
		var s Store
		ctx := t.Context()
		if _, err := s.Open(ctx, name); !IsMissing(err) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s before it is written: %v", name, err)
		}
		if _, _, err := s.Fetch(ctx, name); !IsMissing(err) {
			t.Errorf("%s before it is written: %v", name, err)
		}
		bad := errors.New("bad")
		if _, err := s.Write(ctx, name, func(w io.Writer) error { hello(w); return bad }); !errors.Is(err, bad) {
			t.Errorf("%s: %v, want the error of the writer", name, err)
		}
		if _, err := s.Open(ctx, name); !IsMissing(err) {
			t.Errorf("%s has a part of a failed result: %v", name, err)
		}
		for range 2 { // again, over itself
			if written, err := s.Write(ctx, name, hello); err != nil || written != (Written{5, sha256OfHello}) {
				t.Fatalf("%s: %+v, %v", name, written, err)
			}
		}
		r, err := s.Open(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if r.Close(); err != nil || string(data) != "hello" {
			t.Errorf("%s holds %q, %v", name, data, err)
		}
		path, remove, err := s.Fetch(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		if data, err := os.ReadFile(path); err != nil || string(data) != "hello" {
			t.Errorf("%s holds %q, %v", name, data, err)
		}
		remove()
	}
	for _, path := range []string{"new/a b.png", "b c/d.png"} {
		if data, err := os.ReadFile(filepath.Join(folder, path)); err != nil || string(data) != "hello" {
			t.Errorf("%s holds %q, %v", path, data, err)
		}
	}
	if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) > 0 {
		t.Errorf("temporary files are left: %v, %v", left, err)
	}
}

// A TIFF goes back to its beginning, so what an object is written from can seek.
func TestSeek(t *testing.T) {
	var s Store
	_, err := s.Write(t.Context(), "mem://bucket/a.tif", func(w io.Writer) error {
		_, err := w.(io.WriteSeeker).Seek(0, io.SeekStart)
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestNames(t *testing.T) {
	for name, base := range map[string]string{
		"a/b.png": "b.png", "b.png": "b.png", "./é ü.png": "é ü.png", "a?b.png": "a?b.png", "file:///x/b%20c.png": "b c.png",
		"s3://bucket/a/b.png?region=x&endpoint=http://c/d": "b.png", "s3://bucket/b%3Fc.png": "b?c.png",
	} {
		if got := Base(name); got != base || Check(name) != nil {
			t.Errorf("%s has the base %q, %v: want %q", name, got, Check(name), base)
		}
	}
	for name, want := range map[string]string{
		"s3://bucket":          "names no object: want s3://bucket/key",
		"s3:///key":            "names no object",
		"gs://bucket/key":      "begins with gs://, which is not read or written",
		"http://host/a.png":    "begins with http://",
		"file://host/a.png":    "a file of the machine host",
		"s3://bucket/%zz":      "is not a URL: invalid URL escape",
		"s3://bucket/a\nb.png": "is not a URL: net/url: invalid control character",
	} {
		if err := Check(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", name, err, want)
		}
		var s Store
		if _, err := s.Write(t.Context(), name, hello); err == nil {
			t.Errorf("%q is written", name)
		}
	}
}

func TestSame(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := errors.Join(os.WriteFile("a", nil, 0o666), os.WriteFile("b", nil, 0o666), os.Link("a", "c")); err != nil {
		t.Fatal(err)
	}
	whole, err := filepath.Abs("a")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		a, b string
		same bool
	}{
		{"a", "./x/../a", true}, {"a", whole, true}, {"a", "file://" + filepath.ToSlash(whole), runtime.GOOS != "windows"}, {"a", "c", true},
		{"new", "./new", true}, {"a", "b", false}, {"a", "new", false},
		{"s3://b/k", "s3://b/%6B", true}, {"s3://b/k", "s3://c/k", false}, {"s3://b/k", "k", false},
	} {
		if Same(test.a, test.b) != test.same || Same(test.b, test.a) != test.same {
			t.Errorf("%s and %s: want %v", test.a, test.b, test.same)
		}
	}
}
