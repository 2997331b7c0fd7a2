// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package kernelext

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/janpfeifer/gonb/gonbui/protocol"
)

func TestProgress(t *testing.T) {
	theKernel.take()
	started := time.Now()
	p := NewProgress("reading <b>")
	var reporters sync.WaitGroup
	for range 4 {
		reporters.Go(func() {
			for i := range 250 {
				p.Update(i, 1000, "file <i>&")
				time.Sleep(time.Millisecond)
			}
		})
	}
	reporters.Wait()
	p.Update(1000, 1000, "file <i>&")
	p.Done("")
	p.Update(3, 1000, "too late")
	p.Done("too late")
	elapsed := time.Since(started)
	messages := theKernel.take()
	if n := len(messages); n < 2 || n > int(elapsed/barEvery)+2 {
		t.Errorf("%d redraws in %v", n, elapsed)
	}
	for _, message := range messages {
		if message.DisplayID == "" || message.DisplayID != messages[0].DisplayID {
			t.Fatalf("displays %q and %q, want one", messages[0].DisplayID, message.DisplayID)
		}
	}
	last, _ := messages[len(messages)-1].Data[protocol.MIMETextHTML].(string)
	for _, want := range []string{"reading &lt;b&gt;: 1000/1000, ", "file &lt;i&gt;&amp;, took ", "width:100.0%"} {
		if !strings.Contains(last, want) {
			t.Errorf("no %q in %s", want, last)
		}
	}
	for _, bad := range []string{"<b>", "<i>", "<script", "<svg", "<style"} {
		if strings.Contains(last, bad) {
			t.Errorf("%q in %s", bad, last)
		}
	}
}

func TestProgressOnATerminal(t *testing.T) {
	written := terminal(t, func() {
		p := NewProgress("reading")
		for i := range 1000 {
			p.Update(i+1, 1000, "")
			time.Sleep(100 * time.Microsecond)
		}
		p.Done("all read")
	})
	lines := strings.Split(strings.TrimSpace(written), "\n")
	if len(lines) != 2 || !strings.HasPrefix(lines[0], "reading: ") {
		t.Fatalf("wrote %q, want one line at the start and one at the end", written)
	}
	if last := lines[1]; !strings.HasPrefix(last, "reading: 1000/1000, ") || !strings.Contains(last, ", all read, took ") {
		t.Errorf("last line %q", last)
	}
}
