// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

//go:build browser

package browsertest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

const interactCell = `
import (
	"image"
	"math"

	"github.com/srdiff/srlab/kernelext"
	"github.com/srdiff/srlab/srdiff/imaging"
)

%%
start := kernelext.NewSlider("beta_start", 0.00001, 0.01, 0.00001, 0.0001)
end := kernelext.NewSlider("beta_end", 0.001, 0.1, 0.0001, 0.02)
noise := kernelext.NewButton("New noise")
kernelext.Interact(func(view *kernelext.View) error {
	var left []float64
	product := 1.0
	for t := range 1000 {
		product *= 1 - (start.Value() + (end.Value()-start.Value())*float64(t)/999)
		left = append(left, product)
	}
	view.Printf("drawn: %v %v %d", start.Value(), end.Value(), noise.Presses())
	view.Chart(kernelext.Chart{Title: "alpha_bar", YMin: 0, YMax: 1, Series: []kernelext.Series{{Y: left}}})
	var strip []image.Image
	for i := range 8 {
		picture := imaging.New(32, 32)
		for j := range picture.Pix {
			x := math.Sin(float64(j/3%32) / 5) * math.Cos(float64(j/96) / 7)
			a := left[i*999/7]
			picture.Pix[j] = float32(math.Sqrt(a)*x + math.Sqrt(1-a)*math.Sin(float64(j*j%1009+noise.Presses())))
		}
		strip = append(strip, picture.Image())
	}
	view.Strip(nil, strip...)
	return nil
}, start, end, noise)
fmt.Println("the cell has ended at", end.Value())
`

// sliders defines JavaScript functions for tests of the cell with number i.
func sliders(p *page, i int) {
	p.t.Helper()
	p.eval(fmt.Sprintf(`
		control = (n) => outputs(%[1]d).querySelectorAll("input[type=range], button[value]")[n];
		drawn = () => (text(%[1]d).match(/drawn: (.*)/) ?? [])[1];
		wanted = () => [0, 1, 2].map((n) => Number(control(n).value)).join(" ");
		pictures = () => [...outputs(%[1]d).querySelectorAll("img")].map((i) => i.complete && i.naturalWidth > 0 && i.src);
		settled = async () => {
			while (drawn() !== wanted() || !pictures().every(Boolean)) await new Promise(requestAnimationFrame);
		};
		move = (n, to) => {
			control(n).value = to;
			control(n).dispatchEvent(new Event("input", {bubbles: true}));
		};
		true`, i))
}

// live runs the cell, and waits until its sliders are enabled.
func live(p *page) {
	p.t.Helper()
	p.start(0)
	took := p.wait(`outputs(0).querySelector("input[type=range]")?.disabled === false`, time.Minute)
	p.t.Logf("the sliders are there after %v", took.Round(10*time.Millisecond))
	sliders(p, 0)
}

// TestSlider is the quick part of these tests. It checks that a slider redraws a chart and pictures
// soon, and that the last value is drawn.
func TestSlider(t *testing.T) {
	p := open(t, notebook(t, interactCell))
	live(p)

	// The time from an event of the slider to the new chart and pictures on the page.
	latencies := value[[]float64](p, `(async () => {
		const took = [];
		for (let n = 0; n < 40; n++) {
			const before = pictures().join(), started = performance.now();
			move(1, 0.01 + n / 500);
			await settled();
			took.push(performance.now() - started);
			if (pictures().join() === before) throw Error("nothing was redrawn");
			await new Promise((done) => setTimeout(done, 50));
		}
		return took;
	})()`)
	slices.Sort(latencies)
	t.Logf("redrawn after %.0f ms at the median, %.0f ms at most", latencies[20], latencies[39])
	// Two idle processors take 65 ms: see docs/notebooks.md. The limit only detects that it is
	// stuck.
	if latencies[20] > 2000 {
		t.Errorf("redrawn after %.0f ms at the median, want at most 2000", latencies[20])
	}

	// The last of 300 events counts, whether they come at once or 2 ms apart: a single move to the
	// same value draws the same.
	for _, pause := range []string{"", "await new Promise((done) => setTimeout(done, 2))"} {
		p.eval(`(async () => {
			for (let n = 0; n < 300; n++) {
				move(1, 0.05 + n / 10000);
				` + pause + `
			}
			move(0, 0.002);
			await settled();
			const fast = pictures().join();
			move(1, 0.03);
			await settled();
			move(1, 0.0799);
			await settled();
			return drawn() === "0.002 0.0799 0" && pictures().join() === fast;
		})()`)
	}
	p.eval(`control(2).click(), settled().then(() => drawn() === "0.002 0.0799 1")`)
}

func TestSliderByHand(t *testing.T) {
	p := open(t, notebook(t, interactCell))
	live(p)
	p.eval(`settled().then(() => true)`)
	sweep(p, 1)
	p.eval(`settled().then(() => Math.abs(control(1).value - 0.075) < 0.004)`)

	for range 5 {
		if err := chromedp.Do(p.ctx, chromedp.KeyEvent(kb.ArrowLeft)); err != nil {
			t.Fatal(err)
		}
	}
	before := value[float64](p, `Number(control(1).value)`)
	p.eval(fmt.Sprintf(`settled().then(() => drawn().includes(" %v "))`, before))
	if err := chromedp.Do(p.ctx, chromedp.KeyEvent(kb.ArrowUp)); err != nil {
		t.Fatal(err)
	}
	p.eval(fmt.Sprintf(`settled().then(() => Math.abs(control(1).value - %v - 0.0001) < 1e-9)`, before))
	p.screenshot("live")
}

// sweep drags a slider by hand, in 300 events, to three quarters of its length.
func sweep(p *page, n int) {
	p.t.Helper()
	p.eval(fmt.Sprintf(`control(%d).scrollIntoView({block: "center"}), true`, n))
	at := value[struct{ X, Y, Width, Height float64 }](p, fmt.Sprintf(`control(%d).getBoundingClientRect().toJSON()`, n))
	mouse := func(typ input.DispatchMouseEventType, share float64) {
		err := chromedp.Do(p.ctx, chromedp.MouseEvent(typ, at.X+at.Width*share, at.Y+at.Height/2, chromedp.ButtonLeft))
		if err != nil {
			p.t.Fatal(err)
		}
	}
	mouse(input.DispatchMouseEventTypeMousePressed, 0.5)
	for i := range 300 {
		mouse(input.DispatchMouseEventTypeMouseMoved, float64(i)/400)
	}
	mouse(input.DispatchMouseEventTypeMouseReleased, 0.75)
}

// TestSliderConnectsAgain drops the message that confirms the connection between browser and
// kernel, as happens when both are busy. Then it reloads the page, and ends the cell with the
// interrupt button.
func TestSliderConnectsAgain(t *testing.T) {
	path := notebook(t, interactCell)
	p := open(t, path)
	p.eval(`lost = 0, Object.defineProperty(globalThis, "gonb_comm", {configurable: true, set(comm) {
		Object.defineProperty(comm, "_onopen_ack", {get: () => null, set: () => lost++});
		Object.defineProperty(globalThis, "gonb_comm", {configurable: true, writable: true, value: comm});
	}}), true`)
	live(p)
	p.eval(`move(1, 0.03), settled().then(() => lost >= 1)`)
	p.eval("saved().then(() => true)")
	p.load(path)
	p.wait("busy()", 10*time.Second)
	p.eval(`jupyterapp.commands.execute("notebook:interrupt-kernel"), true`)
	p.wait("!busy()", 3*time.Second)
	p.eval(`text(0).includes("drawn: 0.0001 0.03 0") && outputs(0).querySelector("input").disabled`)
}
