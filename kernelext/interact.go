// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package kernelext

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/janpfeifer/gonb/gonbui"
	"github.com/janpfeifer/gonb/gonbui/comms"
	"github.com/janpfeifer/gonb/gonbui/protocol"
)

// interactEvery is the least time from one redraw to the next. The eye sees no more of them, and
// each costs the browser more time than the cell.
const interactEvery = 40 * time.Millisecond

const (
	reconnectEvery    = 1500 * time.Millisecond // Until the first message of the browser arrives.
	reconnectAttempts = 20
)

//go:embed interact.js
var interactScript string

// Interact shows controls, and below them what draw draws. It calls draw again whenever the reader
// moves a control, until the reader presses Done or the interrupt button:
//
//	end := kernelext.NewSlider("beta_end", 0.001, 0.1, 0.001, 0.02)
//	kernelext.Interact(func(view *kernelext.View) error {
//		schedule, err := diffusion.NewSchedule(diffusion.Config{BetaEnd: end.Value()})
//		if err != nil {
//			return err
//		}
//		line := kernelext.Series{Y: schedule.AlphaBars}
//		view.Chart(kernelext.Chart{Title: "alpha_bar", YMax: 1, Series: []kernelext.Series{line}})
//		return nil
//	}, end)
//
// Positions that a control passes while draw runs are omitted; the last position is always drawn.
// An error of draw, or of what it added to the view, is shown in the view's place until the next
// move. When Interact returns, the controls have their last values and are disabled. The saved
// notebook contains them and what was drawn last. Without a browser, for instance when nbconvert
// executes the notebook, Interact calls draw once.
func Interact(draw func(*View) error, controls ...Control) {
	ctx, cancel := Context()
	defer cancel()
	interact(ctx, draw, controls)
}

func interact(ctx context.Context, draw func(*View) error, controls []Control) {
	i := &interaction{
		id: "interact_" + gonbui.UniqueId(), view: NewView(), draw: draw, controls: controls, wake: make(chan struct{}, 1),
	}
	// Without a Jupyter server the kernel has no id, and there is no browser.
	live := gonbui.IsNotebook && os.Getenv(protocol.GONB_JUPYTER_KERNEL_ID_ENV) != ""
	i.showControls()
	i.redraw(live)
	if live {
		i.run(ctx)
		i.showControls() // At their last positions, and disabled.
	}
	flush()
}

// interaction connects controls in the browser with their cell.
// Workaround: gonb v0.11.5, messages to a cell may arrive in another order, or be lost if many are
// sent at once. So the browser numbers its messages, sends the positions of all controls in each,
// and repeats the last one until the cell has confirmed its number.
type interaction struct {
	id       string // The id of the controls' HTML element, and the address of messages.
	view     *View
	draw     func(*View) error
	controls []Control
	wake     chan struct{} // Receives after each message.

	mu     sync.Mutex
	latest message
}

// message is the JSON that the browser sends.
type message struct {
	Seq    int      // The number of the message, from 1.
	Values []string // The value of each control.
	Done   bool     // The reader has pressed Done.
}

// run redraws after each message, until the reader presses Done or the context ends.
func (i *interaction) run(ctx context.Context) {
	// Workaround: gonb v0.11.5, a message that arrives after Unsubscribe ends the delivery of all
	// messages. So the cell never unsubscribes.
	comms.Subscribe(i.id, i.receive)
	reconnect := time.NewTicker(reconnectEvery)
	defer reconnect.Stop()
	for attempts, done := 0, false; !done; {
		select {
		case <-ctx.Done():
			return
		case <-reconnect.C:
			// Workaround: gonb v0.11.5, a busy browser or server may miss the message that confirms
			// the connection. So the cell starts the connection again.
			if attempts++; attempts == reconnectAttempts {
				reconnect.Stop()
			}
			comms.Start()
			continue
		case <-i.wake:
			reconnect.Stop()
		}
		next := time.Now().Add(interactEvery)
		i.mu.Lock()
		latest := i.latest
		i.mu.Unlock()
		for n, value := range latest.Values {
			i.controls[n].set(value)
		}
		i.redraw(false)
		if done = latest.Done; !done {
			time.Sleep(time.Until(next))
		}
	}
}

// receive stores a message of the browser if it is newer than the latest, and confirms its number.
func (i *interaction) receive(_, data string) {
	var m message
	if json.Unmarshal([]byte(data), &m) != nil || len(m.Values) != len(i.controls) {
		return
	}
	i.mu.Lock()
	if m.Seq > i.latest.Seq {
		i.latest = m
	}
	i.mu.Unlock()
	comms.Send(i.id, m.Seq)
	select {
	case i.wake <- struct{}{}:
	default:
	}
}

// redraw shows the view. The first one brings the script. The script sends a message as soon as it
// runs, and the redraw that follows removes the script from the notebook.
func (i *interaction) redraw(withScript bool) {
	err := i.draw(i.view)
	content, drawing := i.view.take()
	if err == nil {
		err = drawing
	}
	if err != nil {
		content = errorHTML(err)
	}
	if withScript {
		content += "<script>" + strings.ReplaceAll(interactScript, "ID", i.id) + "</script>"
	}
	gonbui.UpdateHTML(i.view.display, content)
}

// showControls shows the controls at their positions, disabled. The script enables them once it has
// a connection.
func (i *interaction) showControls() {
	var b strings.Builder
	fmt.Fprintf(&b, `<div id="%s" style="margin-bottom:8px">`, i.id)
	for _, c := range i.controls {
		b.WriteString(c.html())
	}
	b.WriteString(`<button type="button" disabled ` + ownKeys + ` style="` + buttonStyle + `">Done</button> ` +
		`<small>Run this cell to work with these.</small></div>`)
	gonbui.UpdateHTML(i.id, b.String())
}
