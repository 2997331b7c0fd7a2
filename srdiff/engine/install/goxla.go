// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package install

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/gomlx/go-xla/installer"
	"github.com/srdiff/srlab/srdiff/engine"
)

// gitHubWait is how long GitHub may take to answer. Tests shorten it.
var gitHubWait = 5 * time.Second

// fromGitHub installs go-xla's plugin for the processor from its release on GitHub.
func fromGitHub(ctx context.Context, folder string, report Report) (path string, err error) {
	platform := runtime.GOOS + "_" + runtime.GOARCH
	if !slices.Contains(installer.CPUSupportedPlatforms, platform) {
		return "", fmt.Errorf("there is no plugin for %s", platform)
	}
	report(false, "asking GitHub for go-xla's plugin")
	if err := gitHubAnswers(ctx); err != nil {
		return "", err
	}
	err = goXLA(ctx, report, "downloading go-xla's plugin from GitHub", func() error {
		// No cache: GitHub offers no checksum to check a cached file against.
		return installer.CPUInstall(platform, cpuVersion, folder, false, installer.Quiet)
	})
	if err != nil {
		return "", err
	}
	path = engine.FindPlugin("cpu")
	if path == "" {
		return "", errors.New("the release holds no plugin")
	}
	if err := works("cpu", path); err != nil {
		// Remove it, the file and the link to it that go-xla made, so that it is not found first.
		file, _ := filepath.EvalSymlinks(path)
		return "", errors.Join(fmt.Errorf("go-xla's plugin does not work: %w", err), os.Remove(path), os.RemoveAll(file))
	}
	return path, nil
}

// gitHubAnswers returns an error unless GitHub answers for the release that go-xla will ask for.
// go-xla itself has no timeout.
func gitHubAnswers(ctx context.Context) error {
	url := fmt.Sprintf("https://api.github.com/repos/%s/releases/tags/%s",
		installer.BinaryCPUReleasesRepo, cpuVersion)
	ctx, cancel := context.WithTimeoutCause(ctx, gitHubWait, fmt.Errorf("api.github.com did not answer in %v", gitHubWait))
	defer cancel()
	response, err := get(ctx, url)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// get requests a web page. Any status but 200 is an error.
func get(ctx context.Context, url string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil && context.Cause(ctx) != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		response.Body.Close()
		return nil, fmt.Errorf("%s answered %s", request.URL.Host, response.Status)
	}
	return response, nil
}

// goXLA runs a function of go-xla's installer and reports how much it has downloaded. The installer
// draws a spinner on standard output, terminal or not, and uses http.DefaultTransport without a
// context. So standard output is discarded while it runs, and its requests end with ctx.
func goXLA(ctx context.Context, report Report, what string, install func() error) error {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	stdout, transport := os.Stdout, http.DefaultTransport
	defer func() { os.Stdout, http.DefaultTransport = stdout, transport }()
	os.Stdout, http.DefaultTransport = null, &watched{ctx: ctx, what: what, report: report, next: transport}
	err = install()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return oneLine(err)
	}
	report(true, "%s: done", what)
	return nil
}

// watched is a transport that reports the bytes that arrive. Its requests end with ctx, or when no
// data arrives for stallTime.
type watched struct {
	ctx    context.Context
	what   string
	report Report
	next   http.RoundTripper
	bytes  atomic.Int64
}

// stallTime is how long a download may go without data.
const stallTime = 60 * time.Second

var pypi = &url.URL{Scheme: "https", Host: "pypi.org", Path: "/pypi/project/json"}

func (w *watched) RoundTrip(request *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(w.ctx)
	stalled := time.AfterFunc(stallTime, func() { cancel(fmt.Errorf("nothing came for %v", stallTime)) })
	request = request.WithContext(ctx)
	if !request.URL.IsAbs() { // mirrors of PyPI name files relative to the page, which go-xla takes as they are
		request.URL = pypi.ResolveReference(request.URL)
	}
	response, err := w.next.RoundTrip(request)
	if err != nil {
		stalled.Stop()
		cancel(nil)
		return nil, err
	}
	response.Body = &watchedBody{response.Body, w, stalled, cancel}
	return response, nil
}

type watchedBody struct {
	io.ReadCloser
	*watched
	stalled *time.Timer
	cancel  context.CancelCauseFunc
}

func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.stalled.Reset(stallTime)
	b.report(false, "%s: %d MB", b.what, b.bytes.Add(int64(n))>>20)
	return n, err
}

func (b *watchedBody) Close() error {
	b.stalled.Stop()
	defer b.cancel(nil)
	return b.ReadCloser.Close()
}
