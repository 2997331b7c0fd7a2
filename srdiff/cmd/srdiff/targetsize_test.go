// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/srdiff/srlab/notebooks/models"
	"github.com/srdiff/srlab/srdiff/imaging"
)

func TestTargetSize(t *testing.T) {
	size := image.Pt(300, 200)
	for _, c := range []struct {
		target targetSize
		want   image.Point
		suffix string
	}{
		{targetSize{}, image.Pt(1200, 800), "-x4"},
		{targetSize{Scale: 2.5}, image.Pt(750, 500), "-x2.5"},
		{targetSize{Scale: 8}, image.Pt(2400, 1600), "-x8"},
		{targetSize{Scale: 0.001}, image.Pt(1, 1), "-x0.001"},
		{targetSize{Width: 1001}, image.Pt(1001, 667), "-w1001"},
		{targetSize{Height: 500}, image.Pt(750, 500), "-h500"},
		{targetSize{Width: 1000, Height: 400}, image.Pt(600, 400), "-1000x400"},
		{targetSize{Width: 600, Height: 1000}, image.Pt(600, 400), "-600x1000"},
		{targetSize{Megapixels: 0.96}, image.Pt(1200, 800), "-0.96mp"},
	} {
		if got := c.target.of(size, 4); got != c.want || c.target.suffix(4) != c.suffix {
			t.Errorf("%+v is %v and %q, want %v and %q", c.target, got, c.target.suffix(4), c.want, c.suffix)
		}
	}
	for _, bad := range []targetSize{{Scale: 2, Width: 5}, {Scale: 2, Megapixels: 1}, {Height: 1, Megapixels: 1}, {Scale: 65}, {Width: 1 << 21}, {Megapixels: 1e7}} {
		if err := bad.check(); err == nil {
			t.Errorf("%+v is no error", bad)
		}
	}
}

// Every size and format that the command line asks for is made, named by what was asked.
func TestUpscaleSizesAndFormats(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := imaging.WritePNG("cat.png", scene(30, 20)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args, out string
		size      image.Point
		format    string
	}{
		{"--scale 2", "cat-x2.png", image.Pt(60, 40), "png"},
		{"--scale 2.5", "cat-x2.5.png", image.Pt(75, 50), "png"},
		{"--scale 8", "cat-x8.png", image.Pt(240, 160), "png"},
		{"--width 100", "cat-w100.png", image.Pt(100, 67), "png"},
		{"--height 50 -o b.jpg", "b.jpg", image.Pt(75, 50), "jpeg"},
		{"--megapixels 0.0024 -o b.tif", "b.tif", image.Pt(60, 40), "tiff"},
		{"--width 70 -o b.webp", "b.webp", image.Pt(70, 47), "webp"},
		{"-o c.JPEG --quality 50", "c.JPEG", image.Pt(120, 80), "jpeg"},
		{"-o B/ --width 77 --height 1000", "B/cat-77x1000.png", image.Pt(77, 51), "png"},
	} {
		status, out, errs := command(append([]string{"upscale", "cat.png"}, strings.Fields(c.args)...)...)
		if want := fmt.Sprintf("%s: %dx%d, ", c.out, c.size.X, c.size.Y); status != 0 || !strings.HasPrefix(out, want) {
			t.Errorf("%s: status %d, printed %q and %q, want %q", c.args, status, out, errs, want)
			continue
		}
		f, err := os.Open(filepath.FromSlash(c.out))
		if err != nil {
			t.Fatal(err)
		}
		config, _, err := image.DecodeConfig(f)
		f.Close()
		if c.format == "tiff" {
			var img image.Image
			if img, err = imaging.Open(c.out); err == nil {
				config.Width, config.Height = img.Bounds().Dx(), img.Bounds().Dy()
			}
		}
		if err != nil || config.Width != c.size.X || config.Height != c.size.Y {
			t.Errorf("%s: %dx%d, %v, want %v", c.args, config.Width, config.Height, err, c.size)
		}
		if made, err := readProvenance(c.out); err != nil || len(made.Model) != 64 {
			t.Errorf("%s: the record is %+v, %v", c.args, made, err)
		}
		// A result of srdiff is made again without --overwrite.
		if status, _, errs := command(append([]string{"upscale", "cat.png"}, strings.Fields(c.args)...)...); status != 0 {
			t.Errorf("%s again: %s", c.args, errs)
		}
	}
	// --like repeats the size, and no other size goes with it.
	status, out, errs := command("upscale", "cat.png", "--like", "cat-x2.5.png", "-o", "like.png")
	if status != 0 || !strings.HasPrefix(out, "like.png: 75x50") {
		t.Errorf("--like: status %d, printed %q and %q", status, out, errs)
	}
	for want, args := range map[string]string{
		"three ways to give one size": "--scale 2 --width 10", "want a number up to 64": "--scale 100", "from 1 to 100": "--quality 101",
		"greater than 0": "--width 0", "not what cat-x2.5.png was made with": "--scale 3 --like cat-x2.5.png",
		"want a name that ends in .png, .jpg, .webp or .tif": "-o a.gif", "--json writes to standard output": "--json -o -",
		"a WebP has at most 16383 pixels a side": "--width 17000 -o a.webp", "a JPEG has at most 65535 pixels a side": "--width 70000 -o a.jpg",
		"GB of memory, and 2.0GB are allowed": "--width 16000 -o a.webp", "GB of memory, and 0.6GB are allowed": "--width 2000 -o a.webp --memory 550MB",
	} {
		status, out, errs := command(append([]string{"upscale", "cat.png"}, strings.Fields(args)...)...)
		if status != 1 || out != "" || !strings.Contains(errs, want) || strings.Count(errs, "\n") != 1 {
			t.Errorf("%s: status %d, printed %q and %q, want one line with %q", args, status, out, errs, want)
		}
	}
}

// Every way to ask for a size chooses among the models of a name, for the picture that needs the
// most.
func TestTimes(t *testing.T) {
	t.Chdir(t.TempDir())
	in := &inputs{}
	for name, side := range map[string]int{"small.png": 20, "large.png": 80} {
		if err := imaging.WritePNG(name, scene(side, side/2)); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		in.tasks = append(in.tasks, task{in: name, info: info})
	}
	pipe := &inputs{tasks: []task{{in: "-"}}}
	for _, c := range []struct {
		size  targetSize
		in    *inputs
		times float64
	}{
		{targetSize{}, in, defaultTimes}, {targetSize{Scale: 2}, in, 2}, {targetSize{Width: 40}, in, 2}, {targetSize{Height: 80}, in, 8},
		{targetSize{Width: 60, Height: 1000}, in, 3}, {targetSize{Megapixels: 0.0008}, in, 2},
		{targetSize{Width: 40}, pipe, defaultTimes}, {targetSize{Scale: 3}, pipe, 3},
	} {
		o := upscaleOptions{resultOptions: resultOptions{size: c.size}}
		if got := o.times(c.in); got != c.times {
			t.Errorf("%+v: %g times, want %g", c.size, got, c.times)
		}
	}
}

// A result of the model's own size is the same whether it is asked for or not, and a smaller one is
// its bicubic shrinking.
func TestUpscaleScaleIsResizing(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := imaging.WritePNG("cat.png", scene(20, 12)); err != nil {
		t.Fatal(err)
	}
	for _, args := range []string{"upscale cat.png -o four.tif", "upscale cat.png -o asked.tif --scale 4", "upscale cat.png -o half.tif --scale 2"} {
		if status, _, errs := command(strings.Fields(args)...); status != 0 {
			t.Fatal(errs)
		}
	}
	read := func(path string) imaging.Picture { return imaging.FromImage(opened(t, path)) }
	four, asked, half := read("four.tif"), read("asked.tif"), read("half.tif")
	for i, v := range four.Pix {
		if asked.Pix[i] != v {
			t.Fatalf("value %d is %v with --scale 4 and %v without", i, asked.Pix[i], v)
		}
	}
	for i, v := range imaging.Shrink(four, "matlab-bicubic", 40, 24, 0).Pix {
		if d := max(min(v, 1), -1) - half.Pix[i]; d < -0.017 || d > 0.017 { // two levels of rounding
			t.Fatalf("value %d is %v with --scale 2, want %v", i, half.Pix[i], v)
		}
	}
}

// --strip omits what the input says of itself; --json prints one object and nothing else.
func TestUpscaleStripAndJSON(t *testing.T) {
	t.Chdir(t.TempDir())
	density := imaging.Chunk{Type: "pHYs", Data: []byte{0, 0, 0x2e, 0x23, 0, 0, 0x2e, 0x23, 1}}
	if err := imaging.WritePNG("cat.png", scene(9, 7), density, imaging.TextChunk("XML:com.adobe.xmp", "<x/>")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("text.png", []byte("text"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{"a.png", "a.jpg", "a.tif", "a.webp"} {
		for strip, want := range map[string]int{"": 2, "--strip": 0} {
			if status, _, errs := command(strings.Fields("upscale cat.png --overwrite -o " + out + " " + strip)...); status != 0 {
				t.Fatal(errs)
			}
			file, err := imaging.Read(out)
			if err != nil {
				t.Fatal(err)
			}
			kept := 0
			for _, c := range file.Metadata {
				if c.Type == "pHYs" || c.Type == "iTXt" {
					kept++
				}
			}
			if kept != want {
				t.Errorf("%s %s: %d parts are kept, want %d", out, strip, kept, want)
			}
		}
	}
	status, out, errs := command("upscale", "cat.png", "text.png", "-o", "Large", "--json", "--scale", "2")
	var report upscaleReport
	if err := json.Unmarshal([]byte(out), &report); err != nil || status != 1 {
		t.Fatalf("status %d, printed %q and %q: %v", status, out, errs, err)
	}
	if report.Made != 1 || report.Kept != 0 || len(report.Failed) != 1 || len(report.Results) != 1 {
		t.Fatalf("%+v", report)
	}
	if r := report.Results[0]; r.Input != "cat.png" || r.Output != "Large/cat-x2.png" || r.Width != 18 || r.Height != 14 || !r.Made ||
		!(r.Seconds > 0) || r.Model != models.All[0].Name {
		t.Errorf("%+v", r)
	}
	status, out, errs = command("upscale", "cat.png", "-o", "Large/", "--json", "--scale", "2")
	if status != 0 || !strings.Contains(out, `"made":1`) || strings.Count(out, "\n") != 1 {
		t.Errorf("one picture: status %d, printed %q and %q", status, out, errs)
	}
}
