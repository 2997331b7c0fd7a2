// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

//go:build browser

package browsertest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// page is a notebook in a tab of the browser.
type page struct {
	t   *testing.T
	ctx context.Context

	mu    sync.Mutex
	hosts map[string]bool // The hosts that the page has called.
}

// helpers defines the JavaScript functions of the tests.
const helpers = `
	panel = jupyterapp.shell.currentWidget;
	cells = () => panel.content.widgets;
	outputs = (i) => cells()[i].outputArea.node;
	text = (i) => outputs(i).innerText;
	run = (i) => { panel.content.activeCellIndex = i; return jupyterapp.commands.execute("notebook:run-cell"); };
	busy = () => panel.sessionContext.session?.kernel?.status !== "idle";
	saved = () => jupyterapp.commands.execute("docmanager:save");
	true`

// open opens a notebook in a new tab, and waits for its kernel. When the test ends, it closes the
// tab and checks that the page has called no host but this machine.
func open(t *testing.T, path string) *page {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser)
	p := &page{t: t, ctx: ctx, hosts: map[string]bool{}}
	t.Cleanup(func() {
		if t.Failed() {
			p.screenshot("failed " + strings.TrimSuffix(filepath.Base(path), ".ipynb"))
		}
		p.eval("panel.sessionContext.shutdown().then(() => true)")
		cancel()
		p.mu.Lock()
		defer p.mu.Unlock()
		for host := range p.hosts {
			if host != "127.0.0.1" {
				t.Errorf("the page called %s", host)
			}
		}
		if !p.hosts["127.0.0.1"] {
			t.Error("no call was seen at all")
		}
	})
	if err := chromedp.Listen(ctx, p.note); err != nil {
		t.Fatal(err)
	}
	p.load(path)
	return p
}

// note records the host that an event calls.
func (p *page) note(event any) {
	address := ""
	switch event := event.(type) {
	case *network.EventRequestWillBeSent:
		address = event.Request.URL
	case *network.EventWebSocketCreated:
		address = event.URL
	default:
		return
	}
	if u, err := url.Parse(address); err == nil && u.Host != "" {
		p.mu.Lock()
		p.hosts[u.Hostname()] = true
		p.mu.Unlock()
	}
}

// load opens the notebook in this tab, or opens it again.
func (p *page) load(path string) {
	p.t.Helper()
	within, err := filepath.Rel(lab.dir, path)
	if err != nil {
		p.t.Fatal(err)
	}
	address := fmt.Sprintf("%s/lab/tree/%s?reset&token=%s", lab.url, within, token)
	if err := chromedp.Do(p.ctx, chromedp.Navigate(address)); err != nil {
		p.t.Fatal(err)
	}
	p.wait(`globalThis.jupyterapp?.shell?.currentWidget?.content?.widgets?.length > 0`, time.Minute)
	p.eval(`jupyterapp.restored.then(() => jupyterapp.shell.currentWidget.sessionContext.ready).then(() => true)`)
	p.eval(helpers)
}

// value returns the value of a JavaScript expression, or of the promise that it returns.
func value[T any](p *page, script string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, 2*time.Minute)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("%s: %v", script, err)
	}
	return v
}

// eval runs a script and fails the test unless its value is true.
func (p *page) eval(script string) {
	p.t.Helper()
	if !value[bool](p, script) {
		p.t.Fatalf("%s is false", script)
	}
}

// wait waits until a condition holds, and returns the time it took.
func (p *page) wait(condition string, atMost time.Duration) time.Duration {
	p.t.Helper()
	started := time.Now()
	for !value[bool](p, "!!("+condition+")") {
		if time.Since(started) > atMost {
			p.t.Fatalf("not within %v: %s", atMost, condition)
		}
		time.Sleep(20 * time.Millisecond)
	}
	return time.Since(started)
}

// click waits for an element and clicks on its middle.
func (p *page) click(element string) {
	p.t.Helper()
	p.wait(element+"?.offsetParent", 10*time.Second)
	at := value[struct{ X, Y, Width, Height float64 }](p, element+".getBoundingClientRect().toJSON()")
	x, y := at.X+at.Width/2, at.Y+at.Height/2
	// Menus need the move.
	err := chromedp.Do(p.ctx, chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, x, y))
	if err == nil {
		err = chromedp.Do(p.ctx, chromedp.MouseClickXY(x, y))
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// interrupt presses the interrupt button, and returns the time until a condition holds and the cell
// has ended.
func (p *page) interrupt(until string) time.Duration {
	p.t.Helper()
	p.click(`panel.toolbar.node.querySelector('[data-jp-item-name="interrupt"]')`)
	took := p.wait("("+until+") && !busy()", 10*time.Second)
	p.t.Logf("interrupted and saved within %v", took.Round(10*time.Millisecond))
	if took > 3*time.Second {
		p.t.Errorf("interrupted and saved within %v, want at most 3 s", took)
	}
	return took
}

// start runs a cell.
func (p *page) start(i int) {
	p.t.Helper()
	p.eval(fmt.Sprintf("run(%d), true", i))
}

// sound fails the test if the output of a cell reports a failure.
func (p *page) sound(i int) {
	p.t.Helper()
	said := value[string](p, fmt.Sprintf("text(%d)", i))
	for _, bad := range []string{"exit status", "panic:", "signal:", "Error:", "cannot use", "undefined:"} {
		if strings.Contains(said, bad) {
			p.t.Fatalf("cell %d: %s", i, said)
		}
	}
}

func (p *page) screenshot(name string) {
	p.t.Helper()
	data, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.WriteFile(filepath.Join(pictures, name+".png"), data, 0o644)
	}
	if err != nil {
		p.t.Errorf("screenshot %s: %v", name, err)
	}
}
