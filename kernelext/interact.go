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

// interactEvery is the least time from one redraw to the next. More of them would not be seen, and would cost the
// browser more than the cell.
const interactEvery = 40 * time.Millisecond

const (
	reconnectEvery    = 1500 * time.Millisecond // Until the browser is heard.
	reconnectAttempts = 20
)

//go:embed interact.js
var interactScript string

// Interact shows controls and below them what draw draws, and draws it again whenever a control is moved, until Done
// or the interrupt button is pressed:
//
//	end := kernelext.NewSlider("beta_end", 0.001, 0.1, 0.001, 0.02)
//	kernelext.Interact(func(view *kernelext.View) error {
//		schedule, err := diffusion.NewSchedule(diffusion.Config{BetaEnd: end.Value()})
//		if err != nil {
//			return err
//		}
//		view.Chart(kernelext.Chart{Title: "alpha_bar", YMax: 1, Series: []kernelext.Series{{Y: schedule.AlphaBars}}})
//		return nil
//	}, end)
//
// Positions that a control only passes while the drawing takes its time are left out; the last one is always drawn.
// An error of draw, or in what it added, is shown in the view's place, and the next move may mend it. When Interact
// returns, the controls have the last values, cannot be moved any more, and stay in the saved notebook with what was
// drawn last. Where nobody can move them, as when a notebook is executed without a browser, draw is called once.
func Interact(draw func(*View) error, controls ...Control) {
	ctx, cancel := Context()
	defer cancel()
	interact(ctx, draw, controls)
}

func interact(ctx context.Context, draw func(*View) error, controls []Control) {
	i := &interaction{
		id: "interact_" + gonbui.UniqueId(), view: NewView(), draw: draw, controls: controls, wake: make(chan struct{}, 1),
	}
	live := gonbui.IsNotebook && os.Getenv(protocol.GONB_JUPYTER_KERNEL_ID_ENV) != "" // Empty without a Jupyter server.
	i.showControls()
	i.redraw(live)
	if live {
		i.run(ctx)
		i.showControls() // Where they stand now, and disabled.
	}
	flush()
}

// interaction connects controls in the browser with their cell. GoNB carries strings both ways, but those to the cell
// may overtake one another, or be lost when many come at once: the browser numbers what it says, always says
// all there is to say, and repeats it until the cell has confirmed the number.
type interaction struct {
	id       string // Of the controls' HTML element, and the address of messages.
	view     *View
	draw     func(*View) error
	controls []Control
	wake     chan struct{} // There is news.

	mu   sync.Mutex
	said said
}

// said is what the browser says: where all the controls stand.
type said struct {
	Seq    int // From 1 on.
	Values []string
	Done   bool
}

// run redraws until the browser or the context says that it is done.
func (i *interaction) run(ctx context.Context) {
	comms.Subscribe(i.id, i.hear) // And never unsubscribes: gonb v0.11.5 stops hearing if a message comes after that.
	reconnect := time.NewTicker(reconnectEvery)
	defer reconnect.Stop()
	for attempts, done := 0, false; !done; {
		select {
		case <-ctx.Done():
			return
		case <-reconnect.C:
			// A busy browser or server may miss what confirms GoNB's connection; then it has to be made again.
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
		news := i.said
		i.mu.Unlock()
		for n, value := range news.Values {
			i.controls[n].set(value)
		}
		i.redraw(false)
		if done = news.Done; !done {
			time.Sleep(time.Until(next))
		}
	}
}

// hear takes a message of the browser.
func (i *interaction) hear(_, message string) {
	var news said
	if json.Unmarshal([]byte(message), &news) != nil || len(news.Values) != len(i.controls) {
		return
	}
	i.mu.Lock()
	if news.Seq > i.said.Seq {
		i.said = news
	}
	i.mu.Unlock()
	comms.Send(i.id, news.Seq)
	select {
	case i.wake <- struct{}{}:
	default:
	}
}

// redraw shows the view. The script goes with the first picture, and the next one, which the script asks for, removes
// it from the notebook.
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

// showControls shows them as they are when no cell listens.
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
