// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package imaging

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
)

// webpCases are pictures of all kinds of sizes and opacity: smooth, noisy, and with hard edges.
func webpCases(yield func(name string, img *image.NRGBA)) {
	rng := rand.New(rand.NewPCG(1, 2))
	fills := map[string]func(x, y int) color.NRGBA{
		"smooth": func(x, y int) color.NRGBA {
			wave := func(f float64) uint8 { return uint8(128 + 100*math.Sin(f*float64(x)/20+float64(y)/31)) }
			return color.NRGBA{wave(1), wave(0.7), wave(1.3), 255}
		},
		"noise": func(x, y int) color.NRGBA {
			v := rng.Uint32()
			return color.NRGBA{uint8(v), uint8(v >> 8), uint8(v >> 16), 255}
		},
		"edges": func(x, y int) color.NRGBA {
			return color.NRGBA{uint8(255 * (x / 7 % 2)), uint8(255 * (y / 5 % 2)), 40, 255}
		},
	}
	opacities := map[string]func(x, y int) uint8{
		"opaque": func(int, int) uint8 { return 255 },
		"fading": func(x, y int) uint8 { return uint8(3*x + y) },
		"noise":  func(int, int) uint8 { return uint8(rng.Uint32()) },
		"holes":  func(x, y int) uint8 { return uint8(255 * ((x/9 + y/9) % 2)) },
		"none":   func(int, int) uint8 { return 0 },
	}
	for _, size := range []image.Point{{1, 1}, {2, 1}, {1, 40}, {16, 16}, {17, 33}, {130, 75}} {
		for fill, colours := range fills {
			for name, opacity := range opacities {
				img := image.NewNRGBA(image.Rectangle{Max: size})
				for y := range size.Y {
					for x := range size.X {
						c := colours(x, y)
						c.A = opacity(x, y)
						img.SetNRGBA(x, y, c)
					}
				}
				yield(fmt.Sprintf("%v %s, opacity %s", size, fill, name), img)
			}
		}
	}
}

// webpOf encodes a picture as a WebP.
func webpOf(t *testing.T, img *image.NRGBA, quality int) []byte {
	t.Helper()
	size := img.Bounds().Size()
	var b bytes.Buffer
	o := Output{Format: WebP, Width: size.X, Height: size.Y, Like: img, Quality: quality, Chunks: []Chunk{TextChunk("srdiff", "text")}}
	if err := o.Encode(&b, cut(Visible(img), 7, 40)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// checkWebP compares a decoded WebP with its picture: the opacity is equal, and the colours of
// visible pixels are near.
func checkWebP(t *testing.T, name string, got image.Image, want *image.NRGBA) {
	t.Helper()
	if got.Bounds().Size() != want.Bounds().Size() {
		t.Fatalf("%s: %v", name, got.Bounds())
	}
	off, n := 0., 0
	for y := range want.Bounds().Dy() {
		for x := range want.Bounds().Dx() {
			a, b := color.NRGBAModel.Convert(got.At(x, y)).(color.NRGBA), want.NRGBAAt(x, y)
			if a.A != b.A {
				t.Fatalf("%s: the opacity of %d,%d is %d, want %d", name, x, y, a.A, b.A)
			}
			if b.A == 255 {
				for _, d := range []float64{float64(a.R) - float64(b.R), float64(a.G) - float64(b.G), float64(a.B) - float64(b.B)} {
					off, n = off+d*d, n+1
				}
			}
		}
	}
	if strings.Contains(name, "smooth") && n > 0 && math.Sqrt(off/float64(n)) > 8 {
		t.Errorf("%s: off by %.1f", name, math.Sqrt(off/float64(n)))
	}
}

// A WebP is what was encoded, as golang.org/x/image/webp reads it, which Decode uses.
func TestWebP(t *testing.T) {
	for _, quality := range []int{1, 75, 100} {
		webpCases(func(name string, img *image.NRGBA) {
			got, err := Decode(bytes.NewReader(webpOf(t, img, quality)))
			if err != nil {
				t.Fatalf("%s, quality %d: %v", name, quality, err)
			}
			if quality < 75 {
				name = "coarse"
			}
			checkWebP(t, name, got, img)
		})
	}
	img := image.NewNRGBA(image.Rect(0, 0, 200, 200))
	for i := range img.Pix {
		img.Pix[i] = uint8(i*i/7 | 0xff*(i%4/3))
	}
	if low, high := len(webpOf(t, img, 20)), len(webpOf(t, img, 95)); low >= high {
		t.Errorf("%d bytes of quality 20, and %d of quality 95", low, high)
	}
}

// A WebP is what was encoded, as libwebp reads it, which Pillow and so many programs use.
func TestWebPByLibwebp(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil || exec.Command(python, "-c", "import PIL.features as f; assert f.check('webp')").Run() != nil {
		t.Skip("there is no Python with Pillow")
	}
	folder := t.TempDir()
	wants := map[string]*image.NRGBA{}
	webpCases(func(name string, img *image.NRGBA) {
		file := fmt.Sprint(len(wants))
		wants[file+" "+name] = img
		if err := os.WriteFile(filepath.Join(folder, file+".webp"), webpOf(t, img, 90), 0o666); err != nil {
			t.Fatal(err)
		}
	})
	program := "import sys, glob\nfrom PIL import Image\n" +
		"for p in glob.glob(sys.argv[1] + '/*.webp'): Image.open(p).convert('RGBA').save(p[:-4] + 'png')"
	if out, err := exec.Command(python, "-c", program, folder).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for name, want := range wants {
		file, _, _ := strings.Cut(name, " ")
		got, err := Open(filepath.Join(folder, file+".png"))
		if err != nil {
			t.Fatal(err)
		}
		checkWebP(t, name, got, want)
	}
}

// A WebP states the density in its EXIF data, which keeps all that it had.
func TestWebPDensity(t *testing.T) {
	exif := []byte("MM\x00*\x00\x00\x00\x08\x00\x01\x01\x10\x00\x02\x00\x00\x00\x05\x00\x00\x00\x1a\x00\x00\x00\x00Cam1\x00")
	for name, before := range map[string][]byte{"no EXIF": nil, "EXIF without a density": exif} {
		for _, d := range []density{{11811, 5906, true}, {3, 2, false}} {
			got := withDensity(before, d)
			if d.metre {
				if is := exifDensity(got); math.Abs(float64(is.x)-11811) > 1 || math.Abs(float64(is.y)-5906) > 1 {
					t.Errorf("%s: the density is %v", name, is)
				}
			}
			if before != nil && string(firstDirectory(got).fields[0x0110].value) != "Cam1\x00" {
				t.Errorf("%s: the camera is lost: %q", name, got)
			}
		}
		if got := withDensity(before, density{}); !bytes.Equal(got, before) {
			t.Errorf("%s: no density gave %q", name, got)
		}
	}
	other := withDensity(nil, density{1000, 1000, true})
	if got := withDensity(other, density{11811, 5906, true}); !bytes.Equal(got, other) {
		t.Errorf("a density of EXIF's own is replaced: %q", got)
	}
}

// Pictures that are too large for a format are an error of one line.
func TestFormatSize(t *testing.T) {
	for _, test := range []struct {
		format Format
		size   image.Point
		fits   bool
	}{
		{WebP, image.Pt(16383, 16383), true}, {WebP, image.Pt(16384, 1), false}, {WebP, image.Pt(1, 16384), false},
		{JPEG, image.Pt(65535, 1), true}, {JPEG, image.Pt(1, 65536), false}, {PNG, image.Pt(1<<20, 1<<20), true}, {TIFF, image.Pt(1<<20, 1), true},
	} {
		err := test.format.CheckSize(test.size)
		if (err == nil) != test.fits {
			t.Errorf("%s of %v: %v", test.format, test.size, err)
		}
		if err != nil {
			oneLine(t, err, "pixels a side")
		}
	}
}

// Encoding an enlarged photograph as a WebP takes no more memory than Output.Memory, measured as
// the peak of a process.
func TestWebPMemory(t *testing.T) {
	const side, child = 1200, "SRDIFF_WEBP_MEMORY"
	if runtime.GOOS != "linux" || testing.Short() {
		t.Skip("the peak of a process is known on Linux only, and encoding takes some seconds")
	}
	if os.Getenv(child) == "" {
		run := exec.Command(os.Args[0], "-test.run=^TestWebPMemory$", "-test.v")
		run.Env = append(os.Environ(), child+"=1")
		if out, err := run.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("bytes a pixel")) {
			t.Fatalf("%v: %s", err, out)
		}
		return
	}
	photograph, err := Open("../../notebooks/photos/test/album-anne-helene.jpg")
	if err != nil {
		t.Fatal(err)
	}
	rows := Bilinear(FromImage(photograph), side, side)
	o := Output{Format: WebP, Width: side, Height: side, Like: photograph, Quality: 100}
	runtime.GC()
	before := peak(t)
	debug.SetMemoryLimit(before + o.Memory()) // as the command does
	if err := o.Encode(io.Discard, cut(rows, 100)); err != nil {
		t.Fatal(err)
	}
	took := float64(peak(t)-before) / side / side
	t.Logf("%.1f bytes a pixel", took)
	if took > webpMemory {
		t.Errorf("encoding took %.1f bytes a pixel: want at most %d", took, webpMemory)
	}
}

// peak returns the peak of the process's resident memory in bytes.
func peak(t *testing.T) (bytes int64) {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, line, _ := strings.Cut(string(status), "VmHWM:")
	if _, err := fmt.Sscanf(line, "%d kB", &bytes); err != nil {
		t.Fatal(err)
	}
	return bytes * 1024
}
