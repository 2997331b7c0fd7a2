// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package download

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/srdiff/srlab/srdiff/lock"
)

// content is what the test servers offer.
var content = bytes.Repeat([]byte("0123456789abcdef"), 40_000)

// hurry shortens the pauses between tries for one test.
func hurry(t *testing.T) {
	before := retryPause
	retryPause = time.Millisecond
	t.Cleanup(func() { retryPause = before })
}

func allowPlain(t *testing.T) {
	plainHTTP = true
	t.Cleanup(func() { plainHTTP = false })
}

// Nothing comes over http, not by a redirect either; over https it comes.
func TestHTTPSOnly(t *testing.T) {
	d := offer(t, serve)
	plainHTTP = false
	refused := func(what string) {
		t.Helper()
		err := d.Fetch(context.Background())
		if err == nil || !strings.Contains(err.Error(), "want an address that begins with https") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", what, err)
		}
		if _, err := os.Stat(d.Path); err == nil {
			t.Errorf("%s: fetched", what)
		}
	}
	refused("http")
	plain := d.URL
	tls := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/moved" {
			http.Redirect(w, r, plain, http.StatusFound)
			return
		}
		serve(w, r)
	}))
	defer tls.Close()
	defer func(before http.RoundTripper) { http.DefaultTransport = before }(http.DefaultTransport)
	http.DefaultTransport = tls.Client().Transport
	d.URL = tls.URL + "/moved"
	refused("a redirect to http")
	d.URL = tls.URL + "/data.tar.gz"
	if err := d.Fetch(context.Background()); err != nil {
		t.Error(err)
	}
}

// offer starts a server and returns the download of its file, into a folder that does not exist
// yet.
func offer(t *testing.T, handler http.HandlerFunc) *File {
	t.Helper()
	hurry(t)
	allowPlain(t)
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	sum := sha256.Sum256(content)
	return &File{
		URL:    server.URL + "/data.tar.gz",
		Path:   filepath.Join(t.TempDir(), "cache", "data.tar.gz"),
		Size:   int64(len(content)),
		SHA256: hex.EncodeToString(sum[:]),
	}
}

// serve is a server as it should be.
func serve(w http.ResponseWriter, r *http.Request) {
	http.ServeContent(w, r, "data.tar.gz", time.Time{}, bytes.NewReader(content))
}

func writePart(t *testing.T, d *File, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(d.Path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(d.Path+".part", data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// wantFile checks that the file is there, whole, and nothing beside it.
func wantFile(t *testing.T, d *File) {
	t.Helper()
	got, err := os.ReadFile(d.Path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, content) {
		t.Errorf("%d bytes arrived, and not those that were offered", len(got))
	}
	if _, err := os.Stat(d.Path + ".part"); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the .part file is left behind")
	}
}

func TestDownload(t *testing.T) {
	requests := 0
	d := offer(t, func(w http.ResponseWriter, r *http.Request) { requests++; serve(w, r) })
	var last, total int64
	d.Progress = func(done, all int64) {
		if done < last {
			t.Errorf("progress goes back from %d to %d", last, done)
		}
		last, total = done, all
	}
	for range 2 { // the second time it is there already
		if err := d.Fetch(context.Background()); err != nil {
			t.Fatal(err)
		}
		wantFile(t, d)
	}
	if requests != 1 {
		t.Errorf("%d requests, want 1", requests)
	}
	if last != d.Size || total != d.Size {
		t.Errorf("progress ended at %d of %d, want %d of %d", last, total, d.Size, d.Size)
	}
}

func TestDownloadReplacesADamagedFile(t *testing.T) {
	d := offer(t, serve)
	writePart(t, d, nil)
	if err := os.WriteFile(d.Path, content[1:], 0o644); err != nil {
		t.Fatal(err)
	}
	if err := d.Fetch(context.Background()); err != nil {
		t.Fatal(err)
	}
	wantFile(t, d)
}

func TestDownloadResumes(t *testing.T) {
	var asked string
	d := offer(t, func(w http.ResponseWriter, r *http.Request) { asked = r.Header.Get("Range"); serve(w, r) })
	writePart(t, d, content[:1000])
	if err := d.Fetch(context.Background()); err != nil {
		t.Fatal(err)
	}
	wantFile(t, d)
	if asked != "bytes=1000-" {
		t.Errorf("asked for %q, want bytes=1000-", asked)
	}
}

func TestDownloadUsesAFullPart(t *testing.T) {
	d := offer(t, func(w http.ResponseWriter, r *http.Request) { t.Error("a request was made"); serve(w, r) })
	writePart(t, d, content)
	if err := d.Fetch(context.Background()); err != nil {
		t.Fatal(err)
	}
	wantFile(t, d)
}

func TestDownloadStartsAgain(t *testing.T) {
	cases := map[string]http.HandlerFunc{
		"server without ranges": func(w http.ResponseWriter, r *http.Request) {
			r.Header.Del("Range")
			serve(w, r)
		},
		"416": func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Range") != "" {
				w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
				return
			}
			serve(w, r)
		},
		"another range than asked for": func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Range") != "" {
				w.Header().Set("Content-Range", fmt.Sprintf("bytes 0-%d/%d", len(content)-1, len(content)))
				w.WriteHeader(http.StatusPartialContent)
				return
			}
			serve(w, r)
		},
	}
	for what, handler := range cases {
		d := offer(t, handler)
		writePart(t, d, []byte("something else"))
		if err := d.Fetch(context.Background()); err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		wantFile(t, d)
	}
	d := offer(t, serve)
	writePart(t, d, append(bytes.Clone(content), "more"...)) // longer than the file can be
	if err := d.Fetch(context.Background()); err != nil {
		t.Fatal(err)
	}
	wantFile(t, d)
}

func TestDownloadSurvivesDroppedConnections(t *testing.T) {
	requests := 0
	d := offer(t, func(w http.ResponseWriter, r *http.Request) {
		if requests++; requests < downloadTries {
			// Promise the rest, send a little of it, and hang up.
			var have int
			_, _ = fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &have)
			w.Header().Set("Content-Length", fmt.Sprint(len(content)-have))
			if have > 0 {
				w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", have, len(content)-1, len(content)))
				w.WriteHeader(http.StatusPartialContent)
			}
			_, _ = w.Write(content[have : have+10_000])
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
		if want := fmt.Sprintf("bytes=%d-", 10_000*(requests-1)); r.Header.Get("Range") != want {
			t.Errorf("asked for %q, want %q", r.Header.Get("Range"), want)
		}
		serve(w, r)
	})
	if err := d.Fetch(context.Background()); err != nil {
		t.Fatal(err)
	}
	wantFile(t, d)
}

func TestDownloadErrors(t *testing.T) {
	cases := []struct {
		what     string
		handler  http.HandlerFunc
		want     string
		requests int32
		part     bool // whether the .part file stays
	}{
		{"wrong content", func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write(bytes.ToUpper(content))
		}, "was removed", 1, false},
		{"404", http.NotFound, "404 Not Found", 1, true},
		{"500", func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
		}, "gave up after 4 tries: the server answered 500", downloadTries, true},
		{"too long", func(w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush() // so that no length is given
			_, _ = w.Write(content)
			_, _ = w.Write(content)
		}, "more than the 640000 bytes", 1, true},
		{"another length", func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte("<html>try later</html>"))
		}, "the server offers 22 bytes", 1, true},
	}
	for _, c := range cases {
		var requests atomic.Int32
		d := offer(t, func(w http.ResponseWriter, r *http.Request) { requests.Add(1); c.handler(w, r) })
		err := d.Fetch(context.Background())
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v, want one line with %q", c.what, err, c.want)
		}
		if requests.Load() != c.requests {
			t.Errorf("%s: %d requests, want %d", c.what, requests.Load(), c.requests)
		}
		if _, err := os.Stat(d.Path); err == nil {
			t.Errorf("%s: a file is there under its final name", c.what)
		}
		if _, err := os.Stat(d.Path + ".part"); (err == nil) != c.part {
			t.Errorf("%s: .part file there: %v, want %v", c.what, err == nil, c.part)
		}
	}
}

// A second download of the same file is refused and leaves the first one alone.
func TestDownloadsExcludeEachOther(t *testing.T) {
	begun, refused := make(chan struct{}), make(chan struct{})
	d := offer(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(content)))
		_, _ = w.Write(content[:50_000])
		w.(http.Flusher).Flush()
		close(begun)
		<-refused
		_, _ = w.Write(content[50_000:])
	})
	second := *d
	first := make(chan error, 1)
	go func() { first <- d.Fetch(context.Background()) }()
	<-begun
	err := second.Fetch(context.Background())
	close(refused)
	var held *lock.HeldError
	if !errors.As(err, &held) || held.PID != os.Getpid() || strings.Contains(err.Error(), "\n") {
		t.Errorf("the second ends with %v, want one line that names process %d", err, os.Getpid())
	}
	if err := <-first; err != nil {
		t.Fatal(err)
	}
	wantFile(t, d)
	if entries, err := os.ReadDir(filepath.Dir(d.Path)); err != nil || len(entries) != 1 {
		t.Errorf("%v (%v) are there, want the file alone", entries, err)
	}
}

func TestDownloadKeepsWhatArrivedWhenItIsStopped(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	released := make(chan struct{})
	d := offer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Range") != "" {
			serve(w, r)
			return
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(content)))
		_, _ = w.Write(content[:50_000])
		w.(http.Flusher).Flush()
		<-released
	})
	defer close(released)
	d.Progress = func(done, total int64) {
		if done > 0 {
			cancel()
		}
	}
	err := d.Fetch(ctx)
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "kept for the next time") {
		t.Fatalf("error %v, want that it was cancelled and what is kept", err)
	}
	part, err := os.ReadFile(d.Path + ".part")
	if err != nil || len(part) == 0 || !bytes.HasPrefix(content, part) {
		t.Fatalf("%d bytes are kept (error %v), want the file's beginning", len(part), err)
	}
	if err := d.Fetch(context.Background()); err != nil {
		t.Fatal(err)
	}
	wantFile(t, d)
}
