// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package kernelext

import (
	"bytes"
	"encoding/base64"
	"image/png"
	"math"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/janpfeifer/gonb/gonbui/protocol"
)

func TestMonitor(t *testing.T) {
	theKernel.take()
	started := time.Now()
	m := NewMonitor("training")
	for step := 1; step <= 1500; step++ {
		m.Update(step, 1500, 1/float64(step), "lr <1e-4>")
		time.Sleep(time.Millisecond)
	}
	m.Done("")
	elapsed := time.Since(started)
	messages := theKernel.take()
	if n := len(messages); n < 2 || n > int(elapsed/chartEvery)+2 {
		t.Errorf("%d redraws in %v", n, elapsed)
	}
	last, _ := messages[len(messages)-1].Data[protocol.MIMETextHTML].(string)
	for _, want := range []string{"training: 1500/1500, ", " steps/s, loss 0.000667, lr &lt;1e-4&gt;, took "} {
		if !strings.Contains(last, want) {
			t.Errorf("no %q in %.300s", want, last)
		}
	}
	picture := regexp.MustCompile(`<img src="data:image/png;base64,([^"]*)" width="640" height="240" `).FindStringSubmatch(last)
	if picture == nil {
		t.Fatalf("no picture in %.300s", last)
	}
	data, err := base64.StdEncoding.DecodeString(picture[1])
	if err != nil {
		t.Fatal(err)
	}
	if config, err := png.DecodeConfig(bytes.NewReader(data)); err != nil || config.Width != 1280 || config.Height != 480 {
		t.Errorf("chart of %dx%d, %v; want 1280x480", config.Width, config.Height, err)
	}
}

func TestMonitorWithoutFiniteLosses(t *testing.T) {
	theKernel.take()
	m := NewMonitor("")
	m.Update(1, 10, math.NaN(), "")
	m.Done("stopped")
	messages := theKernel.take()
	last, _ := messages[len(messages)-1].Data[protocol.MIMETextHTML].(string)
	if !strings.Contains(last, "1/10, loss NaN, stopped") || strings.Contains(last, "<img") {
		t.Errorf("shows %.300s", last)
	}
}

// A loss that cannot be drawn does not take the others from the chart.
func TestMonitorOfADivergingRun(t *testing.T) {
	var c curve
	for step, loss := range []float64{1, 2, 1e30, 1e301, math.MaxFloat64, math.Inf(1), math.NaN(), 3} {
		c.add(float64(step), loss)
	}
	if len(c.x) != 4 {
		t.Errorf("%d points, want 4", len(c.x))
	}
	if _, err := c.chart().PNG(); err != nil {
		t.Error(err)
	}
}

func TestMonitorOnATerminal(t *testing.T) {
	written := terminal(t, func() {
		m := NewMonitor("training")
		for step := 1; step <= 100; step++ {
			m.Update(step, 100, 0.5, "")
		}
		m.Done("saved")
	})
	if !strings.Contains(written, "training: 100/100, ") || !strings.Contains(written, "loss 0.5, saved, took ") ||
		strings.Count(written, "\n") > 2 {
		t.Errorf("wrote %q", written)
	}
}

func TestCurveIsBounded(t *testing.T) {
	const steps = 100_000
	var c curve
	for step := range steps {
		c.add(float64(step), float64(step%7))
	}
	view := c.clone()
	if len(view.x) != len(view.y) || len(view.x) > monitorPoints || len(view.x) < monitorPoints/2 {
		t.Fatalf("%d x and %d y values, want %d to %d", len(view.x), len(view.y), monitorPoints/2, monitorPoints)
	}
	mean := 0.0
	for i, y := range view.y {
		mean += y / float64(len(view.y))
		if i > 0 && view.x[i] <= view.x[i-1] {
			t.Fatalf("x does not grow at %d: %v after %v", i, view.x[i], view.x[i-1])
		}
	}
	if math.Abs(mean-3) > 0.01 {
		t.Errorf("mean %v, want 3", mean)
	}
	if last := view.x[len(view.x)-1]; last < steps-200 {
		t.Errorf("the curve ends at step %v of %d", last, steps)
	}
}

func TestSmooth(t *testing.T) {
	constant := []float64{2, 2, 2, 2, 2}
	for i, v := range smooth(constant) {
		if math.Abs(v-2) > 1e-12 {
			t.Errorf("value %d of a constant becomes %v", i, v)
		}
	}
	noise := make([]float64, 1000)
	for i := range noise {
		noise[i] = float64(i%2)*2 - 1
	}
	for i, v := range smooth(noise)[100:] {
		if math.Abs(v) > 0.1 {
			t.Fatalf("value %d of alternating ones is still %v", i, v)
		}
	}
}

// BenchmarkMonitorRedraw measures the drawing of a live chart, which happens about once a second.
func BenchmarkMonitorRedraw(b *testing.B) {
	var c curve
	for step := range 5000 {
		c.add(float64(step), 1/math.Sqrt(float64(step+1))+0.1*math.Sin(float64(step*step)))
	}
	for b.Loop() {
		if _, err := c.chart().PNG(); err != nil {
			b.Fatal(err)
		}
	}
}
