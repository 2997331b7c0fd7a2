// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package kernelext

import (
	"fmt"
	"html"
	"os"
	"sync"
	"time"

	"github.com/janpfeifer/gonb/gonbui"
)

const (
	barEvery  = 200 * time.Millisecond // Between redraws of a progress bar.
	lineEvery = 10 * time.Second       // Between lines on a terminal or in a log.
)

// Progress is a progress bar with the rate and the time left. It redraws at most five times a
// second, always shows the last state, and is saved with the notebook. Outside a notebook it writes
// a line to standard error every ten seconds. Several goroutines may use it.
type Progress struct {
	title   string
	display string
	painter *painter

	mu      sync.Mutex
	meter   meter
	note    string
	started time.Time
	took    time.Duration // From start to Done.
}

// NewProgress makes a progress bar. It appears with the first [Progress.Update].
func NewProgress(title string) *Progress {
	p := &Progress{title: title, display: "progress_" + gonbui.UniqueId(), started: time.Now()}
	p.painter = newPainter(redrawEvery(barEvery), p.paint)
	return p
}

// Update reports that done of total parts of the work are finished. A total of 0 means that it is
// unknown. The note is plain text and may be empty.
func (p *Progress) Update(done, total int, note string) {
	p.mu.Lock()
	p.meter.set(done, total, time.Now())
	p.note = note
	p.mu.Unlock()
	p.painter.soon()
}

// Done shows the last state and the time that the work took, and waits until the notebook has them.
// A note that is not empty replaces the last one. Later updates are ignored.
func (p *Progress) Done(note string) {
	p.mu.Lock()
	p.took = max(time.Since(p.started), 1)
	if note != "" {
		p.note = note
	}
	p.mu.Unlock()
	p.painter.close()
	flush()
}

// redrawEvery returns the time between redraws: inNotebook, or outside a notebook the time between
// lines.
func redrawEvery(inNotebook time.Duration) time.Duration {
	if gonbui.IsNotebook {
		return inNotebook
	}
	return lineEvery
}

func (p *Progress) paint() {
	p.mu.Lock()
	line, fraction := statusLine(p.title, p.meter, p.note, p.took), p.meter.fraction()
	p.mu.Unlock()
	if gonbui.IsNotebook {
		gonbui.UpdateHTML(p.display, barHTML(line, fraction))
	} else {
		fmt.Fprintln(os.Stderr, printable(line))
	}
}

// statusLine returns the text of a progress bar or a monitor: title, count, note and duration.
func statusLine(title string, m meter, note string, took time.Duration) string {
	line := m.String()
	if title != "" {
		line = title + ": " + line
	}
	if note != "" {
		line += ", " + note
	}
	if took > 0 {
		line += ", took " + clock(took)
	}
	return line
}

// barHTML returns a line of text over a bar. JupyterLab allows these styles in notebooks that it
// does not trust. The text has the colour of the page, light or dark.
func barHTML(line string, fraction float64) string {
	return fmt.Sprintf(`<div>%s</div>`+
		`<div style="width:640px;max-width:100%%;height:6px;margin:4px 0px;background-color:#c8c8c8">`+
		`<div style="width:%.1f%%;height:6px;background-color:#1f77b4"></div></div>`,
		html.EscapeString(line), 100*fraction)
}
