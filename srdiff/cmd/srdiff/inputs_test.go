// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/srdiff/srlab/srdiff"
)

// piped runs the command line with standard input.
func piped(stdin []byte, args ...string) (status int, stdout, stderr string) {
	var out, errs bytes.Buffer
	status = run(context.Background(), args, bytes.NewReader(stdin), &out, &errs)
	return status, out.String(), errs.String()
}

// The hyphen is standard input, and standard output, which gets the bytes that a file gets.
func TestUpscalePipes(t *testing.T) {
	model, dir := tiny(t), t.TempDir()
	t.Chdir(dir)
	picture := put(t, "cat.png", 4)
	args := func(more ...string) []string { return append([]string{"upscale", "--model", model}, more...) }
	if status, _, errs := command(args("cat.png")...); status != 0 {
		t.Fatal(errs)
	}
	want, err := os.ReadFile("cat-x4.png")
	if err != nil {
		t.Fatal(err)
	}
	for _, more := range [][]string{{"-"}, {"-", "-o", "-"}, {"cat.png", "-o", "-"}} {
		status, out, errs := piped(picture, args(more...)...)
		if status != 0 || out != string(want) || !strings.HasSuffix(errs, "\n-: 16x16\n") {
			t.Errorf("%q: status %d, %d bytes, %q", more, status, len(out), errs)
		}
	}
	for _, test := range []struct {
		path string
		more []string
	}{
		{"from.png", []string{"-", "-o", "from.png"}},
		{"new/stdin-x4.png", []string{"-", "-o", "new/"}},
		{"both/stdin-x4.png", []string{"-", "cat.png", "-o", "both"}},
	} {
		status, _, errs := piped(picture, args(test.more...)...)
		if now, err := os.ReadFile(test.path); status != 0 || err != nil || !bytes.Equal(now, want) {
			t.Errorf("%q: status %d, %q, %v", test.more, status, errs, err)
		}
	}
	for _, test := range []struct {
		want string
		more []string
	}{
		{"standard output takes one picture", []string{"cat.png", "-", "-o", "-"}},
		{"--compare writes two pictures", []string{"-", "--compare"}},
		{"standard input can be read once", []string{"-", "-", "-o", "out"}},
		{"needs a folder among several", []string{"-", "cat.png"}},
		{"standard input: not a picture", []string{"-", "-o", "text.png"}},
	} {
		status, out, errs := piped([]byte("a text"), args(test.more...)...)
		if status != 1 || out != "" || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, test.want) {
			t.Errorf("%q: status %d, printed %q and %q, want one line with %q", test.more, status, out, errs, test.want)
		}
	}
	// A file called - is ./-.
	put(t, "-", 4)
	if status, out, errs := command(args("./-", "-o", "hyphen.png")...); status != 0 || out != "hyphen.png: 16x16\n" {
		t.Errorf("status %d, printed %q, %q", status, out, errs)
	}
}

// A terminal is refused as input and as output.
func TestUpscaleTerminal(t *testing.T) {
	o := upscaleOptions{model: tiny(t), out: pipe}
	in, err := findInputs([]string{smallPicture(t)}, o.out)
	if err != nil {
		t.Fatal(err)
	}
	if err := o.planResults(in, true); err == nil || !strings.Contains(err.Error(), "not written to a terminal") {
		t.Errorf("to a terminal: %v", err)
	}
	if err := o.planResults(in, false); err != nil {
		t.Errorf("to a pipe: %v", err)
	}
}

func smallPicture(t *testing.T) string { return write(t, "in.png", pngOf(scene(4, 4))) }

// A folder for one result is one that is there, or whose name ends as a folder's.
func TestUpscaleIntoFolder(t *testing.T) {
	model, dir := tiny(t), t.TempDir()
	t.Chdir(dir)
	put(t, "cat.png", 4)
	if err := os.MkdirAll("there.png", 0o755); err != nil {
		t.Fatal(err)
	}
	for out, want := range map[string]string{
		".": "./cat-x4.png", "there.png": "there.png/cat-x4.png", "new/": "new/cat-x4.png", "new/below/": "new/below/cat-x4.png",
		dir + "/abs/": dir + "/abs/cat-x4.png",
	} {
		status, printed, errs := command("upscale", "--model", model, "cat.png", "-o", out)
		if _, err := os.Stat(want); status != 0 || printed != want+": 16x16\n" || err != nil {
			t.Errorf("-o %s: status %d, printed %q, %q, %v", out, status, printed, errs, err)
		}
	}
	if status, _, errs := command("upscale", "--model", model, "cat.png", "-o", "newer"); status != 1 || !strings.Contains(errs, "a folder's name that ends in") {
		t.Errorf("status %d, %q", status, errs)
	}
}

// Results of a folder keep its tree; hidden and system files are skipped.
func TestUpscaleTree(t *testing.T) {
	model, dir := tiny(t), t.TempDir()
	t.Chdir(dir)
	for _, name := range []string{"a.png", "sub/a.png", "sub/deep/b.png", ".hidden/c.png", ".c.png", "__MACOSX/c.png", "@eaDir/c.png"} {
		put(t, filepath.Join("in", name), 4)
	}
	for _, name := range []string{"Thumbs.db", "notes.txt", "sub/.DS_Store"} {
		if err := os.WriteFile(filepath.Join("in", name), []byte("text"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("..", "in/sub/loop"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../../in/a.png", "in/sub/link.png"); err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{"out", "in/results"} {
		if status, _, errs := command("upscale", "--model", model, "in", "-o", out); status != 0 {
			t.Fatal(errs)
		}
		want := []string{"a-x4.png", "sub/a-x4.png", "sub/deep/b-x4.png", "sub/link-x4.png"}
		if got := filesIn(t, out); !slices.Equal(got, want) {
			t.Errorf("%s holds %q, want %q", out, got, want)
		}
	}
}

func TestVersion(t *testing.T) {
	if status, out, errs := command("--version"); status != 0 || out != "srdiff "+srdiff.Version()+"\n" || errs != "" {
		t.Errorf("status %d, printed %q and %q", status, out, errs)
	}
}

// What comes out of the pipe is a whole PNG.
func TestUpscalePipeIsPNG(t *testing.T) {
	cmd := program("upscale", "--model", tiny(t), "-", "--engine", "go")
	cmd.Stdin = bytes.NewReader(put(t, filepath.Join(t.TempDir(), "in.png"), 5))
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if img, err := png.Decode(bytes.NewReader(out)); err != nil || img.Bounds().Dx() != 20 {
		t.Errorf("%d bytes: %v", len(out), err)
	}
}
