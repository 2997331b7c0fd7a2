// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

//go:build browser

package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/srdiff/srlab/srdiff"
	"github.com/srdiff/srlab/srdiff/diffusion"
	"github.com/srdiff/srlab/srdiff/engine"
	"github.com/srdiff/srlab/srdiff/networks"
)

// page is the page of "srdiff serve" in a browser.
type page struct {
	t         *testing.T
	ctx       context.Context
	server    *served
	downloads string
	pictures  string // folder for screenshots

	mu       sync.Mutex
	hosts    map[string]bool // that the page has called
	mistakes []string        // that the page's scripts made, or that its policy forbids
}

// openPage starts the server with a model file and opens its page.
func openPage(t *testing.T, model string) *page {
	t.Helper()
	chrome, err := exec.LookPath("chromium")
	for _, name := range []string{"chromium-browser", "google-chrome", "google-chrome-stable"} {
		if err != nil {
			chrome, err = exec.LookPath(name)
		}
	}
	if err != nil {
		t.Fatal("no browser: install chromium or google-chrome")
	}
	p := &page{t: t, server: serving(t, "--model", model), downloads: t.TempDir(), hosts: map[string]bool{}}
	p.pictures = filepath.Join("..", "..", "..", ".lab", "build", "browser", "page")
	if err := os.MkdirAll(p.pictures, 0o755); err != nil {
		t.Fatal(err)
	}
	// The sandbox does not work for root and in containers, and the page is our own.
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chrome), chromedp.NoSandbox, chromedp.WindowSize(1000, 700))
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	p.ctx, cancel = chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	if err := chromedp.Listen(p.ctx, p.note); err != nil {
		t.Fatal(err)
	}
	_, err = chromedp.Call(p.ctx, browser.SetDownloadBehavior,
		browser.SetDownloadBehaviorParams{Behavior: browser.SetDownloadBehaviorBehaviorAllow, DownloadPath: p.downloads})
	if err == nil {
		_, err = chromedp.Call(p.ctx, network.Enable, network.EnableParams{})
	}
	if err == nil {
		err = chromedp.Do(p.ctx, chromedp.Navigate(p.server.address))
	}
	if err != nil {
		t.Fatal(err)
	}
	p.wait(`document.querySelectorAll("#model option").length === 4`)
	return p
}

// note records whom the page calls, and what goes wrong in it.
func (p *page) note(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch event := event.(type) {
	case *network.EventRequestWillBeSent:
		if u, err := url.Parse(event.Request.URL); err == nil && u.Host != "" {
			p.hosts[u.Hostname()] = true
		}
	case *runtime.EventExceptionThrown:
		p.mistakes = append(p.mistakes, event.ExceptionDetails.Text+" "+event.ExceptionDetails.Exception.Description)
	}
}

// value returns the value of a JavaScript expression, or of the promise that it returns.
func value[T any](p *page, script string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, time.Minute)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("%s: %v", script, err)
	}
	return v
}

// wait waits until a condition holds.
func (p *page) wait(condition string) {
	p.t.Helper()
	for began := time.Now(); !value[bool](p, "!!("+condition+")"); time.Sleep(20 * time.Millisecond) {
		if time.Since(began) > 2*time.Minute {
			p.screenshot("failed")
			p.t.Fatalf("not within two minutes: %s; the page says %q", condition, value[string](p, "document.body.innerText"))
		}
	}
}

func (p *page) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, steps...); err != nil {
		p.t.Fatal(err)
	}
}

func (p *page) screenshot(name string) {
	p.t.Helper()
	data, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.WriteFile(filepath.Join(p.pictures, name+".png"), data, 0o644)
	}
	if err != nil {
		p.t.Errorf("screenshot %s: %v", name, err)
	}
}

// media emulates what the user's system prefers.
func (p *page) media(name, value string) {
	p.t.Helper()
	_, err := chromedp.Call(p.ctx, emulation.SetEmulatedMedia,
		emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: name, Value: value}}})
	if err != nil {
		p.t.Fatal(err)
	}
}

// send drops files on the page, or pastes them.
func (p *page) send(event string, files map[string][]byte) {
	p.t.Helper()
	script := "const data = new DataTransfer();"
	for name, content := range files {
		script += fmt.Sprintf(`data.items.add(new File([Uint8Array.from(atob(%q), (c) => c.charCodeAt())], %q));`,
			base64.StdEncoding.EncodeToString(content), name)
	}
	property := map[string]string{"drop": "dataTransfer", "paste": "clipboardData"}[event]
	script += fmt.Sprintf(`document.body.dispatchEvent(new %s(%q, {%s: data, bubbles: true, cancelable: true}))`,
		map[string]string{"drop": "DragEvent", "paste": "ClipboardEvent"}[event], event, property)
	value[bool](p, "{"+script+"; true}")
}

// choose has a control take a value, as a user does.
func (p *page) choose(id, to, event string) {
	p.t.Helper()
	value[bool](p, fmt.Sprintf(`{const e = document.getElementById(%q); e.value = %q; e.dispatchEvent(new Event(%q, {bubbles: true})); true}`, id, to, event))
}

// noteOf is a script for the line below the name of a job, by its number in the list.
func noteOf(n int) string {
	return fmt.Sprintf(`document.querySelectorAll("#jobs .note")[%d]?.textContent`, n)
}

// download takes the result of the picture in the viewer.
func (p *page) download(name string) []byte {
	p.t.Helper()
	p.wait(`document.getElementById("take").href`)
	p.do(chromedp.Click(chromedp.CSS("#take")))
	path := filepath.Join(p.downloads, name)
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(path); err == nil {
			break
		}
		if time.Since(began) > time.Minute {
			p.t.Fatalf("%s is not downloaded", name)
		}
	}
	data, err := os.ReadFile(path)
	if err := errors.Join(err, os.Remove(path)); err != nil {
		p.t.Fatal(err)
	}
	return data
}

// shown returns the pixels of the canvas where the picture is, once they no longer change.
func (p *page) shown() []byte {
	p.t.Helper()
	return []byte(value[string](p, `(async () => {
		const canvas = document.getElementById("canvas");
		let pixels, last = 0;
		for (let same = 0; same < 3; same++) {
			await new Promise((done) => setTimeout(done, 100));
			pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
			let sum = 0;
			for (const pixel of new Uint32Array(pixels.buffer)) sum = (31 * sum + pixel) % 0x1fffffffffff;
			if (sum !== last) same = 0;
			last = sum;
		}
		let text = "";
		for (let i = 0; i < pixels.length; i += 4096) text += String.fromCharCode(...pixels.subarray(i, i + 4096));
		return canvas.width + "x" + canvas.height + ":" + btoa(text);
	})()`))
}

// canvas decodes shown.
func canvas(t *testing.T, shown []byte) *image.NRGBA {
	t.Helper()
	size, data, _ := bytes.Cut(shown, []byte(":"))
	var width, height int
	if _, err := fmt.Sscanf(string(size), "%dx%d", &width, &height); err != nil {
		t.Fatal(err)
	}
	img := image.NewNRGBA(image.Rect(0, 0, width, height))
	if n, err := base64.StdEncoding.Decode(img.Pix, data); err != nil || n != len(img.Pix) {
		t.Fatalf("%d bytes: %v", n, err)
	}
	return img
}

// shows fails the test unless a canvas shows a file, with a tolerance. Where one of the pictures
// that the page mixed ends at black or white, the mixed value may differ by more.
func shows(t *testing.T, shown, file []byte, tolerance int, mixed ...[]byte) {
	t.Helper()
	img := canvas(t, shown)
	want := decoded(t, file)
	var ends []*image.NRGBA
	for _, data := range mixed {
		ends = append(ends, decoded(t, data))
	}
	corner := img.Rect.Size().Sub(want.Rect.Size()).Add(image.Pt(1, 1)).Div(2)
	compared := 0
	for y := range want.Rect.Dy() {
		for x := 0; x < want.Rect.Dx(); x++ {
			at := img.PixOffset(corner.X+x, corner.Y+y)
			if corner.X+x < 30 { // left of the line
				continue
			}
			for c := range 3 {
				i := want.PixOffset(x, y) + c
				if slices.ContainsFunc(ends, func(end *image.NRGBA) bool { return end.Pix[i] == 0 || end.Pix[i] == 255 }) {
					continue
				}
				compared++
				if d := int(img.Pix[at+c]) - int(want.Pix[i]); d > tolerance || d < -tolerance {
					t.Fatalf("channel %d of pixel %d, %d is %d: want %d", c, x, y, img.Pix[at+c], want.Pix[i])
				}
			}
		}
	}
	if all := 3 * want.Rect.Dx() * want.Rect.Dy(); compared < all/2 {
		t.Errorf("%d of %d values were compared", compared, all)
	}
}

// decoded decodes a PNG.
func decoded(t *testing.T, data []byte) *image.NRGBA {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	out := image.NewNRGBA(img.Bounds())
	draw.Draw(out, out.Rect, img, image.Point{}, draw.Src)
	return out
}

// upscaled is the command's result.
func upscaled(t *testing.T, in string, args ...string) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out.png")
	if status, _, errs := command(append([]string{"upscale", in, "-o", out}, args...)...); status != 0 {
		t.Fatal(errs)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// tinyRefiner writes a model with detail that samples in a moment, and returns its path.
func tinyRefiner(t *testing.T) string {
	t.Helper()
	eng, err := engine.Open("go")
	if err != nil {
		t.Fatal(err)
	}
	m, err := srdiff.NewModel(eng.Backend, srdiff.Config{
		Diffusion: diffusion.Config{Prediction: diffusion.PredictV, Schedule: diffusion.Cosine},
		Network:   networks.Config{Name: networks.Residual, BaseChannels: 4, Blocks: 1},
		Predictor: networks.Config{Name: networks.PixelShuffle, BaseChannels: 4, Blocks: 1}})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "refiner.safetensors")
	if err := m.Save(path); err != nil {
		t.Fatal(err)
	}
	return path
}

// pictureFile is a part of a photograph as a picture file.
func pictureFile(t *testing.T, side int) string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("..", "..", "..", "notebooks", "photos", "test", "*.jpg"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no photographs: %v", err)
	}
	img := opened(t, paths[0])
	middle := image.Rect(0, 0, side, side).Add(img.Bounds().Size().Div(2)).Sub(image.Pt(side/2, side/2))
	crop := image.NewNRGBA(image.Rect(0, 0, side, side))
	for y := range side {
		for x := range side {
			crop.Set(x, y, img.At(middle.Min.X+x, middle.Min.Y+y))
		}
	}
	return write(t, "cat.png", pngOf(crop))
}

// A picture is dropped, progress is seen, the result has the command's bytes and is what the page
// shows, the strength changes what is shown without another sampling, and an error is the
// command's.
func TestPage(t *testing.T) {
	t.Setenv("SRDIFF_ENGINE", "go")
	model := tinyRefiner(t)
	p := openPage(t, model)
	in := pictureFile(t, 72)
	data, err := os.ReadFile(in)
	if err != nil {
		t.Fatal(err)
	}
	p.screenshot("empty")

	// A model with detail.
	p.send("drop", map[string][]byte{"cat.png": data})
	p.wait(noteOf(0) + `?.startsWith("288")`)
	p.wait(`/cat.png: 288 . 288/.test(document.getElementById("status").textContent)`)
	if got := p.download("cat-x4.png"); !bytes.Equal(got, upscaled(t, in, "--model", model)) {
		t.Error("the downloaded result is not the command's")
	}

	// All of the result at full size, which is what the file holds, pixel by pixel.
	p.choose("split", "0", "input")
	p.do(chromedp.Click(chromedp.CSS("#full")))
	whole := p.shown()
	full, mean := upscaled(t, in, "--model", model), upscaled(t, in, "--model", model, "--strength", "0")
	shows(t, whole, full, 0)

	// The strength moves: other pixels, and another file.
	for _, strength := range []string{"0.4", "0"} {
		p.choose("strength", strength, "input")
		moved := p.shown()
		if bytes.Equal(moved, whole) {
			t.Errorf("the strength %s shows the same pixels", strength)
		}
		want := upscaled(t, in, "--model", model, "--strength", strength)
		shows(t, moved, want, 1, full, mean)
		if got := p.download("cat-x4.png"); !bytes.Equal(got, want) {
			t.Errorf("the downloaded result of strength %s is not the command's", strength)
		}
	}

	// By keyboard: the line, the zoom and the place.
	p.choose("split", "0.5", "input")
	still := p.shown()
	p.do(chromedp.Focus(chromedp.CSS("#split")), chromedp.KeyEvent(kb.ArrowRight))
	if bytes.Equal(p.shown(), still) {
		t.Error("an arrow key does not move the line")
	}
	p.do(chromedp.Focus(chromedp.CSS("#canvas")), chromedp.KeyEvent("+"), chromedp.KeyEvent("+"))
	p.wait(`document.getElementById("zoom").textContent === "400%"`)
	still = p.shown()
	p.do(chromedp.KeyEvent(kb.ArrowLeft))
	if bytes.Equal(p.shown(), still) {
		t.Error("an arrow key does not move the picture")
	}
	p.do(chromedp.KeyEvent("0"))

	// Another model from a file that is chosen; its result has no strength.
	p.choose("model", "photo", "change")
	in = pictureFile(t, 16)
	p.do(chromedp.SetUploadFiles(chromedp.CSS("#files"), []string{in}))
	p.wait(noteOf(1) + `?.startsWith("64")`)
	p.do(chromedp.Click(chromedp.CSS("#jobs li:nth-child(2) .pick")))
	p.wait(`document.getElementById("mix").hidden`)
	if got := p.download("cat-x4.png"); !bytes.Equal(got, upscaled(t, in)) {
		t.Error("the downloaded result is not the default command's")
	}

	// A broken file, pasted.
	p.send("paste", map[string][]byte{"broken.png": data[:200]})
	p.wait(noteOf(2) + `?.startsWith("broken.png: picture is damaged, cut short or of an unusual kind")`)

	// What screens of other kinds show.
	p.screenshot("light")
	p.media("prefers-color-scheme", "dark")
	p.screenshot("dark")
	p.do(chromedp.EmulateViewport(390, 844))
	if value[bool](p, `document.documentElement.scrollWidth > innerWidth`) {
		t.Error("the page is wider than a phone")
	}
	p.screenshot("phone")

	// Every control has a name, and a label that is not cut off by the policy.
	if bare := value[string](p, `[...document.querySelectorAll("button, select, input:not([aria-hidden]), canvas, a")]
		.filter((e) => !(e.ariaLabel || e.labels?.length || e.textContent.trim())).map((e) => e.outerHTML).join()`); bare != "" {
		t.Errorf("these have no name: %s", bare)
	}

	// Of a picture that takes long, progress and the time left are seen, and the rows that are
	// made. Then it is cancelled.
	p.send("drop", map[string][]byte{"long.png": mustRead(t, write(t, "long.png", pngOf(scene(12, 6000))))})
	p.wait(`/[1-9] of [0-9]+ tiles, .+ left/.test(` + noteOf(3) + `) && document.querySelector("#jobs li:nth-child(4) progress").value > 0`)
	p.do(chromedp.Click(chromedp.CSS("#jobs li:nth-child(4) .pick")))
	p.choose("split", "0", "input")
	p.screenshot("running")
	p.do(chromedp.Click(chromedp.CSS(`#jobs .drop[aria-label="Cancel long.png"]`)))
	p.wait(`document.querySelectorAll("#jobs li").length === 3 && document.getElementById("status").textContent === "long.png: cancelled"`)

	p.server.stop()
	p.wait(`document.getElementById("ended").textContent.includes("has ended")`)
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.hosts) != 1 || !p.hosts["127.0.0.1"] || len(p.mistakes) > 0 {
		t.Errorf("the page called %v, and its scripts failed with %q", p.hosts, p.mistakes)
	}
}

func mustRead(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
