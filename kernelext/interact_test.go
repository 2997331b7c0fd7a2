// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package kernelext

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/janpfeifer/gonb/gonbui/protocol"
)

// shown returns the content of a display after the messages so far.
func shown(messages []protocol.DisplayData, prefix string) (last string, redraws int) {
	for _, m := range messages {
		if page, ok := m.Data[protocol.MIMETextHTML].(string); ok && strings.HasPrefix(m.DisplayID, prefix) {
			last = page
			redraws++
		}
	}
	return last, redraws
}

func TestInteract(t *testing.T) {
	t.Setenv(protocol.GONB_JUPYTER_KERNEL_ID_ENV, "a kernel")
	theKernel.take()
	rate := NewSlider("rate <1>", 0, 1, 0.25, 0.5)
	again := NewButton("Again")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ended := make(chan struct{})
	go func() {
		interact(ctx, func(view *View) error {
			view.Printf("rate %v, pressed %d", rate.Value(), again.Presses())
			if rate.Value() == 1 {
				return errors.New("too <high>")
			}
			time.Sleep(20 * time.Millisecond)
			return nil
		}, []Control{rate, again})
		close(ended)
	}()

	var all []protocol.DisplayData
	await := func(what string) string {
		t.Helper()
		for ctx.Err() == nil {
			all = append(all, theKernel.take()...)
			if page, _ := shown(all, "view_"); strings.Contains(page, what) {
				return page
			}
			time.Sleep(time.Millisecond)
		}
		page, _ := shown(all, "view_")
		t.Fatalf("no %q: %s", what, page)
		return ""
	}
	first := await("rate 0.5, pressed 0")
	controls, _ := shown(all, "interact_")
	id := ""
	for _, m := range all {
		if strings.HasPrefix(m.DisplayID, "interact_") {
			id = m.DisplayID
		}
	}
	if !strings.Contains(first, `getElementById("`+id+`")`) {
		t.Errorf("no script for %q in %s", id, first)
	}
	for _, want := range []string{"rate &lt;1&gt;", `id="` + id, `min="0" max="1" step="0.25" value="0.5" disabled`,
		`<button type="button" value="0" disabled`, "<button type=\"button\" disabled"} {
		if !strings.Contains(controls, want) {
			t.Errorf("no %q in %s", want, controls)
		}
	}

	// The message with the highest number counts, whatever their order, and each is confirmed.
	theKernel.awaitSubscription(t, id)
	var sending sync.WaitGroup
	for seq := 1; seq <= 300; seq++ {
		value := fmt.Sprint(0.25 * float64(seq%3))
		if seq == 300 {
			value = "0.75"
		}
		sending.Go(func() { theKernel.send(t, id, fmt.Sprintf(`{"Seq":%d,"Values":["%s","%d"]}`, seq, value, seq)) })
	}
	sending.Wait()
	page := await("rate 0.75, pressed 300")
	if strings.Contains(page, "<script") {
		t.Error("the script stays")
	}
	for deadline := time.Now().Add(10 * time.Second); theKernel.confirmed(id) < 300; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d messages confirmed, want 300", theKernel.confirmed(id))
		}
	}
	if _, redraws := shown(all, "view_"); redraws > 20 {
		t.Errorf("%d redraws", redraws)
	}

	// An invalid message is ignored, and an error is shown until the next move.
	theKernel.send(t, id, `{"Seq":301,"Values":["7","2"]}`)
	theKernel.send(t, id, `no JSON`)
	theKernel.send(t, id, `{"Seq":302,"Values":["1"]}`)
	theKernel.send(t, id, `{"Seq":303,"Values":["1","300"]}`)
	await("<b>Error:</b> too &lt;high&gt;")
	theKernel.send(t, id, `{"Seq":304,"Values":["0.25","301"]}`)
	await("rate 0.25, pressed 301")

	theKernel.send(t, id, `{"Seq":305,"Values":["0","301"],"Done":true}`)
	select {
	case <-ended:
	case <-ctx.Done():
		t.Fatal("Done does not end it")
	}
	all = append(all, theKernel.take()...)
	if page, _ := shown(all, "view_"); !strings.Contains(page, "rate 0, pressed 301") {
		t.Errorf("at the end: %s", page)
	}
	controls, times := shown(all, "interact_")
	if times != 2 || !strings.Contains(controls, `value="0" disabled`) || !strings.Contains(controls, `value="301" disabled`) {
		t.Errorf("shown %d times, at the end as %s", times, controls)
	}
	if rate.Value() != 0 || again.Presses() != 301 {
		t.Errorf("the cell goes on with %v and %d", rate.Value(), again.Presses())
	}
}

func TestNewSlider(t *testing.T) {
	cell := role("wrong slider")
	cell.Env = append(cell.Env, protocol.GONB_PIPE_ENV+"=") // Outside a notebook.
	output, err := cell.CombinedOutput()
	want := "error: slider \"beta\": from 1 to 0 by 0.1 at 0.5: want min < max, a step above 0 and a value between\n"
	if err == nil || string(output) != want {
		t.Errorf("printed %q, %v", output, err)
	}
}

func TestInteractWithoutABrowser(t *testing.T) {
	t.Setenv(protocol.GONB_JUPYTER_KERNEL_ID_ENV, "")
	theKernel.take()
	calls := 0
	Interact(func(view *View) error {
		calls++
		view.Chart(Chart{Series: []Series{{Y: []float64{1, 2}}}})
		return nil
	}, NewSlider("s", 0, 1, 0.1, 0.5))
	page, _ := shown(theKernel.take(), "view_")
	if calls != 1 || strings.Contains(page, "<script") || len(pictures(t, page)) != 1 {
		t.Errorf("%d calls, %.200s", calls, page)
	}
}

func TestInteractEndsWithTheContext(t *testing.T) {
	t.Setenv(protocol.GONB_JUPYTER_KERNEL_ID_ENV, "a kernel")
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	started := time.Now()
	interact(ctx, func(*View) error { return nil }, nil)
	if took := time.Since(started); took > 5*time.Second {
		t.Errorf("ended after %v", took)
	}
}
