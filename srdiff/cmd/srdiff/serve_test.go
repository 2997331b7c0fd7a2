// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// served is "srdiff serve" as a program of its own.
type served struct {
	t       *testing.T
	cmd     *exec.Cmd
	address string
	temp    string
}

// serving starts "srdiff serve" and ends it after the test.
func serving(t *testing.T, args ...string) *served {
	t.Helper()
	s := &served{t: t, temp: t.TempDir(), cmd: program(append([]string{"serve", "--no-browser", "--engine", "go"}, args...)...)}
	s.cmd.Env = append(s.cmd.Env, "TMPDIR="+s.temp)
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var messages bytes.Buffer
	s.cmd.Stderr = &messages
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.cmd.Process.Kill() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !regexp.MustCompile(`^http://127\.0\.0\.1:\d+/[A-Z2-7]{26}/\n$`).MatchString(line) {
		s.cmd.Wait()
		t.Fatalf("%q, %v: want an address with a token; %s", line, err, messages.String())
	}
	s.address = strings.TrimSpace(line)
	return s
}

// stop ends the program as Ctrl-C does, which is in order and leaves no files.
func (s *served) stop() {
	s.t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGINT); err != nil {
		s.t.Fatal(err)
	}
	if err := s.cmd.Wait(); err != nil {
		s.t.Errorf("srdiff serve: %v: %s", err, s.cmd.Stderr)
	}
	if left, err := os.ReadDir(s.temp); err != nil || len(left) > 0 {
		s.t.Errorf("files are left: %v, %v", left, err)
	}
}

// call sends a request, which must have the given status, and returns the answer.
func (s *served) call(method, path string, body []byte, status int) []byte {
	s.t.Helper()
	r, err := http.NewRequest(method, s.address+path, bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != status {
		s.t.Fatalf("%s %s: %s, %v: %s", method, path, answer.Status, err, data)
	}
	return data
}

// servedJob is what the page gets of a job.
type servedJob struct{ ID, State, Error, Result string }

// enlarge has the page's server enlarge a picture.
func (s *served) enlarge(name, query string, data []byte) (j servedJob) {
	s.t.Helper()
	if err := json.Unmarshal(s.call("POST", "jobs?name="+url.QueryEscape(name)+"&"+query, data, http.StatusCreated), &j); err != nil {
		s.t.Fatal(err)
	}
	for range 1200 {
		var state struct{ Jobs []servedJob }
		if err := json.Unmarshal(s.call("GET", "state", nil, http.StatusOK), &state); err != nil {
			s.t.Fatal(err)
		}
		for _, now := range state.Jobs {
			if now.ID == j.ID && (now.State == "done" || now.State == "failed") {
				return now
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	s.t.Fatalf("%s is not enlarged", name)
	return j
}

// The page's results have the bytes and the names of the command's, and its errors are the
// command's.
func TestServeIsUpscale(t *testing.T) {
	t.Setenv("SRDIFF_ENGINE", "go")
	s := serving(t)
	in := write(t, "cat ä.png", pngOf(scene(12, 9)))
	data, err := os.ReadFile(in)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ query, result, flags, name string }{
		{"model=photo", "", "", "cat ä-x4.png"},
		{"model=clean&scale=2.5&format=jpeg", "", "--model clean --scale 2.5", "cat ä-x2.5.jpg"},
		{"model=photo&format=tiff", "", "--model photo", "cat ä-x4.tif"},
		{"model=photo&format=webp", "", "--model photo", "cat ä-x4.webp"},
		{"model=detail", "?strength=1", "--model detail", "cat ä-x4.png"},
		{"model=detail", "?strength=0.7", "--model detail --strength 0.7", "cat ä-x4.png"},
		{"model=detail&scale=3", "?strength=0", "--model detail --scale 3 --strength 0", "cat ä-x3.png"},
	} {
		j := s.enlarge(filepath.Base(in), test.query, data)
		if j.State != "done" || j.Result != test.name {
			t.Fatalf("%s: %+v", test.query, j)
		}
		got := s.call("GET", "jobs/"+j.ID+"/result"+test.result, nil, http.StatusOK)
		out := filepath.Join(t.TempDir(), test.name)
		if status, _, errs := command(append([]string{"upscale", in, "-o", out}, strings.Fields(test.flags)...)...); status != 0 {
			t.Fatal(errs)
		}
		if want, err := os.ReadFile(out); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s%s: %d bytes, and the command's result has %d others: %v", test.query, test.result, len(got), len(want), err)
		}
	}
	broken := write(t, "broken.png", bytesOf(string(data[:60])))
	_, _, errs := command("upscale", broken)
	want := strings.TrimSpace(strings.TrimPrefix(strings.ReplaceAll(errs, filepath.Dir(broken)+string(filepath.Separator), ""), "srdiff: "))
	if j := s.enlarge("broken.png", "model=photo", data[:60]); j.State != "failed" || j.Error != want {
		t.Errorf("%+v: want the command's error %q", j, want)
	}
	wide, err := os.ReadFile(write(t, "wide.png", pngOf(scene(5000, 1))))
	if err != nil {
		t.Fatal(err)
	}
	if j := s.enlarge("wide.png", "model=photo&format=webp", wide); j.State != "failed" || !strings.Contains(j.Error, "16383") {
		t.Errorf("%+v: want an error for a result that WebP cannot hold", j)
	}
	for _, path := range []string{"/etc/passwd", in, "../" + filepath.Base(in), "x"} {
		if text := string(s.call("POST", "jobs?model="+url.QueryEscape(path), data, http.StatusBadRequest)); !strings.Contains(text, "no model is called") {
			t.Errorf("the model %s: %s", path, text)
		}
	}
	s.stop()
}

// A model file of one's own comes first. A port that is taken, and a bad model, are errors of one
// line.
func TestServeOptions(t *testing.T) {
	t.Setenv("SRDIFF_ENGINE", "go")
	s := serving(t, "--model", tiny(t), "--memory", "1.5GB")
	var state struct{ Models []struct{ Name string } }
	if err := json.Unmarshal(s.call("GET", "state", nil, http.StatusOK), &state); err != nil || state.Models[0].Name != "tiny.safetensors" {
		t.Errorf("%+v, %v", state, err)
	}
	in := scene(6, 6)
	var picture bytes.Buffer
	if err := pngOf(in)(&picture); err != nil {
		t.Fatal(err)
	}
	if j := s.enlarge("a.png", "model=tiny.safetensors", picture.Bytes()); j.State != "done" {
		t.Errorf("%+v", j)
	}
	at, err := url.Parse(s.address)
	if err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"cannot be served on port " + at.Port(): {"--port", at.Port()},
		"want a number from 0":                  {"--port", "70000"},
		"no such file":                          {"--model", "missing.safetensors"},
	} {
		status, out, errs := command(append([]string{"serve", "--no-browser"}, args...)...)
		if status != 1 || out != "" || !strings.Contains(errs, want) || strings.Count(errs, "\n") != 1 {
			t.Errorf("%q: status %d, %q, %q", args, status, out, errs)
		}
	}
	s.stop()
}
