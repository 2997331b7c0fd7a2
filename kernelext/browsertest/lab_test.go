// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

//go:build browser

package browsertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

const token = "browsertest"

var (
	root     = filepath.Join("..", "..")
	pictures string // The folder for screenshots.
	lab      *server
	browser  context.Context
)

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "browsertest:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	chrome, err := findBrowser()
	if err != nil {
		return 1, err
	}
	if root, err = filepath.Abs(root); err != nil {
		return 1, err
	}
	pictures = filepath.Join(root, ".lab", "build", "browser")
	if err := errors.Join(os.RemoveAll(pictures), os.MkdirAll(pictures, 0o755)); err != nil {
		return 1, err
	}
	dir, err := os.MkdirTemp("", "browsertest")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	if lab, err = startLab(dir); err != nil {
		return 1, err
	}
	defer lab.stop()

	// The sandbox does not work for root and in containers, and the pages are our own.
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chrome), chromedp.NoSandbox,
		chromedp.WindowSize(1400, 1200))
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	defer cancel()
	browser, cancel = chromedp.NewContext(ctx)
	defer cancel()
	if err := chromedp.Do(browser); err != nil {
		return 1, fmt.Errorf("starting %s: %w", chrome, err)
	}
	return m.Run(), nil
}

func findBrowser() (string, error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("no browser: install chromium or google-chrome")
}

// server is JupyterLab with the repository's kernel and settings. Its notebooks are in a temporary
// folder and have not been run or trusted before.
type server struct {
	dir, url string
	cmd      *exec.Cmd
}

func startLab(dir string) (*server, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	port := listener.Addr().(*net.TCPAddr).Port
	listener.Close()

	s := &server{dir: filepath.Join(dir, "notebooks"), url: fmt.Sprintf("http://127.0.0.1:%d", port)}
	if err := os.Mkdir(s.dir, 0o755); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(pictures, "jupyter.log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	s.cmd = exec.Command("python3", "-m", "jupyterlab", "--no-browser", "--ServerApp.port="+fmt.Sprint(port),
		"--ServerApp.root_dir="+s.dir, "--IdentityProvider.token="+token, "--LabApp.expose_app_in_browser=True",
		"--LabApp.default_url=/lab")
	s.cmd.Env = append(os.Environ(), "JUPYTER_DATA_DIR="+dir+"/data", "JUPYTER_RUNTIME_DIR="+dir+"/runtime",
		"JUPYTERLAB_SETTINGS_DIR="+dir+"/settings", "JUPYTERLAB_WORKSPACES_DIR="+dir+"/workspaces")
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting JupyterLab: %w", err)
	}
	for range 600 {
		if answer, err := s.call(http.MethodGet, "/api/status", nil); err == nil && answer.StatusCode == http.StatusOK {
			answer.Body.Close()
			return s, nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	s.stop()
	return nil, fmt.Errorf("JupyterLab does not answer; see %s", log.Name())
}

// stop ends JupyterLab and its kernels.
func (s *server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	ended := make(chan struct{})
	go func() {
		_ = s.cmd.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		_ = s.cmd.Process.Kill()
	}
}

func (s *server) call(method, path string, body any) (*http.Response, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequest(method, s.url+path, strings.NewReader(string(data)))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "token "+token)
	return http.DefaultClient.Do(request)
}

// notebook writes a notebook with these code cells, and returns its path.
func notebook(t *testing.T, cells ...string) string {
	t.Helper()
	list := []any{}
	for i, source := range cells {
		list = append(list, map[string]any{
			"cell_type": "code", "id": fmt.Sprintf("cell-%d", i), "source": strings.TrimSpace(source), "outputs": []any{},
			"metadata": map[string]any{}, "execution_count": nil,
		})
	}
	path := filepath.Join(lab.dir, t.Name()+".ipynb")
	writeJSON(t, path, map[string]any{
		"cells": list, "nbformat": 4, "nbformat_minor": 5,
		"metadata": map[string]any{"kernelspec": map[string]any{"name": "gonb", "display_name": "Go", "language": "go"}},
	})
	return path
}

func writeJSON(t *testing.T, path string, v any) {
	t.Helper()
	data, err := json.Marshal(v)
	if err == nil {
		err = os.WriteFile(path, data, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}
