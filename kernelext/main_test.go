// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package kernelext

import (
	"encoding/gob"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/janpfeifer/gonb/gonbui"
	"github.com/janpfeifer/gonb/gonbui/protocol"
)

// roleEnv names a role for the test binary, which then acts as a cell instead of running the tests.
const roleEnv = "KERNELEXT_TEST_ROLE"

var roles = map[string]func(){
	"interrupted": func() {
		ctx, cancel := Context()
		defer cancel()
		fmt.Println("ready")
		<-ctx.Done()
		fmt.Println("ended")
	},
	"stubborn": func() { // Ignores the end of its context.
		ctx, cancel := Context()
		defer cancel()
		fmt.Println("ready")
		<-ctx.Done()
		fmt.Println("ended")
		select {}
	},
	"parent of stubborn": func() { // A kernel that dies while its cell runs.
		cell := role("stubborn")
		cell.Stdout = os.Stdout
		Check(cell.Start())
		time.Sleep(300 * time.Millisecond)
	},
	"folder": func() { // Uses a kept folder until it is killed.
		fmt.Println(KeepFolder("run", 1))
		select {}
	},
	"folder again": func() { KeepFolder("run", 1) },
	"keep": func() {
		fmt.Println(Keep("text", 1, func() (string, error) { return strings.Repeat("x", 1<<20), nil }))
	},
	"wrong slider": func() {
		NewSlider("beta", 1, 0, 0.1, 0.5)
		fmt.Println("not reached")
	},
	"failing": func() {
		Check(nil)
		fmt.Println(Must(os.Getwd()) != "")
		Must(os.Open("no <such> file"))
		fmt.Println("not reached")
	},
}

// role returns a process with one of the roles.
func role(name string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleEnv+"="+name)
	return cmd
}

// theKernel receives what this process displays. There is one, as gonbui opens its pipes once only.
var theKernel *fakeKernel

func TestMain(m *testing.M) {
	if play := roles[os.Getenv(roleEnv)]; play != nil {
		play()
		return
	}
	dir, err := os.MkdirTemp("", "kernelext")
	Check(err)
	theKernel, err = newFakeKernel(dir)
	Check(err)
	for _, variable := range theKernel.env() {
		Check(os.Setenv(variable[0], variable[1]))
	}
	gonbui.IsNotebook = true
	code := m.Run()
	Check(os.RemoveAll(dir))
	os.Exit(code)
}

// fakeKernel is the kernel's end of the two pipes between a GoNB kernel and its cell.
type fakeKernel struct {
	toKernel, toCell string // Paths of the FIFOs.

	mu       sync.Mutex
	messages []protocol.DisplayData
	listens  map[string]bool // Addresses to which the cell has subscribed.
	received map[string]int  // The number of messages from the cell, by address.
	encoder  *gob.Encoder    // To the cell.
}

func newFakeKernel(dir string) (*fakeKernel, error) {
	k := &fakeKernel{toKernel: filepath.Join(dir, "to_kernel"), toCell: filepath.Join(dir, "to_cell")}
	if err := errors.Join(syscall.Mkfifo(k.toKernel, 0o600), syscall.Mkfifo(k.toCell, 0o600)); err != nil {
		return nil, err
	}
	go k.serve()
	return k, nil
}

func (k *fakeKernel) env() [][2]string {
	return [][2]string{{protocol.GONB_PIPE_ENV, k.toKernel}, {protocol.GONB_PIPE_BACK_ENV, k.toCell}}
}

func (k *fakeKernel) serve() {
	in, err := os.Open(k.toKernel)
	Check(err)
	out, err := os.OpenFile(k.toCell, os.O_WRONLY, 0)
	Check(err)
	decoder := gob.NewDecoder(in)
	k.mu.Lock()
	k.listens, k.received, k.encoder = map[string]bool{}, map[string]int{}, gob.NewEncoder(out)
	k.mu.Unlock()
	for {
		var message protocol.DisplayData
		if decoder.Decode(&message) != nil {
			return // The cell has ended.
		}
		k.mu.Lock()
		if value, ok := message.Data[protocol.MIMECommValue].(protocol.CommValue); ok {
			if value.Address == protocol.GonbuiSyncAddress {
				_ = k.encoder.Encode(&protocol.CommValue{Address: protocol.GonbuiSyncAckAddress, Value: value.Value})
			} else {
				k.received[value.Address]++
			}
		} else if wanted, ok := message.Data[protocol.MIMECommSubscribe].(protocol.CommSubscription); ok {
			k.listens[wanted.Address] = true
		} else {
			k.messages = append(k.messages, message)
		}
		k.mu.Unlock()
	}
}

// send sends a message of the browser.
func (k *fakeKernel) send(t *testing.T, address, text string) {
	t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.encoder.Encode(&protocol.CommValue{Address: address, Value: text}); err != nil {
		t.Error(err)
	}
}

// confirmed returns the number of messages that the cell has sent to an address.
func (k *fakeKernel) confirmed(address string) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.received[address]
}

// awaitSubscription waits until the cell has subscribed to an address.
func (k *fakeKernel) awaitSubscription(t *testing.T, address string) {
	t.Helper()
	for range 10_000 {
		k.mu.Lock()
		listens := k.listens[address]
		k.mu.Unlock()
		if listens {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("the cell does not listen at %q", address)
}

// take returns what was displayed since the last call.
func (k *fakeKernel) take() []protocol.DisplayData {
	k.mu.Lock()
	defer k.mu.Unlock()
	taken := k.messages
	k.messages = nil
	return taken
}

// terminal calls f as if this process were outside a notebook, and returns its standard error.
func terminal(t *testing.T, f func()) string {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	stderr := os.Stderr
	defer func() { os.Stderr, gonbui.IsNotebook = stderr, true }()
	os.Stderr, gonbui.IsNotebook = file, false
	f()
	written, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(written)
}
