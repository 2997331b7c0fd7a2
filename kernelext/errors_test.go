// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package kernelext

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/janpfeifer/gonb/gonbui/protocol"
)

func TestCheckOnATerminal(t *testing.T) {
	cmd := role("failing")
	cmd.Env = append(cmd.Env, protocol.GONB_PIPE_ENV+"=") // Not in a notebook.
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	wantExit1(t, cmd.Run())
	if stdout.String() != "true\n" {
		t.Errorf("stdout %q", stdout.String())
	}
	if want := "error: open no <such> file: no such file or directory\n"; stderr.String() != want {
		t.Errorf("stderr %q, want %q", stderr.String(), want)
	}
}

func TestCheckInANotebook(t *testing.T) {
	kernel, err := newFakeKernel(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	cmd := role("failing")
	for _, variable := range kernel.env() {
		cmd.Env = append(cmd.Env, variable[0]+"="+variable[1])
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	wantExit1(t, cmd.Run())
	if stderr.Len() > 0 {
		t.Errorf("stderr %q", stderr.String())
	}
	messages := kernel.take()
	if len(messages) != 1 {
		t.Fatalf("%d messages", len(messages))
	}
	shown, _ := messages[0].Data[protocol.MIMETextHTML].(string)
	if !strings.Contains(shown, "open no &lt;such&gt; file: no such file") {
		t.Errorf("shown: %s", shown)
	}
}

// An interrupt is not shown as an error.
func TestStopIsNoError(t *testing.T) {
	stopped := fmt.Errorf("training stopped: %w", context.Canceled)
	if shown := errorHTML(stopped); !strings.Contains(shown, "<b>Stopped:</b>") || strings.Contains(shown, "Error") {
		t.Errorf("shown: %s", shown)
	}
	if shown := errorHTML(errors.New("no")); !strings.Contains(shown, "<b>Error:</b>") {
		t.Errorf("shown: %s", shown)
	}
}

// A terminal gets one line, without the control characters of a file's name.
func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"plain, ä 学 🎉":         "plain, ä 学 🎉",
		"a\x1b[31mred\a.png":   `a\x1b[31mred\a.png`,
		"one\ntwo\r\n":         "one; two",
		"bad \xff\u202e\x00":   `bad \xff\u202e\x00`,
		"replacement � itself": "replacement � itself",
		"":                     "",
	} {
		if got := printable(text); got != want {
			t.Errorf("%q is printed as %q, want %q", text, got, want)
		}
	}
	written := terminal(t, func() {
		p := NewProgress("a\x1b[2J\nb")
		p.Update(1, 2, "\r")
		p.Done("")
	})
	if strings.ContainsAny(written, "\x1b\r") || strings.Count(written, "\n") > 2 {
		t.Errorf("a progress bar writes %q", written)
	}
}

func wantExit1(t *testing.T, err error) {
	t.Helper()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Fatalf("ended with %v, want exit status 1", err)
	}
}
