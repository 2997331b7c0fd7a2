// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package kernelext

import (
	"fmt"
	"image"
	"math"
	"os"
	"sync"
	"time"

	"github.com/janpfeifer/gonb/gonbui"
)

const (
	chartEvery = time.Second // Between redraws of a live chart, which take about 40 ms each.

	monitorWidth, monitorHeight = 640, 240
	monitorPoints               = 512 // Of the curve. The screen does not show more.
)

// Monitor is a live chart of a training run. It shows the loss of each step in a light colour, a
// smoothed line over it, and above them the step, the rate and the time left. The loss axis is
// logarithmic while all losses are positive. The chart omits losses that are not finite or beyond
// 1e300. The monitor redraws about once a second, always shows the last state, and is saved with
// the notebook. Outside a notebook it writes a line to standard error every ten seconds. Several
// goroutines may use it.
type Monitor struct {
	title   string
	display string
	painter *painter

	mu      sync.Mutex
	meter   meter
	curve   curve
	loss    float64
	note    string
	started time.Time
	took    time.Duration // From start to Done.
}

// NewMonitor makes a monitor. It appears with the first [Monitor.Update].
func NewMonitor(title string) *Monitor {
	m := &Monitor{title: title, display: "monitor_" + gonbui.UniqueId(), started: time.Now()}
	m.meter.unit = "steps"
	m.painter = newPainter(redrawEvery(chartEvery), m.paint)
	return m
}

// Update reports the loss of a step, and the number of steps in all. The note is plain text and may
// be empty.
func (m *Monitor) Update(step, steps int, loss float64, note string) {
	m.mu.Lock()
	m.meter.set(step, steps, time.Now())
	m.curve.add(float64(step), loss)
	m.loss, m.note = loss, note
	m.mu.Unlock()
	m.painter.soon()
}

// Done shows the last state and the time that training took, and waits until the notebook has them.
// A note that is not empty replaces the last one. Later updates are ignored. Call Done after a
// failed run too, so that the last losses are shown.
func (m *Monitor) Done(note string) {
	m.mu.Lock()
	m.took = max(time.Since(m.started), 1)
	if note != "" {
		m.note = note
	}
	m.mu.Unlock()
	m.painter.close()
	flush()
}

func (m *Monitor) paint() {
	m.mu.Lock()
	note := "loss " + significant(m.loss)
	if m.note != "" {
		note += ", " + m.note
	}
	line, fraction := statusLine(m.title, m.meter, note, m.took), m.meter.fraction()
	curve := m.curve.clone()
	m.mu.Unlock()
	if !gonbui.IsNotebook {
		fmt.Fprintln(os.Stderr, printable(line))
		return
	}
	view := barHTML(line, fraction)
	// An error means that there is no finite loss to draw. The line shows the loss.
	if png, err := curve.chart().PNG(); err == nil {
		view += imgHTML(png, image.Pt(monitorWidth, monitorHeight), "chart of the loss, "+m.title)
	}
	gonbui.UpdateHTML(m.display, view)
}

// curve stores a run of any length in bounded memory. When it is full, it replaces each two points
// by their mean, and from then on each point is the mean of twice as many steps.
type curve struct {
	x, y     []float64
	merge    int // Steps of a point; 0 means 1.
	sx, sy   float64
	gathered int // Steps in the sums sx and sy.
}

func (c *curve) add(x, y float64) {
	if !finite(y) || math.Abs(y) > largestValue {
		return
	}
	c.merge = max(c.merge, 1)
	c.sx, c.sy, c.gathered = c.sx+x, c.sy+y, c.gathered+1
	if c.gathered < c.merge {
		return
	}
	n := float64(c.gathered)
	c.x, c.y = append(c.x, c.sx/n), append(c.y, c.sy/n)
	c.sx, c.sy, c.gathered = 0, 0, 0
	if len(c.x) < monitorPoints {
		return
	}
	for i := range len(c.x) / 2 {
		c.x[i], c.y[i] = (c.x[2*i]+c.x[2*i+1])/2, (c.y[2*i]+c.y[2*i+1])/2
	}
	c.x, c.y = c.x[:len(c.x)/2], c.y[:len(c.y)/2]
	c.merge *= 2
}

// clone copies the points, and adds the mean of the steps that are not enough for a point yet.
func (c *curve) clone() curve {
	copied := curve{x: append([]float64(nil), c.x...), y: append([]float64(nil), c.y...)}
	if n := float64(c.gathered); n > 0 {
		copied.x, copied.y = append(copied.x, c.sx/n), append(copied.y, c.sy/n)
	}
	return copied
}

func (c *curve) chart() Chart {
	positive := true
	for _, y := range c.y {
		positive = positive && y > 0
	}
	return Chart{
		XLabel: "step", YLabel: "loss", LogY: positive,
		Series: []Series{{X: c.x, Y: c.y, faint: true}, {X: c.x, Y: smooth(c.y)}},
		width:  monitorWidth, height: monitorHeight,
	}
}

// smooth returns the exponential moving average over about a sixtieth of the values, with the bias
// correction of Adam (Kingma and Ba 2015): the first results are weighted means of the values so
// far.
func smooth(values []float64) []float64 {
	decay := 1 - 1/(1+float64(len(values))/60)
	smoothed := make([]float64, len(values))
	mean, bias := 0.0, 1.0
	for i, v := range values {
		mean = decay*mean + (1-decay)*v
		bias *= decay
		smoothed[i] = mean / (1 - bias)
	}
	return smoothed
}
