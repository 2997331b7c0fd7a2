// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// Package download fetches large files of known content. It resumes interrupted downloads and
// checks what arrives.
package download

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/srdiff/srlab/srdiff/lock"
)

const (
	downloadTries = 4                // in a row that bring next to nothing
	stallTime     = 60 * time.Second // without a byte, after which a connection counts as dropped
	reportTime    = 300 * time.Millisecond
	someProgress  = 1 << 20 // bytes that make a try count as a success
)

// retryPause is doubled after every try; tests shorten it.
var retryPause = 500 * time.Millisecond

// File is one file to fetch. Data that has arrived is kept in Path.part until the file is complete
// and its checksum is right, so a slow download can be interrupted and resumed. The lock Path.lock
// keeps other processes from writing it meanwhile. Only https is used, for redirects too.
type File struct {
	URL      string
	Path     string                  // where the file goes
	Size     int64                   // in bytes
	SHA256   string                  // in hexadecimal
	Progress func(done, total int64) // in bytes; if not nil, called a few times a second
}

// plainHTTP lets tests use servers without https.
var plainHTTP bool

// secure refuses addresses whose data could be replaced on the way.
func secure(u *url.URL) error {
	if u.Scheme != "https" && !plainHTTP {
		return permanent{fmt.Errorf("%s is not fetched: want an address that begins with https", u.Redacted())}
	}
	return nil
}

// permanent is an error that another try cannot mend.
type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

// Fetch downloads the file to Path, unless it is there already, and makes its folder. A connection
// that breaks or stalls is resumed a few times. If that does not help, or if ctx ends, the data
// that has arrived is kept for the next call.
//
// The error says why the file could not be had, or how the data that arrived differs from the file
// that was wanted. While another process downloads the same file, the error is a *lock.HeldError.
func (d *File) Fetch(ctx context.Context) error {
	if d.check(d.Path) == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(d.Path), 0o755); err != nil {
		return err
	}
	release, err := lock.Acquire(d.Path + ".lock")
	if err != nil {
		return fmt.Errorf("%s is being downloaded: %w", d.Path, err)
	}
	defer release()
	if d.check(d.Path) == nil { // another process has just finished it
		return nil
	}
	return d.fetch(ctx)
}

// fetch is Fetch for the holder of the lock.
func (d *File) fetch(ctx context.Context) error {
	part := d.Path + ".part"
	pause := retryPause
	for failures := 0; ; {
		before := fileSize(part)
		err := d.try(ctx, part)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return fmt.Errorf("stopped at %d of %d bytes, which are kept for the next time: %w",
				fileSize(part), d.Size, context.Cause(ctx))
		}
		if errors.As(err, &permanent{}) {
			return err
		}
		if fileSize(part)-before >= someProgress {
			failures, pause = 0, retryPause
		}
		if failures++; failures == downloadTries {
			return fmt.Errorf("gave up after %d tries: %w", failures, err)
		}
		select {
		case <-time.After(pause):
			pause *= 2
		case <-ctx.Done():
		}
	}
	if err := d.check(part); err != nil {
		return errors.Join(err, os.Remove(part))
	}
	return os.Rename(part, d.Path)
}

// try sends one request for the missing rest of part and appends the answer. It returns nil when
// part has its full size.
func (d *File) try(ctx context.Context, part string) error {
	f, err := os.OpenFile(part, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return permanent{err}
	}
	defer f.Close()
	have, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return permanent{err}
	}
	if have == d.Size {
		return nil
	}
	if have > d.Size {
		have = 0
	}

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stalled := time.AfterFunc(stallTime, func() { cancel(fmt.Errorf("no data arrived for %v", stallTime)) })
	defer stalled.Stop()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, d.URL, nil)
	if err != nil {
		return permanent{err}
	}
	request.Header.Set("Accept-Encoding", "identity") // otherwise Go unpacks a gzip file as it arrives
	if have > 0 {
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-", have))
	}
	if err := secure(request.URL); err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return because(ctx, err)
	}
	defer response.Body.Close()
	if have, err = d.offset(response, f, have); err != nil {
		return err
	}
	if err := f.Truncate(have); err != nil {
		return permanent{err}
	}
	if _, err := f.Seek(have, io.SeekStart); err != nil {
		return permanent{err}
	}
	return because(ctx, d.receive(f, response.Body, have, stalled))
}

// client follows a few redirects to secure addresses.
var client = http.Client{CheckRedirect: func(next *http.Request, via []*http.Request) error {
	if len(via) == 10 {
		return errors.New("the server redirects without end")
	}
	return secure(next.URL)
}}

// offset returns the number of bytes of f after which the response's body goes on: have, or 0 for
// the whole file. If the data in f does not fit the server's file, offset empties f and returns an
// error.
func (d *File) offset(response *http.Response, f *os.File, have int64) (int64, error) {
	switch response.StatusCode {
	case http.StatusOK: // the whole file, even if a range was requested
		have = 0
	case http.StatusPartialContent:
		want := fmt.Sprintf("bytes %d-%d/%d", have, d.Size-1, d.Size)
		if got := response.Header.Get("Content-Range"); got != want {
			return 0, errors.Join(fmt.Errorf("the server sent %q instead of %q", got, want), f.Truncate(0))
		}
	case http.StatusRequestedRangeNotSatisfiable:
		return 0, errors.Join(fmt.Errorf("the server's file is shorter than %d bytes", d.Size), f.Truncate(0))
	default:
		err := fmt.Errorf("the server answered %s", response.Status)
		if response.StatusCode >= 500 || response.StatusCode == http.StatusTooManyRequests {
			return 0, err
		}
		return 0, permanent{err}
	}
	if n := response.ContentLength; n >= 0 && n != d.Size-have {
		return 0, permanent{fmt.Errorf("the server offers %d bytes, expected %d: this is another file", n, d.Size-have)}
	}
	return have, nil
}

// because replaces an error by the reason why ctx ended, if ctx has ended.
func because(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return cause
	}
	return err
}

// receive appends the body to f, which holds have bytes, and reports the progress.
func (d *File) receive(f *os.File, body io.Reader, have int64, stalled *time.Timer) error {
	buffer := make([]byte, 128<<10)
	var reported time.Time
	for {
		n, err := body.Read(buffer)
		if have+int64(n) > d.Size {
			return permanent{fmt.Errorf("the server sends more than the %d bytes expected", d.Size)}
		}
		if _, err := f.Write(buffer[:n]); err != nil {
			return permanent{err}
		}
		have += int64(n)
		stalled.Reset(stallTime)
		if d.Progress != nil && (time.Since(reported) >= reportTime || have == d.Size) {
			reported = time.Now()
			d.Progress(have, d.Size)
		}
		if err == io.EOF && have < d.Size {
			return fmt.Errorf("the connection ended after %d of %d bytes", have, d.Size)
		}
		if err == io.EOF {
			return f.Sync()
		}
		if err != nil {
			return err
		}
	}
}

// check returns an error unless the file has the right size and checksum.
func (d *File) check(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	hash := sha256.New()
	n, err := io.Copy(hash, f)
	if err != nil {
		return err
	}
	if sum := hex.EncodeToString(hash.Sum(nil)); n != d.Size || sum != d.SHA256 {
		return fmt.Errorf("the downloaded file is not the one expected, and was removed: %d bytes with SHA-256 %s, "+
			"expected %d with %s", n, sum, d.Size, d.SHA256)
	}
	return nil
}

// fileSize is the size of a file, 0 if there is none.
func fileSize(name string) int64 {
	info, err := os.Stat(name)
	if err != nil {
		return 0
	}
	return info.Size()
}
