// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

//go:build cross

package main

import (
	"image"
	"image/draw"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/srdiff/srlab/srdiff/imaging"
)

// foreignSystems are the systems whose program this one can run, with the first emulator that is
// installed.
var foreignSystems = []struct {
	goos, goarch string
	emulators    []string
}{
	{"windows", "amd64", []string{"wine", "wine64"}},
	{"linux", "arm64", []string{"qemu-aarch64-static", "qemu-aarch64"}},
}

// The programs for other systems, built without cgo, enlarge a picture as this system's does. The
// result is larger than a tile. Processors may round differently, by at most one level.
func TestForeignSystems(t *testing.T) {
	dir := t.TempDir()
	in := filepath.Join(dir, "in.png")
	if err := imaging.WritePNG(in, photograph(t)); err != nil {
		t.Fatal(err)
	}
	modelFile, err := filepath.Abs("../../../notebooks/models/predictor-x4.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	upscale := func(t *testing.T, name string, program ...string) *image.NRGBA {
		t.Helper()
		out := filepath.Join(dir, name+".png")
		runProgram(t, append(program, "upscale", "--engine", "go", "--model", modelFile, "-o", out, in)...)
		return pixelsOf(t, out)
	}
	want := upscale(t, "native", buildFor(t, dir, runtime.GOOS, runtime.GOARCH))
	for _, system := range foreignSystems {
		name := system.goos + "-" + system.goarch
		t.Run(name, func(t *testing.T) {
			program := []string{firstInstalled(t, system.emulators), buildFor(t, dir, system.goos, system.goarch)}
			if doctor := runProgram(t, append(program, "doctor")...); !strings.Contains(doctor, system.goos+"/"+system.goarch) {
				t.Errorf("doctor does not name the system:\n%s", doctor)
			} else if folder := rowOf(doctor, "downloads"); system.goos == "windows" && strings.Contains(folder, "/") {
				t.Errorf("the folder of downloads is %s: want backslashes alone", folder)
			}
			got := upscale(t, name, program...)
			if got.Rect != want.Rect {
				t.Fatalf("the result is %v, this system's %v", got.Rect, want.Rect)
			}
			different := 0
			for i, v := range got.Pix {
				d := int(v) - int(want.Pix[i])
				if d < -1 || d > 1 {
					t.Fatalf("byte %d is %d, this system's %d", i, v, want.Pix[i])
				}
				if d != 0 {
					different++
				}
			}
			t.Logf("%d of %d bytes differ, each by one level", different, len(got.Pix))
		})
	}
}

// photograph returns a small part of a photograph.
func photograph(t *testing.T) image.Image {
	t.Helper()
	img, err := imaging.Open("../../../notebooks/photos/test/avatar-owl.jpg")
	if err != nil {
		t.Fatal(err)
	}
	part := image.NewNRGBA(image.Rect(0, 0, 40, 36))
	draw.Draw(part, part.Rect, img, image.Pt(100, 80), draw.Src)
	return part
}

// buildFor builds the command for a system without cgo, as make cross does.
func buildFor(t *testing.T, dir, goos, goarch string) string {
	t.Helper()
	path := filepath.Join(dir, "srdiff-"+goos+"-"+goarch+".exe")
	build := exec.Command("go", "build", "-o", path, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+goos, "GOARCH="+goarch)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

func firstInstalled(t *testing.T, programs []string) string {
	t.Helper()
	for _, program := range programs {
		if path, err := exec.LookPath(program); err == nil {
			return path
		}
	}
	t.Skipf("none of %s is installed", strings.Join(programs, ", "))
	return ""
}

// runProgram runs a program and returns its standard output. It skips the test where Wine is older
// than the Go programs that it is given.
func runProgram(t *testing.T, words ...string) string {
	t.Helper()
	// Files, since Wine's server inherits pipes and keeps them open.
	dir := t.TempDir()
	out, errs := created(t, filepath.Join(dir, "out")), created(t, filepath.Join(dir, "err"))
	run := exec.Command(words[0], words[1:]...)
	run.Env = append(os.Environ(), "WINEDEBUG=-all")
	run.Stdout, run.Stderr = out, errs
	err := run.Run()
	if strings.Contains(content(t, errs), "bcryptprimitives.dll not found") {
		t.Skip("this Wine lacks bcryptprimitives.dll, which Go programs need: install Wine 9 or later")
	}
	if err != nil {
		t.Fatalf("%v: %v\n%s", words, err, content(t, errs))
	}
	return content(t, out)
}

func created(t *testing.T, path string) *os.File {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return file
}

func content(t *testing.T, file *os.File) string {
	t.Helper()
	data, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// rowOf returns the text behind a word that begins a line.
func rowOf(text, word string) string {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, word); ok {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}

// pixelsOf returns a picture file's pixels with 8 bits a channel.
func pixelsOf(t *testing.T, path string) *image.NRGBA {
	t.Helper()
	img := opened(t, path)
	pixels := image.NewNRGBA(img.Bounds())
	draw.Draw(pixels, pixels.Rect, img, pixels.Rect.Min, draw.Src)
	return pixels
}
