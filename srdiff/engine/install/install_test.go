// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

//go:build cgo

package install

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/srdiff/srlab/srdiff/engine"
)

// pluginPaths is the environment variable with the folders of plugins; see engine.Folders.
const pluginPaths = "PJRT_PLUGIN_LIBRARY_PATH"

// web stands for the internet: it has an answer for a page, or else for a host. A host without an
// answer does not respond.
type web map[string]func() (status int, body []byte)

func (w web) RoundTrip(request *http.Request) (*http.Response, error) {
	page, ok := w[request.URL.Host+request.URL.Path]
	if !ok {
		page, ok = w[request.URL.Host]
	}
	if !ok {
		<-request.Context().Done()
		return nil, request.Context().Err()
	}
	status, body := page()
	return &http.Response{
		StatusCode: status, Status: fmt.Sprint(status, " ", http.StatusText(status)), ContentLength: int64(len(body)),
		Body: io.NopCloser(bytes.NewReader(body)), Request: request, Header: http.Header{},
	}, nil
}

func says(status int, body string) func() (int, []byte) {
	return func() (int, []byte) { return status, []byte(body) }
}

// bench is an empty machine without plugins, network and programs. A file whose text begins with
// "plugin" works as a plugin.
type bench struct {
	*testing.T
	folder, cache, bin string
	web                web
	reported           []string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("plugins are built on linux/amd64 alone")
	}
	b := &bench{T: t, folder: filepath.Join(t.TempDir(), "go-xla"), cache: t.TempDir(), bin: t.TempDir(), web: web{}}
	t.Setenv(pluginPaths, b.folder)
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_CACHE_HOME", b.cache)
	t.Setenv("TMPDIR", t.TempDir())
	t.Setenv("PATH", b.bin)
	t.Setenv("CXX", "")
	transport, oldWorks, wait, oldWheel, space := http.DefaultTransport, works, gitHubWait, tensorflow, cudaSpace
	t.Cleanup(func() {
		http.DefaultTransport, works, gitHubWait, tensorflow, cudaSpace = transport, oldWorks, wait, oldWheel, space
	})
	http.DefaultTransport = b.web
	gitHubWait = 50 * time.Millisecond
	works = func(_, path string) error {
		if text, _ := os.ReadFile(path); !strings.HasPrefix(string(text), "plugin") {
			return errors.New("not a plugin")
		}
		return nil
	}
	return b
}

// program puts a shell script into PATH.
func (b *bench) program(name, script string) {
	b.Helper()
	b.write(filepath.Join(b.bin, name), "#!/bin/sh\n"+script)
	if err := os.Chmod(filepath.Join(b.bin, name), 0o755); err != nil {
		b.Fatal(err)
	}
}

func (b *bench) write(path, text string) {
	b.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		b.Fatal(err)
	}
}

// wheel puts a small wheel onto PyPI and returns what it holds.
func (b *bench) wheel() []byte {
	b.Helper()
	file := b.zip("tensorflow/libtensorflow_cc.so.2", "tensorflow/libtensorflow_framework.so.2",
		"tensorflow/include/xla/pjrt/c/pjrt_c_api.h", "tensorflow/python/unwanted.py")
	tensorflow.size, tensorflow.sha256 = int64(len(file)), fmt.Sprintf("%x", sha256.Sum256(file))
	b.web["pypi.org"] = says(200, fmt.Sprintf(`{"releases": {%q: [{"filename": %q, "url": "https://files.example/w.whl"}]}}`,
		tensorflow.version, tensorflow.file))
	b.web["files.example"] = says(200, string(file))
	return file
}

// zip returns an archive of files that work as plugins.
func (b *bench) zip(names ...string) []byte {
	b.Helper()
	var file bytes.Buffer
	w := zip.NewWriter(&file)
	for _, name := range names {
		f, err := w.Create(name)
		if err != nil {
			b.Fatal(err)
		}
		fmt.Fprintln(f, "plugin")
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	return file.Bytes()
}

// compiler is a g++ that asks for what the real one needs and writes a plugin.
const compiler = `
for a; do [ "$o" = -o ] && out=$a; o=$a; done
[ -f libtensorflow_cc.so.2 ] && [ -f include/xla/pjrt/c/pjrt_c_api.h ] && [ -f xlacpu/plugin.cc ] || exit 1
echo plugin > "$out"
`

func (b *bench) report(_ bool, format string, args ...any) {
	b.reported = append(b.reported, fmt.Sprintf(format, args...))
}

// fails expects one line of error that holds all words, and nothing left behind.
func (b *bench) fails(err error, words ...string) {
	b.Helper()
	if err == nil {
		b.Fatal("no error")
	}
	for _, want := range words {
		if !strings.Contains(err.Error(), want) {
			b.Errorf("the error is %q, want %q in it", err, want)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		b.Errorf("the error has more than one line: %q", err)
	}
	b.holds()
}

// holds expects exactly these files in the folder of plugins.
func (b *bench) holds(want ...string) {
	b.Helper()
	entries, _ := os.ReadDir(b.folder)
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		b.Errorf("%s holds %q, want %q", b.folder, got, want)
	}
}

func TestCPUFromWheel(t *testing.T) {
	b := newBench(t)
	b.web["api.github.com"] = says(403, "rate limit")
	b.wheel()
	b.program("g++", compiler)
	b.write(filepath.Join(b.folder, "pjrt_c_api_cpu_tf2.20.0-01234567_plugin.so"), "plugin of an older version")
	path, err := CPU(t.Context(), b.report)
	if err != nil || path != engine.FindPlugin("cpu") {
		t.Fatalf("CPU returns %q and %v, and %q is found", path, err, engine.FindPlugin("cpu"))
	}
	b.holds("libtensorflow_cc.so.2", "libtensorflow_framework.so.2", pluginName())
	if _, err := os.Stat(filepath.Join(b.cache, "srdiff", tensorflow.file)); err == nil {
		t.Error("the wheel is still there")
	}
	for _, want := range []string{"downloading", "unpacking: done", "compiling: done"} {
		if said := strings.Join(b.reported, "\n"); !strings.Contains(said, want) {
			t.Errorf("reported %q, want %q in it", said, want)
		}
	}

	clear(b.web)
	b.reported = nil
	if again, err := CPU(t.Context(), b.report); err != nil || again != path || len(b.reported) > 0 {
		t.Errorf("the second time CPU returns %q and %v and reports %q", again, err, b.reported)
	}
}

func TestMirrorOfPyPI(t *testing.T) { // whose files are named relative to the page
	b := newBench(t)
	b.web["api.github.com"] = says(403, "rate limit")
	file := b.wheel()
	b.program("g++", compiler)
	b.web["pypi.org"] = says(200, fmt.Sprintf(`{"releases": {%q: [{"filename": %q, "url": "../../files/w.whl"}]}}`,
		tensorflow.version, tensorflow.file))
	b.web["pypi.org/files/w.whl"] = says(200, string(file))
	delete(b.web, "files.example")
	if _, err := CPU(t.Context(), b.report); err != nil {
		t.Error(err)
	}
}

func TestCPUFromGitHub(t *testing.T) {
	b := newBench(t)
	name := "pjrt_c_api_cpu_" + cpuVersion + "_plugin.so"
	b.web["api.github.com"] = says(200,
		`{"assets": [{"browser_download_url": "https://files.example/pjrt_cpu_linux_amd64.tar.gz"}]}`)
	release := func(text string) func() (int, []byte) {
		var file bytes.Buffer
		z := gzip.NewWriter(&file)
		w := tar.NewWriter(z)
		err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(text))})
		_, err2 := w.Write([]byte(text))
		if err := errors.Join(err, err2, w.Close(), z.Close()); err != nil {
			t.Fatal(err)
		}
		return says(200, file.String())
	}

	b.web["files.example"] = release("garbage")
	_, err := CPU(t.Context(), b.report)
	b.fails(err, "from GitHub: go-xla's plugin does not work: not a plugin", "install", "engine go")

	b.web["files.example"] = release("plugin of a release")
	stdout := os.Stdout
	path, err := CPU(t.Context(), b.report)
	if err != nil || path != engine.FindPlugin("cpu") {
		t.Fatalf("CPU returns %q and %v, and %q is found", path, err, engine.FindPlugin("cpu"))
	}
	if _, ok := http.DefaultTransport.(web); !ok || os.Stdout != stdout {
		t.Error("standard output or the transport is not what it was")
	}
	b.holds("pjrt_c_api_cpu_plugin.so", name)
}

func TestCPUFailures(t *testing.T) {
	t.Run("no network and no compiler", func(t *testing.T) {
		b := newBench(t)
		started := time.Now()
		_, err := CPU(t.Context(), b.report)
		b.fails(err, "api.github.com did not answer in 50ms", "g++", "apt install g++", "the engine go works without")
		if took := time.Since(started); took > 2*time.Second {
			t.Errorf("took %v", took)
		}
	})
	for _, c := range []struct {
		name    string
		prepare func(b *bench, wheel []byte)
		words   []string
	}{
		{"truncated wheel", func(b *bench, wheel []byte) {
			b.web["files.example"] = says(200, string(wheel[:100]))
		}, []string{"the server offers 100 bytes, expected"}},
		{"another wheel", func(b *bench, wheel []byte) {
			b.web["files.example"] = says(200, strings.Repeat("x", len(wheel)))
		}, []string{"the downloaded file is not the one expected", "SHA-256"}},
		{"no such wheel", func(b *bench, _ []byte) {
			b.web["pypi.org"] = says(200, `{"releases": {}}`)
		}, []string{"PyPI has no tensorflow_cpu-2.21.0"}},
		{"PyPI is down", func(b *bench, _ []byte) {
			b.web["pypi.org"] = says(503, "")
		}, []string{"pypi.org answered 503"}},
		{"compiler's error", func(b *bench, _ []byte) {
			b.program("g++", "echo 'In file included from somewhere' >&2\necho 'xla/x.h:1: error: no such thing' >&2\nexit 1")
		}, []string{"g++ cannot compile the plugin: xla/x.h:1: error: no such thing"}},
		{"what was compiled does not work", func(b *bench, _ []byte) {
			b.program("g++", strings.ReplaceAll(compiler, "echo plugin", "echo garbage"))
		}, []string{"the plugin that was built does not work: not a plugin"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			b.web["api.github.com"] = says(403, "rate limit")
			b.program("g++", compiler)
			c.prepare(b, b.wheel())
			_, err := CPU(t.Context(), b.report)
			b.fails(err, append(c.words, "from GitHub: api.github.com answered 403 Forbidden")...)
		})
	}
	t.Run("stopped while compiling", func(t *testing.T) {
		b := newBench(t)
		b.web["api.github.com"] = says(403, "rate limit")
		b.wheel()
		b.program("g++", "/bin/sleep 60")
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		_, err := CPU(ctx, b.report)
		b.fails(err, "deadline exceeded")
	})
}

func TestBrokenPlugins(t *testing.T) {
	b := newBench(t)
	b.web["api.github.com"] = says(403, "rate limit")
	b.wheel()
	b.program("g++", compiler)
	b.write(filepath.Join(b.folder, "pjrt_c_api_cpu_plugin.so"), "garbage")
	if _, err := CPU(t.Context(), b.report); err != nil {
		t.Fatal(err)
	}
	b.holds("libtensorflow_cc.so.2", "libtensorflow_framework.so.2", "pjrt_c_api_cpu_plugin.so.broken", pluginName())

	// A folder that cannot be written to comes first: a file stands in its place below.
	b.write(filepath.Join(b.cache, "file"), "")
	t.Setenv(pluginPaths, filepath.Join(b.cache, "file", "go-xla")+string(os.PathListSeparator)+b.folder)
	if folder, _, err := place("cpu"); err != nil || folder != b.folder {
		t.Errorf("a plugin would go to %q (%v), want %q", folder, err, b.folder)
	}
}

func TestOneAtATime(t *testing.T) {
	b := newBench(t)
	unlock, err := lock(t.Context(), b.report)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := CPU(ctx, b.report); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a second installation ends with %v, want to wait", err)
	}
	unlock()
	if unlock, err = lock(t.Context(), b.report); err != nil {
		t.Fatal(err)
	}
	unlock()
}

func TestCUDA(t *testing.T) {
	b := newBench(t)
	cudaSpace = 0
	b.program("nvidia-smi", "echo 'NVIDIA A, 100 MiB, 580.65.06'")
	page := func(project, version, dependency string, holds ...string) {
		file := b.zip(holds...)
		b.web["pypi.org/files/"+project] = says(200, string(file))
		b.web["pypi.org/pypi/"+project+"/json"] = says(200, fmt.Sprintf(`{
			"info": {"author_email": "jax-dev@google.com", "version": "99", "requires_dist": [%q]},
			"releases": {%q: [{"packagetype": "bdist_wheel", "filename": "a-manylinux_2_27_x86_64.whl",
				"url": "../../files/%s", "digests": {"sha256": "%x"}}]}}`,
			dependency, version, project, sha256.Sum256(file)))
	}
	page("jax-cuda13-plugin", "99", "nvidia-cublas>=13.0; sys_platform == 'linux'")
	page("nvidia-cublas", "13.1", "", "nvidia/cu13/lib/libcublas.so.13")
	page("jax-cuda13-pjrt", jaxVersion, "", "jax_plugins/xla_cuda13/xla_cuda_plugin.so")
	want := filepath.Join(b.folder, "nvidia", "pjrt_c_api_cuda_plugin.so")
	if path, err := CUDA(t.Context(), b.report); err != nil || path != want {
		t.Fatalf("CUDA returns %q and %v, want %q", path, err, want)
	}
	if _, err := os.Stat(filepath.Join(b.folder, "nvidia/cu13/lib/libcublas.so.13")); err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob(filepath.Join(b.cache, "go-xla", "*")); len(left) > 0 {
		t.Errorf("downloads are left: %q", left)
	}
	clear(b.web)
	if path, err := CUDA(t.Context(), b.report); err != nil || path != want {
		t.Errorf("the second time CUDA returns %q and %v", path, err)
	}
}

func TestCUDAFailures(t *testing.T) {
	b := newBench(t)
	_, err := CUDA(t.Context(), b.report)
	if err == nil {
		t.Fatal("no error without nvidia-smi")
	}
	b.fails(err, "NVIDIA GPU") // that there is none, or that its driver does not answer

	b.program("nvidia-smi", "echo 'NVIDIA A, 100 MiB, 470.82.01'")
	_, err = CUDA(t.Context(), b.report)
	b.fails(err, "driver 470.82.01 is too old", "update it")

	b.program("nvidia-smi", "echo 'NVIDIA A, 100 MiB, 580.65.06'")
	cudaSpace = 1 << 60
	_, err = CUDA(t.Context(), b.report)
	b.fails(err, "GB of free space")

	cudaSpace = 0
	b.web["pypi.org"] = says(503, "")
	_, err = CUDA(t.Context(), b.report)
	b.fails(err, "pypi.org answered 503")

	t.Setenv(pluginPaths, filepath.Join(b.folder, "other"))
	_, err = CUDA(t.Context(), b.report)
	if err == nil || !strings.Contains(err.Error(), "must be named go-xla") {
		t.Errorf("into a folder of another name: %v", err)
	}
}

func TestCUDAFor(t *testing.T) {
	for driver, want := range map[string]string{
		"580.65.06": "cuda13", "600.1": "cuda13", "579.99": "cuda12", "525.60.13": "cuda12", "524.1": "", "?": "",
	} {
		if got, err := cudaFor(driver); got != want || (err == nil) != (want != "") {
			t.Errorf("driver %s: %q and %v, want %q", driver, got, err, want)
		}
	}
}

// A name in the package that leads out of the folder is an error, and nothing is written there.
func TestUnpackStaysInItsFolder(t *testing.T) {
	for _, name := range []string{headers + "/../../outside", headers + "//../../outside", headers + "/a/../../../outside"} {
		dir := t.TempDir()
		wheel, err := os.Create(filepath.Join(dir, "w.whl"))
		if err != nil {
			t.Fatal(err)
		}
		archive := zip.NewWriter(wheel)
		if _, err := archive.Create("tensorflow/" + name); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(archive.Close(), wheel.Close()); err != nil {
			t.Fatal(err)
		}
		err = unpack(t.Context(), wheel.Name(), filepath.Join(dir, "in", "here"), func(bool, string, ...any) {})
		if err == nil || !strings.Contains(err.Error(), "leads out of the folder") {
			t.Errorf("%s: %v", name, err)
		}
		if left, err := filepath.Glob(filepath.Join(dir, "*", "outside")); err != nil || len(left) > 0 {
			t.Errorf("%s: wrote %v, %v", name, left, err)
		}
		if _, err := os.Stat(filepath.Join(dir, "outside")); err == nil {
			t.Errorf("%s: wrote outside", name)
		}
	}
}
