// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// Package storage reads and writes files by name, on this machine or in an object store. A name is
//
//	a path                  if it has no "://"
//	file:///path            the same, as a URL, in which characters may be escaped
//	s3://bucket/key?params  an object in S3 or a store that speaks its protocol
//
// The parameters of s3 are those of gocloud.dev/blob/s3blob, such as region, and endpoint with
// use_path_style. Credentials are those of AWS's own programs.
package storage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"github.com/srdiff/srlab/srdiff/internal/atomicfile"
	"gocloud.dev/blob"
	_ "gocloud.dev/blob/s3blob" // s3://
	"gocloud.dev/gcerrors"
)

// Store reads and writes files. It connects to each bucket once. The zero Store is ready to use.
type Store struct {
	mu      sync.Mutex
	buckets map[string]*blob.Bucket // by their URLs
}

// place is where a name points to.
type place struct {
	path        string // on this machine, or ""
	bucket, key string // the bucket's URL, and the object in it
}

// parse returns the place of a name.
func parse(name string) (place, error) {
	if !strings.Contains(name, "://") {
		return place{path: name}, nil
	}
	u, err := url.Parse(name)
	switch {
	case err != nil:
		return place{}, fmt.Errorf("%s is not a URL: %w", name, errors.Unwrap(err))
	case u.Scheme == "file" && u.Host == "" && runtime.GOOS == "windows":
		return place{path: filepath.FromSlash(strings.TrimPrefix(u.Path, "/"))}, nil
	case u.Scheme == "file" && u.Host == "":
		return place{path: u.Path}, nil
	case u.Scheme == "file":
		return place{}, fmt.Errorf("%s names a file of the machine %s: want file:/// and a path", name, u.Host)
	case !blob.DefaultURLMux().ValidBucketScheme(u.Scheme):
		return place{}, fmt.Errorf("%s begins with %s://, which is not read or written: want a path, file:/// or s3://", name, u.Scheme)
	}
	p := place{key: strings.TrimPrefix(u.Path, "/")}
	if u.Host == "" || p.key == "" {
		return place{}, fmt.Errorf("%s names no object: want %s://bucket/key", name, u.Scheme)
	}
	u.Path, u.RawPath, u.Fragment = "", "", ""
	p.bucket = u.String()
	return p, nil
}

// Check returns an error for a name that is no place of a file.
func Check(name string) error {
	_, err := parse(name)
	return err
}

// Key returns a text that is the same for two names of one place.
func Key(name string) string {
	p, err := parse(name)
	if err != nil {
		return name
	}
	if p.path != "" {
		if whole, err := filepath.Abs(p.path); err == nil {
			return whole
		}
		return p.path
	}
	return p.bucket + " " + p.key
}

// Base returns the last part of the path or key that a name stands for.
func Base(name string) string {
	p, err := parse(name)
	if err == nil && p.path == "" {
		return path.Base(p.key)
	}
	return filepath.Base(p.path)
}

// Same reports whether two names are of the same file.
func Same(a, b string) bool {
	if Key(a) == Key(b) {
		return true
	}
	p, _ := parse(a)
	q, _ := parse(b)
	if p.path == "" || q.path == "" {
		return false
	}
	first, err := os.Stat(p.path)
	if err != nil {
		return false
	}
	second, err := os.Stat(q.path)
	return err == nil && os.SameFile(first, second)
}

// IsMissing reports whether an error says that there is no such file.
func IsMissing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || gcerrors.Code(err) == gcerrors.NotFound
}

// bucket returns the connection to a bucket.
func (s *Store) bucket(ctx context.Context, address string) (*blob.Bucket, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.buckets[address]; b != nil {
		return b, nil
	}
	b, err := blob.OpenBucket(ctx, withoutRemarks(address))
	if err != nil {
		return nil, err
	}
	if s.buckets == nil {
		s.buckets = map[string]*blob.Bucket{}
	}
	s.buckets[address] = b
	return b, nil
}

// withoutRemarks asks AWS's library for no checksum of what is read, unless the address does. It would
// print a line for each object that has none, and TLS checks what is on its way.
func withoutRemarks(address string) string {
	const validation = "response_checksum_validation"
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "s3" {
		return address
	}
	parameters := u.Query()
	if !parameters.Has(validation) {
		parameters.Set(validation, "when_required")
	}
	u.RawQuery = parameters.Encode()
	return u.String()
}

// Open opens a file for reading. The caller closes it.
func (s *Store) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	p, err := parse(name)
	switch {
	case err != nil:
		return nil, err
	case p.path != "":
		return os.Open(p.path)
	}
	b, err := s.bucket(ctx, p.bucket)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	r, err := b.NewReader(ctx, p.key, nil)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return r, nil
}

// Fetch returns the path of a file on this machine with the contents of name, a copy where name is
// elsewhere. It is valid until the call of remove. See IsMissing for its errors.
func (s *Store) Fetch(ctx context.Context, name string) (path string, remove func(), err error) {
	p, err := parse(name)
	if err != nil {
		return "", nil, err
	}
	if p.path != "" {
		_, err := os.Stat(p.path)
		return p.path, func() {}, err
	}
	from, err := s.Open(ctx, name)
	if err != nil {
		return "", nil, err
	}
	defer from.Close()
	to, err := temporary()
	if err != nil {
		return "", nil, err
	}
	defer to.Close()
	if _, err := io.Copy(to, from); err != nil {
		os.Remove(to.Name())
		return "", nil, fmt.Errorf("read %s: %w", name, err)
	}
	return to.Name(), func() { os.Remove(to.Name()) }, nil
}

// temporary creates a file for a copy.
func temporary() (*os.File, error) { return os.CreateTemp("", ".srdiff-") }

// Written is what Write wrote.
type Written struct {
	Bytes  int64
	SHA256 string // in hexadecimal
}

// Write writes a file whole or not at all. The folders above a path are made if they do not exist. An
// object gets its contents when all of them are on this machine.
func (s *Store) Write(ctx context.Context, name string, write func(io.Writer) error) (Written, error) {
	p, err := parse(name)
	if err != nil {
		return Written{}, err
	}
	if p.path == "" {
		return s.upload(ctx, name, p, write)
	}
	if err := os.MkdirAll(filepath.Dir(p.path), 0o777); err != nil {
		return Written{}, err
	}
	if err := atomicfile.Write(p.path, write); err != nil {
		return Written{}, err
	}
	return Measure(p.path)
}

// upload writes an object.
func (s *Store) upload(ctx context.Context, name string, p place, write func(io.Writer) error) (Written, error) {
	f, err := temporary()
	if err != nil {
		return Written{}, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if err := write(f); err != nil {
		return Written{}, err
	}
	written, err := Measure(f.Name())
	if err != nil {
		return Written{}, err
	}
	b, err := s.bucket(ctx, p.bucket)
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err == nil {
		err = b.Upload(ctx, p.key, f, &blob.WriterOptions{ContentType: contentType(p.key)})
	}
	if err != nil {
		return Written{}, fmt.Errorf("write %s: %w", name, err)
	}
	return written, nil
}

// contentType is what an object's key says that it holds.
func contentType(key string) string {
	switch strings.ToLower(path.Ext(key)) {
	case ".png":
		return "image/png"
	case ".jpg", ".jpeg", ".jpe", ".jfif":
		return "image/jpeg"
	case ".tif", ".tiff":
		return "image/tiff"
	case ".webp":
		return "image/webp"
	}
	return "application/octet-stream"
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
