// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

//go:build browser

package browsertest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// committed copies a notebook of the repository, and what it opens, into a
// folder of its own, where nothing is kept or trusted yet. It returns the copy's path.
func committed(t *testing.T, name string) string {
	t.Helper()
	notebooks := filepath.Join(root, "notebooks")
	dir, err := os.MkdirTemp(lab.dir, "committed")
	for _, folder := range []string{"models", "photos", "losses"} {
		if err == nil {
			err = os.CopyFS(filepath.Join(dir, folder), os.DirFS(filepath.Join(notebooks, folder)))
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(notebooks, name))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name), data, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, name)
}

// picturesIn counts the pictures in the outputs of each cell of a notebook's file, which must not
// be above 1 MB.
func picturesIn(t *testing.T, path string) (counts []int) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(data) > 1_000_000 {
		t.Errorf("%s has %d bytes, want at most 1 MB", filepath.Base(path), len(data))
	}
	var file struct {
		Cells []struct {
			Outputs []struct{ Data map[string]json.RawMessage }
		}
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	for _, cell := range file.Cells {
		count := 0
		for _, output := range cell.Outputs {
			for kind, content := range output.Data {
				if strings.HasPrefix(kind, "image/") {
					count++
				} else if kind == "text/html" {
					html := strings.ReplaceAll(string(content), `\u003c`, "<")
					count += strings.Count(html, "<img") + strings.Count(html, "<svg")
				}
			}
		}
		counts = append(counts, count)
	}
	return counts
}

// shows checks that the page shows this number of pictures in the outputs of each cell, and that
// the browser could decode all of them.
func shows(p *page, counts []int) {
	p.t.Helper()
	p.eval(`drawings = (i) => [...outputs(i).querySelectorAll(".jp-OutputArea-output :is(img, svg)")], true`)
	for i, count := range counts {
		if count == 0 {
			continue
		}
		// JupyterLab does not lay out cells far from the visible part of the page.
		p.eval(fmt.Sprintf(`panel.content.scrollToItem(%d).then(() => true)`, i))
		p.wait(fmt.Sprintf(`drawings(%d).length === %d && drawings(%[1]d).every((d) => d.clientWidth > 0 && `+
			`(d.tagName !== "IMG" || d.complete && d.naturalWidth > 0))`, i, count), 20*time.Second)
	}
}

// complaints is JavaScript for the errors in the outputs of all cells and for their standard error.
const complaints = `cells().flatMap((cell, i) => (cell.model.outputs?.toJSON() ?? [])
	.filter((o) => o.output_type === "error" || o.name === "stderr" || /panic:|goroutine \d|exit status/.test(o.text))
	.map((o) => "cell " + i + ": " + (o.evalue ?? "") + [o.text ?? ""].flat().join(""))).join("\n")`

// TestCommitted opens each of the repository's notebooks unchanged, untrusted and trusted, light
// and dark, and runs it from the first cell to the last. With -short it runs only the first one: make
// test-notebooks runs all of them without a browser.
func TestCommitted(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(root, "notebooks", "*.ipynb"))
	if err != nil || len(paths) != 9 {
		t.Fatalf("there are %d notebooks, want 9: %v", len(paths), err)
	}
	for i, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".ipynb"), func(t *testing.T) {
			path := committed(t, filepath.Base(path))
			counts := picturesIn(t, path)
			p := open(t, path)
			p.eval(`!cells().every((cell) => cell.model.trusted)`)
			shows(p, counts)
			theme(p, "Dark")
			readable(p)
			theme(p, "Light")
			p.eval(`cells().forEach((cell) => cell.model.trusted = true), true`)
			shows(p, counts)

			if testing.Short() && i != 0 {
				return
			}
			runAll(p)
			shows(p, counts)
			p.eval("saved().then(() => true)")
			picturesIn(t, path)
		})
	}
}

// runAll runs all cells from the menu, moves the sliders of cells that wait, and fails the test if
// a cell reports an error.
func runAll(p *page) {
	p.t.Helper()
	started := time.Now()
	p.click(`[...document.querySelectorAll(".lm-MenuBar-item")].find((item) => item.innerText === "Run")`)
	p.click(`document.querySelector('.lm-Menu-item[data-command="runmenu:run-all"]')`)
	const running = `cells().some((cell) => cell.model.executionState === "running")`
	const waiting = `cells().findIndex((cell) => ` +
		`cell.outputArea?.node.querySelector("button[data-lm-suppress-shortcuts]:not([value]):enabled"))`
	p.wait(running, 10*time.Second)
	for ended := false; !ended; time.Sleep(200 * time.Millisecond) {
		ended = value[bool](p, "!busy() && !"+running)
		if said := value[string](p, complaints); said != "" {
			p.t.Fatal(said)
		}
		if i := value[int](p, waiting); i >= 0 {
			lastValueCounts(p, i)
		}
		if time.Since(started) > 10*time.Minute {
			p.t.Fatal("not done within 10 minutes")
		}
	}
	p.t.Logf("all cells run in %v", time.Since(started).Round(time.Second))
}

// lastValueCounts drags the sliders of a cell that waits. It checks that a single move to the last
// values draws the same pictures, and presses Done.
func lastValueCounts(p *page, i int) {
	p.t.Helper()
	sliders(p, i)
	p.eval(`still = async () => { // until nothing has been redrawn for half a second
		for (let before = ""; before !== pictures().join(); await new Promise((done) => setTimeout(done, 500)))
			before = pictures().join();
		return pictures().join();
	}, true`)
	for n := range value[int](p, fmt.Sprintf(`outputs(%d).querySelectorAll("input[max]:enabled[data-lm-suppress-shortcuts]").length`, i)) {
		sweep(p, n)
		p.eval(fmt.Sprintf(`(async () => {
			const fast = await still(), there = control(%[1]d).value;
			control(%[1]d).stepDown();
			move(%[1]d, control(%[1]d).value);
			const beside = await still();
			move(%[1]d, there);
			return beside !== fast && await still() === fast;
		})()`, n))
	}
	p.screenshot("committed sliders")
	p.eval(fmt.Sprintf(`outputs(%d).querySelector("button:not([value])").click(), true`, i))
	p.wait(`control(0).disabled`, 10*time.Second)
}

// TestTweak types another beta_end into the cell of the second notebook that plots the schedule,
// and measures the time until the new curves appear.
func TestTweak(t *testing.T) {
	p := open(t, committed(t, "02_mathematical_foundation.ipynb"))
	const imports, plot = 1, 8
	for _, i := range []int{imports, plot} { // The kernel is warm after that.
		p.eval(fmt.Sprintf(`run(%d).then(() => true)`, i))
		p.sound(i)
	}
	drawn := fmt.Sprintf(`[...outputs(%d).querySelectorAll("img")].map((i) => i.complete && i.naturalWidth > 0 && i.src)`, plot)
	for n, betaEnd := range []string{"0.03", "0.04", "0.05"} {
		p.eval("before = " + drawn + `.join(), true`)
		edit(p, plot, fmt.Sprintf("BetaEnd: 0.0%d", n+2), "BetaEnd: "+betaEnd)
		p.eval(fmt.Sprintf(`started = performance.now(), run(%d), true`, plot))
		p.wait(drawn+`.length === 3 && `+drawn+`.every(Boolean) && `+drawn+`.join() !== before && (took = performance.now() - started)`,
			time.Minute)
		took := value[float64](p, "took")
		t.Logf("beta_end %s: the curves are there after %.2f s", betaEnd, took/1e3)
		if took > 5000 { // 1 s is the goal: see docs/notebooks.md.
			t.Errorf("beta_end %s: the curves are there after %.2f s, want at most 5", betaEnd, took/1e3)
		}
		p.sound(plot)
	}
}

// edit selects a text in a cell and types another text in its place.
func edit(p *page, i int, text, other string) {
	p.t.Helper()
	p.eval(fmt.Sprintf(`panel.content.scrollToItem(%[1]d).then(() => {
		panel.content.activeCellIndex = %[1]d;
		panel.content.mode = "edit";
		const editor = cells()[%[1]d].editor, at = editor.model.sharedModel.source.indexOf(%[2]q);
		editor.focus();
		editor.setSelection({start: editor.getPositionAt(at), end: editor.getPositionAt(at + %[3]d)});
		return at >= 0;
	})`, i, text, len(text)))
	if err := chromedp.Do(p.ctx, chromedp.KeyEvent(other)); err != nil {
		p.t.Fatal(err)
	}
	p.wait(fmt.Sprintf(`cells()[%d].model.sharedModel.source.includes(%q)`, i, other), 10*time.Second)
}

// TestSampling measures the time until sixteen pictures appear that DDIM samples in 50 steps with
// the notebooks' model. The time includes all compilation.
func TestSampling(t *testing.T) {
	model, err := os.ReadFile(filepath.Join(root, "notebooks", "models", "guided.safetensors"))
	if err == nil {
		err = os.WriteFile(filepath.Join(lab.dir, "guided.safetensors"), model, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	p := open(t, notebook(t, samplingCell))
	p.start(0)
	took := p.wait(`outputs(0).querySelector("img")?.naturalWidth > 0`, 2*time.Minute)
	t.Logf("16 pictures after %.1f s: %s", took.Seconds(), value[string](p, "text(0)"))
	if took > 50*time.Second { // 10 s is the goal: see docs/notebooks.md.
		t.Errorf("16 pictures after %v, want at most 50 s", took)
	}
	p.sound(0)
}

const samplingCell = `
import (
	"fmt"
	"image"

	"github.com/srdiff/srlab/kernelext"
	"github.com/srdiff/srlab/srdiff"
	"github.com/srdiff/srlab/srdiff/dataset"
	"github.com/srdiff/srlab/srdiff/degrade"
	"github.com/srdiff/srlab/srdiff/diffusion"
	"github.com/srdiff/srlab/srdiff/engine"
)

%%
ctx, cancel := kernelext.Context()
defer cancel()
opened := kernelext.Must(engine.Open("auto"))
fmt.Println(opened)
source := kernelext.Must(dataset.Open(ctx, "generated", dataset.Options{Seed: 3, HeldOut: true}))
low := kernelext.Must(srdiff.Pictures(kernelext.Must(dataset.Batch(source, 16, 0))))
for i := range low {
	low[i] = degrade.Config{}.Picture(low[i], 4)
}
m := kernelext.Must(srdiff.Load(opened.Backend, "guided.safetensors"))
made := kernelext.Must(m.Sample(ctx, srdiff.SampleOptions{Sampler: diffusion.DDIM, Steps: 50, Seed: 1}, low...))
var sheet []image.Image
for _, picture := range made {
	sheet = append(sheet, picture.Image())
}
kernelext.Grid(8, nil, sheet...)
`
