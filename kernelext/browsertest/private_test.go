// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

//go:build browser

package browsertest

import (
	"bufio"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// JupyterLab, started by "make lab", needs its token and does not listen to other machines.
func TestLabIsPrivate(t *testing.T) {
	cmd := exec.Command("make", "lab", "LAB_FLAGS=--no-browser --ServerApp.port=0")
	cmd.Dir = root
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // make and what it starts
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	addresses := make(chan string, 1)
	go func() {
		pattern := regexp.MustCompile(`http://127\.0\.0\.1:\d+/\S*`)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if address := pattern.FindString(lines.Text()); address != "" {
				select {
				case addresses <- address:
				default:
				}
			}
		}
	}()
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		force := time.AfterFunc(20*time.Second, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
		_ = cmd.Wait()
		force.Stop()
	})
	var address *url.URL
	select {
	case text := <-addresses:
		if address, err = url.Parse(text); err != nil {
			t.Fatal(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("JupyterLab does not say its address")
	}
	secret := address.Query().Get("token")
	if len(secret) < 40 {
		t.Fatalf("the token in %s is short or missing", address)
	}
	// JupyterLab prints its address shortly before it listens there.
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if c, err := net.Dial("tcp", address.Host); err == nil {
			c.Close()
			break
		}
	}
	for with, want := range map[string]int{"": http.StatusForbidden, "wrong": http.StatusForbidden, secret: http.StatusOK} {
		request, err := http.NewRequest(http.MethodGet, "http://"+address.Host+"/api/contents", nil)
		if err != nil {
			t.Fatal(err)
		}
		if with != "" {
			request.Header.Set("Authorization", "token "+with)
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("with the token %q: %s, want %d", with, answer.Status, want)
		}
	}
	others, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, other := range others {
		ip := other.(*net.IPNet).IP
		if ip.IsLoopback() || strings.HasPrefix(ip.String(), "fe80:") {
			continue
		}
		if c, err := net.DialTimeout("tcp", net.JoinHostPort(ip.String(), address.Port()), 2*time.Second); err == nil {
			c.Close()
			t.Errorf("it can be reached at %s", ip)
		}
	}
}
