// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

//go:build browser

package browsertest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
)

const tourImports = `
import (
	"fmt"
	"image"

	"github.com/srdiff/srlab/kernelext"
	"github.com/srdiff/srlab/srdiff"
	"github.com/srdiff/srlab/srdiff/dataset"
	"github.com/srdiff/srlab/srdiff/imaging"
)

// photos returns two pictures, which it makes once.
func photos() []imaging.Picture {
	return kernelext.Keep("photos", 32, func() ([]imaging.Picture, error) {
		source, err := dataset.Open(context.Background(), "generated", dataset.Options{Size: 32})
		if err != nil {
			return nil, err
		}
		batch, err := dataset.Batch(source, 2, 0)
		if err != nil {
			return nil, err
		}
		return srdiff.Pictures(batch)
	})
}

%%
kernelext.Forget()
photos()
`

const tourCompare = `
%%
high := photos()[0]
low := imaging.Bilinear(high, 8, 8)
kernelext.Compare(low.Image(), high.Image(), "8x8", "32x32")
`

const tourCharts = `
%%
view := kernelext.NewView()
for n := 1.0; n <= 5; n++ {
	view.Printf("n = %v", n)
	view.Chart(
		kernelext.Chart{Title: "linear", YMax: 25, Series: []kernelext.Series{
			{Name: "x", Y: []float64{0, n}}, {Name: "x^2", Y: []float64{0, n * n}}}},
		kernelext.Chart{Title: "log", LogY: true, Series: []kernelext.Series{{Name: "10^x", Y: []float64{1, 10, 100}}}},
	)
	view.Redraw()
}
bar := kernelext.NewProgress("counting")
bar.Update(10, 10, "")
bar.Done("")
kernelext.Row(kernelext.Chart{Title: "left", Series: []kernelext.Series{{Y: []float64{1, 2}}}},
	kernelext.Chart{Title: "right", Series: []kernelext.Series{{Y: []float64{2, 1}}}})
`

// TestNotebook runs a notebook from the first cell to the last. Then it checks the saved file, the
// dark page, nbconvert's HTML, and the notebook while it is not trusted.
func TestNotebook(t *testing.T) {
	path := notebook(t, tourImports, tourCompare, tourCharts, interactCell)
	p := open(t, path)
	p.eval(`ran = jupyterapp.commands.execute("notebook:run-all-cells"), true`)
	p.wait(`outputs(3).querySelector("input[type=range]")?.disabled === false`, time.Minute)
	sliders(p, 3)
	p.eval(`move(1, 0.05), settled().then(() => true)`)
	p.eval(`outputs(3).querySelector("button:not([value])").click(), ran.then(() => true)`)
	for i := range 4 {
		p.sound(i)
	}
	p.eval(`text(0).includes("photos: made in") && text(1).includes("photos: kept from before")`)
	p.eval(`text(2).includes("n = 5") && !text(2).includes("n = 4")`)
	p.eval(`text(3).includes("the cell has ended at 0.05") && drawn() === "0.0001 0.05 0"`)
	p.eval(`rows = [...outputs(2).querySelectorAll("img")].map((i) => i.offsetTop), rows[0] === rows[1] && rows[2] === rows[3]`)
	inert(p)
	p.eval(`outputs(1).scrollIntoView(), true`)
	p.screenshot("light")

	// On a dark page the words must be bright.
	theme(p, "Dark")
	p.eval(`outputs(1).scrollIntoView(), true`)
	p.screenshot("dark")
	p.eval(`outputs(3).querySelector("input").scrollIntoView(), true`)
	p.screenshot("dark sliders")
	readable(p)
	theme(p, "Light")

	// The line between two pictures is moved by the slider and by its lower end.
	p.eval(`compare = outputs(1).querySelector("input[type=range]"), true`)
	p.eval(`line = compare.previousElementSibling.lastElementChild, true`)
	p.eval(`compare.scrollIntoView({block: "center"}), compare.focus(), true`)
	p.wait("line.offsetWidth === 192", 5*time.Second)
	// Three times the arrow key to the right.
	if err := chromedp.Do(p.ctx, chromedp.KeyEvent("\u0303\u0303\u0303")); err != nil {
		t.Fatal(err)
	}
	p.eval(`compare.value === "53" && Math.abs(line.offsetWidth - 0.53 * 384) <= 1`)
	drag(p, "line", "line.parentElement")

	p.eval("saved().then(() => true)")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(data), "<script") {
		t.Error("a script is saved")
	}

	converted := filepath.Join(t.TempDir(), "notebook.html")
	convert := exec.Command("python3", "-m", "nbconvert", "--to", "html", "--output", converted, path)
	if log, err := convert.CombinedOutput(); err != nil {
		t.Fatalf("nbconvert: %v\n%s", err, log)
	}
	html, err := os.ReadFile(converted)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(html), `src="data:image/png;base64,`); n != 2+2+2+1+8 { // two compared, charts, and a chart above eight pictures
		t.Errorf("%d pictures in nbconvert's HTML, want 15", n)
	}

	// JupyterLab does not trust a notebook that it has not saved, and removes scripts and much
	// else.
	other := filepath.Join(lab.dir, "untrusted.ipynb")
	foreign := strings.Replace(string(data), "photos: kept from before", "photos: Kept from before", 1)
	if err := os.WriteFile(other, []byte(foreign), 0o644); err != nil {
		t.Fatal(err)
	}
	q := open(t, other)
	q.eval(`panel.content.model.cells.get(1).trusted === false`)
	sliders(q, 3)
	q.eval(`[1, 2, 3].every((i) => [...outputs(i).querySelectorAll("img")].length >= 2) && ` +
		`[...panel.node.querySelectorAll(".jp-OutputArea img")].every((i) => i.complete && i.naturalWidth > 0)`)
	q.eval(`text(3).includes("drawn: 0.0001 0.05 0") && [0, 1].map((n) => Number(control(n).value)).join() === "0.0001,0.05"`)
	inert(q)
	q.eval(`line = outputs(1).querySelector("input[type=range]").previousElementSibling.lastElementChild, true`)
	q.eval(`panel.content.scrollToItem(1).then(() => true)`)
	q.eval(`line.scrollIntoView({block: "center"}), true`)
	q.wait("line.offsetWidth === 192", 5*time.Second)
	drag(q, "line", "line.parentElement")
	q.screenshot("untrusted")
	q.eval(`outputs(3).querySelector("input").scrollIntoView({block: "center"}), true`)
	q.screenshot("untrusted sliders")
}

// theme makes the page Light or Dark.
func theme(p *page, name string) {
	p.t.Helper()
	p.eval(`jupyterapp.commands.execute("apputils:change-theme", {theme: "JupyterLab ` + name + `"}).then(() => true)`)
	p.wait(fmt.Sprintf(`document.body.dataset.jpThemeLight === "%v"`, name == "Light"), 10*time.Second)
	time.Sleep(500 * time.Millisecond) // The style sheet is loaded after the name changes.
}

// readable checks that the words in outputs are bright on a dark page.
func readable(p *page) {
	p.t.Helper()
	p.eval(`brightness = (c) => (c = c.match(/[\d.]+/g).map(Number), 0.3 * c[0] + 0.59 * c[1] + 0.11 * c[2]), true`)
	p.eval(`[...panel.node.querySelectorAll(".jp-OutputArea-output :is(pre, div, label span, small, output)")]` +
		`.every((e) => brightness(getComputedStyle(e).color) > 150) && ` +
		`brightness(getComputedStyle(panel.content.node).backgroundColor) < 60`)
}

// inert checks that the sliders of the fourth cell are disabled, with a hint to run the cell.
func inert(p *page) {
	p.t.Helper()
	// JupyterLab does not lay out cells far from the visible part of the page.
	p.eval(`panel.content.scrollToItem(3).then(() => true)`)
	p.wait(`outputs(3).querySelector("small").offsetParent`, 10*time.Second)
	p.eval(`[...outputs(3).querySelectorAll("input, button")].every((c) => c.disabled) && ` +
		`text(3).includes("Run this cell")`)
}

// drag moves the lower end of an element 60 pixels to the left, and checks its width.
func drag(p *page, element, frame string) {
	p.t.Helper()
	at := value[struct{ Right, Bottom, Width float64 }](p, element+".getBoundingClientRect().toJSON()")
	for _, move := range []struct {
		typ input.DispatchMouseEventType
		by  float64
	}{
		{input.DispatchMouseEventTypeMousePressed, 0},
		{input.DispatchMouseEventTypeMouseMoved, -30},
		{input.DispatchMouseEventTypeMouseMoved, -60},
		{input.DispatchMouseEventTypeMouseReleased, -60},
	} {
		err := chromedp.Do(p.ctx, chromedp.MouseEvent(move.typ, at.Right-7+move.by, at.Bottom-5, chromedp.ButtonLeft))
		if err != nil {
			p.t.Fatal(err)
		}
	}
	if width := value[float64](p, element+".offsetWidth"); width < at.Width-65 || width > at.Width-55 {
		p.t.Errorf("%s is %v pixels wide after %v were drawn to the left by 60", element, width, at.Width)
	}
}
