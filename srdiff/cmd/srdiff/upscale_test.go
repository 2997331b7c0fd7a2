// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/srdiff/srlab/srdiff"
	"github.com/srdiff/srlab/srdiff/imaging"
	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
)

// drawn is a scene as another kind of picture.
func drawn[T draw.Image](make func(image.Rectangle) T, width, height int) T {
	img := make(image.Rect(0, 0, width, height))
	draw.Draw(img, img.Bounds(), scene(width, height), image.Point{}, draw.Src)
	return img
}

func bytesOf(data string) func(io.Writer) error {
	return func(w io.Writer) error { _, err := io.WriteString(w, data); return err }
}

func fileIn(t *testing.T, name string) func(io.Writer) error {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "imaging", "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return bytesOf(string(data))
}

// enlarged runs "srdiff upscale", which must work, and returns the result.
func enlarged(t *testing.T, in string, args ...string) image.Image {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out.png")
	if status, _, errs := command(append([]string{"upscale", in, "-o", out}, args...)...); status != 0 {
		t.Fatalf("%s: %s", in, errs)
	}
	return opened(t, out)
}

func opened(t *testing.T, path string) image.Image {
	t.Helper()
	img, err := imaging.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// Every kind of picture is enlarged, into one of its kind, or refused in one line.
func TestUpscaleOddPictures(t *testing.T) {
	t.Setenv("SRDIFF_ENGINE", "go") // XLA would compile a program for every size
	model := tiny(t)
	palette := func(n int) *image.Paletted {
		colours := color.Palette{color.Black, color.NRGBA{255, 200, 0, 255}, color.White, color.NRGBA{9, 9, 9, 0}}
		img := image.NewPaletted(image.Rect(0, 0, 5, 3), colours[:n])
		for i := range img.Pix {
			img.Pix[i] = uint8(i % n)
		}
		return img
	}
	const rgb, rgba, grey, deep, deepGrey, deepAlpha = "*image.RGBA", "*image.NRGBA", "*image.Gray", "*image.RGBA64",
		"*image.Gray16", "*image.NRGBA64" // what image/png makes of the results
	glass := scene(5, 3)
	glass.SetNRGBA(0, 0, color.NRGBA{255, 0, 0, 0})
	deepGlass := drawn(image.NewNRGBA64, 5, 3)
	deepGlass.SetNRGBA64(2, 1, color.NRGBA64{1, 2, 3, 0x8000})
	var huge bytes.Buffer
	if err := png.Encode(&huge, scene(1, 1)); err != nil {
		t.Fatal(err)
	}
	copy(huge.Bytes()[16:24], []byte{0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60})
	copy(huge.Bytes()[29:33], crcOf(huge.Bytes()[12:29]))
	type test struct {
		name   string
		encode func(io.Writer) error
		size   image.Point // of the result
		kind   string      // of the result
		remark string      // or why it is refused, where there is no kind
	}
	tests := []test{
		{"dot.png", pngOf(scene(1, 1)), image.Pt(4, 4), rgb, ""},
		{"pillar.png", pngOf(scene(3, 1000)), image.Pt(12, 4000), rgb, ""},
		{"beam.png", pngOf(scene(1000, 3)), image.Pt(4000, 12), rgb, ""},
		{"16 bits.png", pngOf(drawn(image.NewNRGBA64, 5, 3)), image.Pt(20, 12), deep, ""},
		{"16 bits with alpha.png", pngOf(deepGlass), image.Pt(20, 12), deepAlpha, ""},
		{"grey.png", pngOf(drawn(image.NewGray, 5, 3)), image.Pt(20, 12), grey, ""},
		{"grey of 16 bits.png", pngOf(drawn(image.NewGray16, 5, 3)), image.Pt(20, 12), deepGrey, ""},
		{"grey with alpha.png", fileIn(t, "pictures/grey_alpha.png"), image.Pt(64, 32), rgb + " grey", ""},
		{"bilevel.png", fileIn(t, "pictures/bilevel.png"), image.Pt(64, 32), grey, ""},
		{"palette.png", pngOf(palette(3)), image.Pt(20, 12), rgb, ""},
		{"palette of 1 bit.png", pngOf(palette(2)), image.Pt(20, 12), rgb, ""},
		{"palette with a clear colour.png", pngOf(palette(4)), image.Pt(20, 12), rgba, ""},
		{"alpha.png", pngOf(glass), image.Pt(20, 12), rgba, ""},
		{"all clear.png", pngOf(image.NewNRGBA(image.Rect(0, 0, 2, 2))), image.Pt(8, 8), rgba, ""},
		{"orientation.png", fileIn(t, "pictures/about.png"), image.Pt(32, 64), rgb, ""},
		{"animated.png", fileIn(t, "pictures/animated.png"), image.Pt(32, 24), rgb, "only the first one is used"},
		{"broken profile.png", func(w io.Writer) error {
			return png.Encode(&after33{w, 0, []byte("\x00\x00\x00\x08iCCPname\x00\x00??" +
				string(crcOf([]byte("iCCPname\x00\x00??"))))}, scene(5, 3))
		}, image.Pt(20, 12), rgb, "ICC profile is broken"},
		{"baseline.jpg", func(w io.Writer) error { return jpeg.Encode(w, scene(5, 3), nil) }, image.Pt(20, 12), rgb, ""},
		{"grey.jpg", func(w io.Writer) error { return jpeg.Encode(w, drawn(image.NewGray, 5, 3), nil) }, image.Pt(20, 12), grey, ""},
		{"progressive.jpg", fileIn(t, "pictures/progressive.jpg"), image.Pt(64, 32), rgb, ""},
		{"cmyk.jpg", fileIn(t, "pictures/cmyk.jpg"), image.Pt(64, 32), rgb, `"CMYK" and not "RGB "`},
		{"orientation.jpg", fileIn(t, "on_its_side.jpg"), image.Pt(32, 64), rgb, ""},
		{"a PNG named.jpg", pngOf(scene(5, 3)), image.Pt(20, 12), rgb, ""},
		{"still.gif", func(w io.Writer) error { return gif.Encode(w, scene(5, 3), nil) }, image.Pt(20, 12), rgb, ""},
		{"animated.gif", fileIn(t, "pictures/animated.gif"), image.Pt(32, 24), rgb, "only the first one is used"},
		{"lossy with alpha.webp", fileIn(t, "lossy_alpha.webp"), image.Pt(64, 64), rgba, ""},
		{"lossless.webp", fileIn(t, "lossless.webp"), image.Pt(16, 8), rgba, ""},
		{"animated.webp", fileIn(t, "pictures/animated.webp"), image.Pt(32, 24), rgb, "only the first one is used"},
		{"animated, lossy with alpha.webp", fileIn(t, "pictures/animated_glass.webp"), image.Pt(32, 24), rgba, "only the first one is used"},
		{"orientation.webp", fileIn(t, "pictures/about.webp"), image.Pt(32, 64), rgb, ""},
		{"plain.tif", func(w io.Writer) error { return tiff.Encode(w, scene(5, 3), nil) }, image.Pt(20, 12), rgb, ""},
		{"16 bits.tif", func(w io.Writer) error { return tiff.Encode(w, drawn(image.NewNRGBA64, 5, 3), nil) },
			image.Pt(20, 12), deep, ""},
		{"fax.tif", fileIn(t, "pictures/bilevel.tif"), image.Pt(64, 32), grey, ""},
		{"palette.tif", fileIn(t, "pictures/palette.tif"), image.Pt(64, 32), rgb, ""},
		{"two pages.tif", fileIn(t, "pictures/pages.tif"), image.Pt(32, 24), rgb, "only the first one is used"},
		{"orientation.tif", fileIn(t, "pictures/about.tif"), image.Pt(32, 64), rgb, ""},
		{"plain.bmp", func(w io.Writer) error { return bmp.Encode(w, scene(5, 3)) }, image.Pt(20, 12), rgb, ""},

		{"empty.png", bytesOf(""), image.Point{}, "", "empty: not a picture"},
		{"text.png", bytesOf("a text\n"), image.Point{}, "", "not a picture that can be read"},
		{"drawing.svg", bytesOf(`<svg xmlns="http://www.w3.org/2000/svg"/>`), image.Point{}, "", "not a picture that can be read"},
		{"jpeg2000.jp2", fileIn(t, "pictures/jpeg2000.jp2"), image.Point{}, "", "not a picture that can be read"},
		{"huge.png", bytesOf(huge.String()), image.Point{}, "", "60000x60000 is too large"},
		{"cut.jpg", func(w io.Writer) error {
			var b bytes.Buffer
			err := jpeg.Encode(&b, scene(40, 40), nil)
			w.Write(b.Bytes()[:b.Len()-100])
			return err
		}, image.Point{}, "", "damaged, cut short"},
		{"only its head.gif", bytesOf("GIF89a\x05\x00\x05\x00\x00\x00\x00;"), image.Point{}, "", "damaged, cut short"},
		{"arithmetic.jpg", bytesOf("\xff\xd8\xff\xc9\x00\x0b\x08\x00\x08\x00\x08\x01\x01\x11\x00" +
			"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00\xff\xd9"), image.Point{}, "", "arithmetic-coded JPEG"},
		{"12 bits.jpg", bytesOf("\xff\xd8\xff\xc1\x00\x0b\x0c\x00\x08\x00\x08\x01\x01\x11\x00\xff\xd9"), image.Point{}, "",
			"a JPEG of 12 bits a channel, which is not read"},
		{"lab.tif", fileIn(t, "pictures/lab.tif"), image.Point{}, "", "a TIFF that holds CIE Lab, which is not read"},
		{"float.tif", fileIn(t, "pictures/float.tif"), image.Point{}, "", "a TIFF in floating point, which is not read"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			in := write(t, test.name, test.encode)
			out := filepath.Join(t.TempDir(), "out.png")
			status, printed, errs := command("upscale", "--model", model, in, "-o", out)
			var messageLines []string // but for the progress
			for line := range strings.Lines(errs) {
				if !strings.Contains(line, " steps") {
					messageLines = append(messageLines, line)
				}
			}
			if test.kind == "" {
				if status != 1 || len(messageLines) != 1 || !strings.HasPrefix(messageLines[0], "srdiff: "+in+": ") || !strings.Contains(messageLines[0], test.remark) ||
					printed != "" {
					t.Errorf("status %d, printed %q and %q, want one line with %q", status, printed, errs, test.remark)
				}
				if _, err := os.Stat(out); err == nil {
					t.Error("there is a result")
				}
				return
			}
			if want := fmt.Sprintf("%s: %dx%d\n", out, test.size.X, test.size.Y); status != 0 || printed != want {
				t.Fatalf("status %d, printed %q and %q, want %q", status, printed, errs, want)
			}
			if (test.remark == "") != (len(messageLines) == 0) || len(messageLines) > 1 || !strings.Contains(strings.Join(messageLines, ""), test.remark) {
				t.Errorf("said %q, want %q", messageLines, test.remark)
			}
			img := opened(t, out)
			kind, mustBeGrey := strings.CutSuffix(test.kind, " grey")
			if got := fmt.Sprintf("%T", img); got != kind || img.Bounds().Size() != test.size {
				t.Errorf("the result is %s of %v, want %s of %v", got, img.Bounds().Size(), kind, test.size)
			}
			isGrey := true
			for i := range test.size.X * test.size.Y {
				c := color.NRGBA64Model.Convert(img.At(i%test.size.X, i/test.size.X)).(color.NRGBA64)
				isGrey = isGrey && c.R == c.G && c.R == c.B
			}
			if mustBeGrey && !isGrey {
				t.Error("the result has colours")
			}
			if kind == rgb && !mustBeGrey && isGrey {
				t.Error("the result has no colours")
			}
		})
	}
	// The name that a result gets by itself.
	in := write(t, "in.jpg", pngOf(scene(2, 1)))
	status, printed, errs := command("upscale", "--model", model, in)
	if want := strings.TrimSuffix(in, ".jpg") + "-x4.png: 8x4\n"; status != 0 || printed != want {
		t.Errorf("status %d, printed %q %q, want %q", status, printed, errs, want)
	}
	status, _, errs = command("upscale", "--model", model, filepath.Join(t.TempDir(), "none.png"))
	if status != 1 || !strings.Contains(errs, "no such file") || strings.Count(errs, "\n") != 1 {
		t.Errorf("a file that is not there: status %d, %q", status, errs)
	}
}

// after33 puts bytes behind the head of a PNG file.
type after33 struct {
	w     io.Writer
	n     int
	bytes []byte
}

func (a *after33) Write(p []byte) (int, error) {
	a.n += len(p)
	n, err := a.w.Write(p)
	if a.n == 33 {
		a.w.Write(a.bytes)
	}
	return n, err
}

// What lies under full transparency changes nothing that can be seen, and opaque pictures come as
// they did without alpha.
func TestUpscaleHiddenColours(t *testing.T) {
	model := tiny(t)
	result := func(hidden color.NRGBA) *image.NRGBA {
		img := scene(8, 8)
		for y := range 8 {
			for x := range 4 {
				img.SetNRGBA(x, y, hidden)
			}
		}
		return enlarged(t, write(t, "glass.png", pngOf(img)), "--model", model).(*image.NRGBA)
	}
	black, green := result(color.NRGBA{}), result(color.NRGBA{0, 255, 0, 0})
	if !bytes.Equal(black.Pix, green.Pix) {
		t.Error("hidden colours make a difference")
	}
	// Opacity by hand: pixel x of the result lies at (x + 1/2)/4 - 1/2, and the step is between 3
	// and 4.
	for x := range 32 {
		want := math.Round(255 * min(max((float64(x)+.5)/4-.5-3, 0), 1))
		if got := black.NRGBAAt(x, 17).A; float64(got) != want {
			t.Errorf("opacity of column %d is %d, want %v", x, got, want)
		}
	}
}

// The profile that a picture has is that of its result, whatever the file.
func TestUpscaleKeepsProfile(t *testing.T) {
	t.Setenv("SRDIFF_ENGINE", "go") // XLA would compile a program for every size
	model := tiny(t)
	for _, name := range []string{"about.png", "about.jpg", "about.webp", "about.tif"} {
		in, out := write(t, name, fileIn(t, "pictures/"+name)), filepath.Join(t.TempDir(), "out.png")
		if status, _, errs := command("upscale", "--model", model, in, "-o", out); status != 0 {
			t.Fatal(errs)
		}
		was, err := imaging.Read(in)
		if err != nil {
			t.Fatal(err)
		}
		is, err := imaging.Read(out)
		if err != nil {
			t.Fatal(err)
		}
		same := func(a, b imaging.Chunk) bool { return a.Type == b.Type && bytes.Equal(a.Data, b.Data) }
		if len(is.Colour) != 1 || is.Colour[0].Type != "iCCP" || !slices.EqualFunc(is.Colour, was.Colour, same) {
			t.Errorf("%s: %d chunks became %d", name, len(was.Colour), len(is.Colour))
		}
	}
}

// A folder with two pictures, one that is none, and what is not looked at.
func TestUpscaleFolder(t *testing.T) {
	t.Setenv("SRDIFF_ENGINE", "go") // XLA would compile a program for every size
	model, dir := tiny(t), t.TempDir()
	out := filepath.Join(t.TempDir(), "results", "of today")
	put := func(name string, encode func(io.Writer) error) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(write(t, "new", encode), path); err != nil {
			t.Fatal(err)
		}
	}
	put("a.png", pngOf(scene(4, 4)))
	put("B.JPG", func(w io.Writer) error { return jpeg.Encode(w, scene(6, 5), nil) })
	put("c.png", bytesOf("a text"))
	put(".hidden.png", pngOf(scene(4, 4)))
	put("notes.txt", bytesOf("a text"))
	put("below/d.png", pngOf(scene(4, 4)))
	put("folder.png/e.png", pngOf(scene(4, 4)))
	args := []string{"upscale", "--model", model, dir, "-o", out}
	status, printed, errs := command(args...)
	a, b := filepath.Join(out, "a-x4.png"), filepath.Join(out, "B-x4.png")
	d, e := filepath.Join(out, "below", "d-x4.png"), filepath.Join(out, "folder.png", "e-x4.png")
	if want := fmt.Sprintf("%s: 24x20\n%s: 16x16\n%s: 16x16\n%s: 16x16\n", b, a, d, e); status != 1 || printed != want {
		t.Errorf("status %d, printed %q, want %q", status, printed, want)
	}
	if bad := filepath.Join(dir, "c.png") + ": not a picture"; !strings.Contains(errs, "\n"+bad) ||
		!strings.HasSuffix(errs, "\nsrdiff: 1 of 5 pictures could not be enlarged\n") || !strings.Contains(errs, "picture 1 of 5: 1 of ") ||
		!strings.Contains(errs, "\n4 made, 0 there already, 1 failed\nfailed: "+filepath.Join(dir, "c.png")) {
		t.Errorf("said %q", errs)
	}
	entries, err := os.ReadDir(out)
	if err != nil || len(entries) != 4 {
		t.Errorf("the folder of the results holds %v, %v", entries, err)
	}
	if got, want := opened(t, a), enlarged(t, filepath.Join(dir, "a.png"), "--model", model); !slices.Equal(
		got.(*image.RGBA).Pix, want.(*image.RGBA).Pix) {
		t.Error("a picture is another one in a folder than alone")
	}

	// Again: nothing is made anew, until a picture or a setting changes. The folders below are not
	// needed for that.
	if err := errors.Join(os.RemoveAll(filepath.Join(dir, "below")), os.RemoveAll(filepath.Join(dir, "folder.png"))); err != nil {
		t.Fatal(err)
	}
	again := func(want string, args ...string) {
		t.Helper()
		if _, printed, errs := command(args...); printed != want {
			t.Errorf("printed %q, want %q; said %q", printed, want, errs)
		}
	}
	made, there := ": 16x16\n", ": exists already\n"
	again(b+there+a+there, args...)
	again(b+there+a+there, append(args, "--sampler", "ddpm", "--seed", "0")...) // the defaults
	again(b+": 24x20\n"+a+made, append(args, "--seed", "1")...)
	put("a.png", pngOf(scene(4, 3)))
	again(b+there+a+": 16x12\n", append(args, "--seed", "1")...)
	again(b+": 24x20\n"+a+": 16x12\n", append(args, "--seed", "1", "--compare")...)
	again(b+there+a+there, append(args, "--seed", "1", "--compare")...)
	again(b+": 24x20\n"+a+": 16x12\n", append(args, "--sampler", "ddim")...)
	again(b+": 24x20\n"+a+": 16x12\n", append(args, "--model", tinyOf(t, "other", srdiff.Config{Training: srdiff.TrainingConfig{Seed: 3}}))...)

	// Two that differ in their ending are told apart by it, and in capitals too, as not all systems
	// tell those apart.
	put("A.bmp", func(w io.Writer) error { return bmp.Encode(w, scene(1, 1)) })
	_, printed, _ = command(args...)
	if want := filepath.Join(out, "A.bmp-x4.png") + ": 4x4\n" + b + ": 24x20\n" + filepath.Join(out, "a.png-x4.png") + ": 16x12\n"; printed != want {
		t.Errorf("printed %q, want %q", printed, want)
	}

	// A folder of one picture is one, too.
	alone := write(t, "alone.png", pngOf(scene(1, 2)))
	result := filepath.Join(t.TempDir(), "new", "alone-x4.png")
	args = []string{"upscale", "--model", model, filepath.Dir(alone), "-o", filepath.Dir(result)}
	again(result+": 4x8\n", args...)
	again(result+there, args...)

	// Several files, beside which the results go.
	first, second := write(t, "one.png", pngOf(scene(2, 2))), write(t, "two.png", pngOf(scene(3, 2)))
	want := strings.Replace(first, ".png", "-x4.png: 8x8\n", 1) + strings.Replace(second, ".png", "-x4.png: 12x8\n", 1)
	again(want, "upscale", "--model", model, first, second)
}

// Contradictory arguments are refused before any output.
func TestUpscaleMistakesWithSeveral(t *testing.T) {
	model, dir, empty := tiny(t), t.TempDir(), t.TempDir()
	for _, name := range []string{"a.png", "A.bmp", "b.png", "b-x4.png"} {
		if err := os.Rename(write(t, name, pngOf(scene(2, 2))), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	in := func(name string) string { return filepath.Join(dir, name) }
	out := filepath.Join(t.TempDir(), "out")
	for _, test := range []struct {
		want string
		args []string
	}{
		{"is a folder: name one for the results", []string{dir}},
		{"among the pictures", []string{dir, "-o", dir}},
		{"holds no pictures", []string{empty, "-o", out}},
		{"want a folder for them", []string{in("a.png"), in("b.png"), "-o", out + ".png"}},
		{"want a folder for them", []string{in("a.png"), in("b.png"), "-o", in("A.bmp")}},
		{"a.png would be replaced", []string{in("a.png"), "-o", filepath.Join(dir, ".", "a.png")}},
		{"eta is 2", []string{in("a.png"), in("b.png"), "-o", out, "--sampler", "ddim", "--eta", "2"}},
		{"no such file", []string{in("a.png"), in("b.png"), "-o", out, "--model", "none.safetensors"}},
	} {
		status, printed, errs := command(append([]string{"upscale", "--model", model}, test.args...)...)
		if status != 1 || printed != "" || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, test.want) {
			t.Errorf("%q: status %d, printed %q and %q, want one line with %q", test.args, status, printed, errs, test.want)
		}
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("a folder for results was made")
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 4 {
		t.Errorf("the pictures' folder holds %v, %v", entries, err)
	}
}

// An interrupt keeps what is made, and the same command makes the rest.
func TestUpscaleInterrupt(t *testing.T) {
	model, dir := tiny(t), t.TempDir()
	for i := range 4 {
		if err := os.Rename(write(t, "p.png", pngOf(scene(10+i, 10))), filepath.Join(dir, fmt.Sprintf("%d.png", i))); err != nil {
			t.Fatal(err)
		}
	}
	out := filepath.Join(t.TempDir(), "out")
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	args := []string{"upscale", "--model", model, dir, "-o", out}
	var printed, errs bytes.Buffer
	status := run(ctx, args, nil, io.MultiWriter(&printed, stopping(stop)), &errs) // with the first result
	if status != interrupted || !strings.Contains(errs.String(), "the same command continues from there") {
		t.Fatalf("status %d, printed %q and %q", status, &printed, &errs)
	}
	if entries, err := os.ReadDir(out); err != nil || len(entries) != 1 || printed.String() != filepath.Join(out, "0-x4.png")+": 40x40\n" {
		t.Errorf("the folder holds %v, %v, printed was %q", entries, err, &printed)
	}
	status, rest, messageLines := command(args...)
	if status != 0 || strings.Count(rest, "exists already") != 1 || strings.Count(rest, "\n") != 4 {
		t.Errorf("status %d, printed %q and %q", status, rest, messageLines)
	}
}

// stopping is a writer that calls a function.
type stopping func()

func (s stopping) Write(p []byte) (int, error) {
	s()
	return len(p), nil
}

// madeBy returns the provenance of a picture.
func madeBy(t *testing.T, path string) (r provenance) {
	t.Helper()
	text, err := imaging.Text(path, "srdiff")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatalf("%s: %q: %v", path, text, err)
	}
	if r.Engine != "go" || r.Version == "" || !strings.HasPrefix(r.Go, "go1.") {
		t.Errorf("%s: %q", path, text)
	}
	return r
}

func TestUpscaleLike(t *testing.T) {
	model := tinyOf(t, "model", srdiff.Config{Training: srdiff.TrainingConfig{DropCondition: .1}})
	in := write(t, "in.png", pngOf(scene(5, 4)))
	old, again := filepath.Join(t.TempDir(), "old.png"), filepath.Join(t.TempDir(), "again.png")
	upscale := func(out string, args ...string) (status int, errs string) {
		status, _, errs = command(append([]string{"upscale", "--engine", "go", "--model", model, "-o", out}, args...)...)
		return status, errs
	}
	options := []string{"--seed", "7", "--sampler", "ddim", "--sampling-steps", "3", "--eta", "0.30", "--guidance", "1.5"}
	if status, errs := upscale(old, append(options, in, "--compare")...); status != 0 {
		t.Fatal(errs)
	}
	hash := func(path string) string {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%x", sha256.Sum256(data))
	}
	// All three timesteps are the default, so that they are not an option.
	want := map[string]string{"sampler": "ddim", "eta": "0.3", "guidance": "1.5"}
	for _, path := range []string{old, strings.Replace(old, ".png", "-compare.png", 1)} {
		if r := madeBy(t, path); r.Model != hash(model) || r.Input != hash(in) || r.Seed != 7 || !maps.Equal(r.Options, want) {
			t.Errorf("%+v", r)
		}
	}
	sampleOptions := func(args ...string) {
		t.Helper()
		status, errs := upscale(again, append(args, "--like", old)...)
		if status != 0 || strings.Contains(errs, "made") {
			t.Fatalf("status %d, %q", status, errs)
		}
		a, b := opened(t, old).(*image.RGBA), opened(t, again).(*image.RGBA)
		if !bytes.Equal(a.Pix, b.Pix) {
			t.Error("other pixels")
		}
		if r := madeBy(t, again); !maps.Equal(r.Options, want) || r.Seed != 7 {
			t.Errorf("repeated by %+v", r)
		}
	}
	sampleOptions(in)
	sampleOptions(append(options, in)...) // all given again
	if status, errs := upscale(again, in); status != 0 || bytes.Equal(opened(t, old).(*image.RGBA).Pix, opened(t, again).(*image.RGBA).Pix) {
		t.Errorf("without --like: %d, %q, or the same pixels", status, errs)
	}

	// What warns, and goes on.
	other := write(t, "other.png", pngOf(scene(4, 5)))
	if status, errs := upscale(again, "--like", old, other); status != 0 || !strings.Contains(errs, "made from another picture than "+other) {
		t.Errorf("another picture: status %d, %q", status, errs)
	}
	written := func(change func(*provenance)) string {
		r := madeBy(t, old)
		change(&r)
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "changed.png")
		if err := imaging.WritePNG(path, scene(1, 1), imaging.TextChunk("srdiff", string(text))); err != nil {
			t.Fatal(err)
		}
		return path
	}
	elsewhere := written(func(r *provenance) { r.Engine = "xla:cuda" })
	if status, errs := upscale(again, "--like", elsewhere, in); status != 0 ||
		!strings.Contains(errs, `on the engine "xla:cuda"`) || !strings.Contains(errs, "the results may differ") {
		t.Errorf("another engine: status %d, %q", status, errs)
	}

	// What is refused.
	if err := os.Remove(again); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		want string
		args []string
	}{
		{"--seed 8 is not what", []string{in, "--like", old, "--seed", "8"}},
		{"--guidance 2 is not what", []string{in, "--like", old, "--guidance", "2"}},
		{"--clip dynamic is not what", []string{in, "--like", old, "--clip", "dynamic"}},
		{"made by another model", []string{in, "--like", old, "--model", tinyOf(t, "model", srdiff.Config{Training: srdiff.TrainingConfig{Seed: 1}})}},
		{"has no record of how it was made", []string{in, "--like", in}},
		{"has no record of how it was made", []string{in, "--like", model}},
		{"has no record of how it was made", []string{in, "--like", written(func(r *provenance) { r.Model = "" })}},
		{`the option "frob" "1", which this srdiff does not know`, []string{in, "--like", written(func(r *provenance) { r.Options["frob"] = "1" })}},
		{"no such file", []string{in, "--like", "none.png"}},
		{"predicts eps, not v", []string{in, "--like", old, "--prediction", "v"}},
	} {
		status, errs := upscale(again, test.args...)
		if status != 1 || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, test.want) {
			t.Errorf("%q: status %d, %q, want one line with %q", test.args, status, errs, test.want)
		}
	}
	if _, err := os.Stat(again); err == nil {
		t.Error("there is a result of what was refused")
	}
}

// Pictures of training and evaluation carry their provenance, too.
func TestSheetsSayWhatMadeThem(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "my run")
	args := append(tinyRun, "--out", dir, "--train-steps", "2", "--seed", "4", "--sampler", "ddim", "--engine", "go")
	if status, _, errs := command(args...); status != 0 {
		t.Fatal(errs)
	}
	r := madeBy(t, filepath.Join(dir, "samples-000002.png"))
	if r.Run != "my run" || r.Step != 2 || r.Seed != 4 || !maps.Equal(r.Options, map[string]string{"sampler": "ddim"}) {
		t.Errorf("of training: %+v", r)
	}
	model, sheet := filepath.Join(dir, srdiff.ModelFile), filepath.Join(t.TempDir(), "sheet.png")
	status, _, errs := command("eval", "--model", model, "--model", tiny(t), "--data", "generated", "--count", "1",
		"--sheet", sheet, "--engine", "go", "--clip", "none")
	if status != 0 {
		t.Fatal(errs)
	}
	r = madeBy(t, sheet)
	if len(r.Models) != 2 || r.Models[0] == r.Models[1] || !maps.Equal(r.Options, map[string]string{"clip": "none"}) {
		t.Errorf("of measuring: %+v", r)
	}
	if status, _, errs := command("upscale", "--model", model, write(t, "in.png", pngOf(scene(1, 1))), "--like", sheet); status != 1 ||
		!strings.Contains(errs, "has no record of how it was made") {
		t.Errorf("like a sheet: status %d, %q", status, errs)
	}
}

// The sheet has four enlargements of the picture, of which one is the result; of a large picture
// their middle.
func TestUpscaleCompare(t *testing.T) {
	model := tiny(t)
	flat := func(width, height int) *image.NRGBA { // red, with a blue middle
		img := image.NewNRGBA(image.Rect(0, 0, width, height))
		draw.Draw(img, img.Rect, image.NewUniform(color.NRGBA{255, 0, 0, 255}), image.Point{}, draw.Src)
		draw.Draw(img, image.Rect(width/2-1, 0, width/2+1, height), image.NewUniform(color.NRGBA{0, 0, 255, 255}), image.Point{}, draw.Src)
		return img
	}
	for _, test := range []struct {
		in   *image.NRGBA
		cell image.Point
	}{
		{flat(40, 32), image.Pt(160, 128)},
		{flat(1000, 2), image.Pt(1024, 8)},
	} {
		in, out := write(t, "in.png", pngOf(test.in)), filepath.Join(t.TempDir(), "out.PNG")
		if status, _, errs := command("upscale", "--model", model, in, "-o", out, "--compare"); status != 0 {
			t.Fatal(errs)
		}
		sheet, result := opened(t, strings.TrimSuffix(out, ".PNG")+"-compare.png"), opened(t, out)
		blank := image.NewNRGBA(image.Rectangle{Max: test.cell})
		captions := []string{"nearest", "bilinear", "bicubic", "result"}
		if want := imaging.Grid(2, captions, blank, blank, blank, blank).Bounds(); sheet.Bounds() != want {
			t.Fatalf("the sheet is %v, want %v", sheet.Bounds(), want)
		}
		const gap = 8
		left, right := gap+test.cell.X/2, gap+test.cell.X+gap
		row := gap + test.cell.Y/2
		at := func(x, y int) color.Color { return color.NRGBAModel.Convert(sheet.At(x, y)) }
		blue, red := color.NRGBA{0, 0, 255, 255}, color.NRGBA{255, 0, 0, 255}
		for cell, x := range []int{left, right + test.cell.X/2} { // nearest and bilinear
			if at(x, row) != blue || at(x-20, row) != red {
				t.Errorf("cell %d: middle %v, beside it %v, want blue and red", cell, at(x, row), at(x-20, row))
			}
		}
		if at(left-4, row) != blue || at(left-5, row) != red { // nearest has the edge where the pixel ends
			t.Errorf("the edge is not sharp: %v and %v", at(left-4, row), at(left-5, row))
		}
		second := sheet.Bounds().Max.Y/2 + row - gap/2
		middle := result.Bounds().Max.Div(2)
		found := false
		for y := second - 40; y < second+40; y++ { // the result, below, wherever exactly the captions end
			same := true
			for x := -test.cell.X / 2; x < test.cell.X/2; x++ {
				same = same && at(right+test.cell.X/2+x, y) == color.NRGBAModel.Convert(result.At(middle.X+x, middle.Y))
			}
			found = found || same
		}
		if !found {
			t.Error("the result is not on the sheet")
		}
	}
}

// A disk that is full when the result is written leaves nothing, and an earlier result as it was.
func TestUpscaleFullDisk(t *testing.T) {
	if !canLimitFiles {
		t.Skip("this system has no limit for files")
	}
	model, in := tiny(t), write(t, "in.png", pngOf(scene(30, 30)))
	dir := t.TempDir()
	out := filepath.Join(dir, "out.png")
	for _, before := range []string{"", "an earlier result"} {
		if before != "" {
			if err := os.WriteFile(out, []byte(before), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		cmd := exec.Command(os.Args[0], "upscale", "--model", model, in, "-o", out, "--overwrite")
		cmd.Env = append(os.Environ(), asCommand+"=1")
		printed, err := cmd.CombinedOutput()
		lines := strings.Split(strings.TrimSpace(string(printed)), "\n")
		if last := lines[len(lines)-1]; err == nil || last != "srdiff: write "+out+": file too large" {
			t.Errorf("got %v, %q", err, printed)
		}
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		if before == "" && len(entries) > 0 || before != "" && len(entries) != 1 {
			t.Errorf("left behind: %v", entries)
		}
		if data, err := os.ReadFile(out); before != "" && (err != nil || string(data) != before) {
			t.Errorf("the earlier result is now %.50q, %v", data, err)
		}
	}
}
