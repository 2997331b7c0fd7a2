// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/srdiff/srlab/srdiff/imaging"
)

// put writes a picture of 4x4 pixels or more to a path.
func put(t *testing.T, path string, side int) []byte {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := pngOf(scene(side, side))(&b); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// filesIn lists the files below a folder, by their paths in it.
func filesIn(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			rel, _ := filepath.Rel(dir, path)
			names = append(names, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// A result never takes the place of an input, however the two are spelled, even where files may be
// overwritten.
func TestInputIsNeverReplaced(t *testing.T) {
	model := tiny(t)
	for name, test := range map[string]func(in func(string) string) []string{
		"itself":             func(in func(string) string) []string { return []string{"cat.png", "-o", "cat.png"} },
		"absolute":           func(in func(string) string) []string { return []string{"cat.png", "-o", in("cat.png")} },
		"relative":           func(in func(string) string) []string { return []string{in("cat.png"), "-o", "./sub/../cat.png"} },
		"linked folder":      func(in func(string) string) []string { return []string{"cat.png", "-o", "link/cat.png"} },
		"hard link":          func(in func(string) string) []string { return []string{"cat.png", "-o", "hard.png"} },
		"symbolic link":      func(in func(string) string) []string { return []string{"cat.png", "-o", "soft.png"} },
		"input by its link":  func(in func(string) string) []string { return []string{"soft.png", "-o", "cat.png"} },
		"folder":             func(in func(string) string) []string { return []string{"a.png", in("a-x4.png"), "-o", in("")} },
		"of another":         func(in func(string) string) []string { return []string{"a.png", in("a-x4.png")} },
		"of another, linked": func(in func(string) string) []string { return []string{"link/a.png", "a-x4.png"} },
		"sheet":              func(in func(string) string) []string { return []string{"a.png", "-o", "b.png", "--compare"} },
		"model": func(in func(string) string) []string {
			return []string{"a.png", "-o", "model.png", "--model", in("model.png")}
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			t.Chdir(dir)
			put(t, "cat.png", 4)
			put(t, "a.png", 4)
			put(t, "a-x4.png", 5)
			weights, err := os.ReadFile(model)
			if err := errors.Join(err, os.WriteFile("model.png", weights, 0o644), os.Mkdir("sub", 0o755), os.Symlink(".", "link"),
				os.Link("cat.png", "hard.png"), os.Symlink("cat.png", "soft.png"), os.Link("a.png", "b-compare.png")); err != nil {
				t.Fatal(err)
			}
			before := map[string][]byte{}
			for _, name := range filesIn(t, dir) {
				if data, err := os.ReadFile(name); err == nil {
					before[name] = data
				}
			}
			args := append([]string{"upscale", "--model", model, "--overwrite"}, test(func(name string) string { return filepath.Join(dir, name) })...)
			status, _, errs := command(args...)
			if status != 1 || !strings.Contains(errs, "would be replaced by the result of") {
				t.Errorf("status %d, %q", status, errs)
			}
			for name, data := range before {
				if now, err := os.ReadFile(name); err != nil || !bytes.Equal(now, data) {
					t.Errorf("%s has changed: %v", name, err)
				}
			}
		})
	}
}

// A file that srdiff did not make is replaced only where the command says so.
func TestForeignResult(t *testing.T) {
	model, dir := tiny(t), t.TempDir()
	t.Chdir(dir)
	put(t, "a.png", 4)
	for _, test := range []struct {
		args []string
		path string
	}{
		{[]string{"a.png"}, "a-x4.png"},
		{[]string{"a.png", "-o", "b.png"}, "b.png"},
		{[]string{"a.png", "-o", "out"}, "out/a-x4.png"},
		{[]string{"a.png", "-o", "c.png", "--compare"}, "c-compare.png"},
	} {
		if err := os.MkdirAll("out", 0o755); err != nil {
			t.Fatal(err)
		}
		data := put(t, test.path, 7)
		args := append([]string{"upscale", "--model", model}, test.args...)
		status, printed, errs := command(append(args, "--engine", "none")...) // refused before the engine is opened
		now, err := os.ReadFile(test.path)
		if status != 1 || printed != "" || !strings.Contains(errs, test.path+" exists and srdiff did not make it") ||
			strings.Count(errs, "\n") != 1 || err != nil || !bytes.Equal(now, data) {
			t.Errorf("%q: status %d, %q, %v", test.args, status, errs, err)
		}
		if status, _, errs := command(append(args, "--overwrite")...); status != 0 {
			t.Errorf("%q: %s", test.args, errs)
		}
		if status, _, errs := command(args...); status != 0 { // now it is srdiff's
			t.Errorf("%q again: %s", test.args, errs)
		}
	}
	sheet := "sheet.png"
	data := put(t, sheet, 3)
	args := []string{"eval", "--model", model, "--data", "generated", "--count", "1", "--sheet", sheet}
	if status, printed, errs := command(append(args, "--engine", "none")...); status != 1 || printed != "" ||
		!strings.Contains(errs, "srdiff did not make it") {
		t.Errorf("eval: status %d, %q", status, errs)
	}
	if now, err := os.ReadFile(sheet); err != nil || !bytes.Equal(now, data) {
		t.Error("eval replaced a sheet")
	}
	if status, _, errs := command(append(args, "--overwrite")...); status != 0 {
		t.Error(errs)
	}
	// A picture of the data is an input.
	put(t, "pictures/large.png", 40)
	args = []string{"eval", "--model", model, "--data", "images:pictures", "--count", "1", "--overwrite", "--sheet", "pictures/large.png"}
	if status, _, errs := command(args...); status != 1 || !strings.Contains(errs, "among the pictures of pictures") {
		t.Errorf("eval over its data: status %d, %q", status, errs)
	}
}

// A truncated or damaged result is made again; a complete one is kept.
func TestDamagedResultIsMadeAgain(t *testing.T) {
	model, dir := tiny(t), t.TempDir()
	in, out := filepath.Join(dir, "in"), filepath.Join(dir, "out")
	put(t, filepath.Join(in, "a.png"), 8)
	args := []string{"upscale", "--model", model, in, "-o", out}
	if status, _, errs := command(args...); status != 0 {
		t.Fatal(errs)
	}
	path := filepath.Join(out, "a-x4.png")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	damaged := slices.Clone(whole)
	damaged[len(damaged)-40] ^= 0xff
	cases := map[string][]byte{"damaged": damaged}
	for _, n := range []int{0, 1, 8, 20, 33, 40, 48, 60, len(whole) / 2, len(whole) - 20, len(whole) - 12, len(whole) - 1} {
		cases[fmt.Sprint(n, " bytes")] = whole[:n]
	}
	for name, data := range cases {
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		if status, printed, errs := command(args...); status != 0 || printed != path+": 32x32\n" {
			t.Errorf("%s: status %d, printed %q, %q", name, status, printed, errs)
		}
		if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, whole) {
			t.Errorf("%s: another result, %v", name, err)
		}
	}
	if _, printed, _ := command(args...); printed != path+": exists already\n" {
		t.Errorf("a complete result: printed %q", printed)
	}
}

// Results of an earlier run are known by what they carry and not by their names.
func TestResultsAreNoInputs(t *testing.T) {
	model, dir := tiny(t), t.TempDir()
	t.Chdir(dir)
	put(t, "a.png", 4)
	put(t, "b-x4.png", 4) // a picture with the name of a result
	glob := func() []string {
		names, err := filepath.Glob("*.png")
		if err != nil {
			t.Fatal(err)
		}
		return append([]string{"upscale", "--model", model, "--compare"}, names...)
	}
	if status, _, errs := command(glob()...); status != 0 {
		t.Fatal(errs)
	}
	if err := os.Rename("a-x4.png", "moved.png"); err != nil { // its name no longer marks a result
		t.Fatal(err)
	}
	for range 2 {
		if status, _, errs := command(glob()...); status != 0 || !strings.Contains(errs, "earlier results of srdiff skipped") {
			t.Fatalf("status %d, %q", status, errs)
		}
	}
	want := []string{"a-x4-compare.png", "a-x4.png", "a.png", "b-x4-x4-compare.png", "b-x4-x4.png", "b-x4.png", "moved.png"}
	if got := filesIn(t, dir); !slices.Equal(got, want) {
		t.Errorf("there are %q, want %q", got, want)
	}
	// Alone, a result may be enlarged again.
	if status, printed, errs := command("upscale", "--model", model, "moved.png"); status != 0 || printed != "moved-x4.png: 64x64\n" {
		t.Errorf("status %d, printed %q, %q", status, printed, errs)
	}
	if status, _, errs := command("upscale", "--model", model, "a-x4.png", "moved.png"); status != 1 || !strings.Contains(errs, "name one alone") {
		t.Errorf("two results: status %d, %q", status, errs)
	}
	// Nor does a folder of results within the folder of the pictures grow.
	args := []string{"upscale", "--model", model, ".", "-o", "large"}
	for range 2 {
		if status, _, errs := command(args...); status != 0 {
			t.Fatal(errs)
		}
	}
	if got, want := filesIn(t, "large"), []string{"a-x4.png", "b-x4-x4.png"}; !slices.Equal(got, want) {
		t.Errorf("the results are %q, want %q", got, want)
	}
}

// One bad file, one clash and one long name cost themselves alone, and are listed at the end.
func TestBatchGoesOn(t *testing.T) {
	model, dir := tiny(t), t.TempDir()
	t.Chdir(dir)
	put(t, "good.png", 4)
	put(t, "twin/x.png", 4)
	put(t, "other/x.png", 4)
	put(t, "in.png", 4)
	put(t, "in-x4.png", 4)
	long := strings.Repeat("l", 250) + ".png"
	put(t, long, 4)
	if err := os.WriteFile("text.png", []byte("a text"), 0o644); err != nil {
		t.Fatal(err)
	}
	status, printed, errs := command("upscale", "--model", model, "none.png", "text.png", long, "twin", "other", "good.png", "./good.png", "-o", "out")
	if want := "out/x.png-x4.png: 16x16\nout/good-x4.png: 16x16\n"; status != 1 || filepath.ToSlash(printed) != want {
		t.Errorf("status %d, printed %q, want %q", status, printed, want)
	}
	_, list, _ := strings.Cut(errs, "\n2 made, 0 there already, 4 failed\n")
	lines := strings.Split(strings.TrimSuffix(list, "\n"), "\n")
	if len(lines) != 5 || lines[4] != "srdiff: 4 of 6 pictures could not be enlarged" {
		t.Fatalf("said %q", errs)
	}
	for _, want := range []string{"none.png: no such file", "text.png: not a picture", "file name too long", "would both become"} {
		if !slices.ContainsFunc(lines[:4], func(line string) bool {
			return strings.HasPrefix(line, "failed: ") && strings.Contains(line, want)
		}) {
			t.Errorf("the list lacks %q: %q", want, lines)
		}
	}
	// Beside the pictures, where one result would replace another picture.
	status, printed, errs = command("upscale", "--model", model, "in.png", "in-x4.png", "good.png")
	if want := "in-x4-x4.png: 16x16\ngood-x4.png: 16x16\n"; status != 1 || printed != want || !strings.Contains(errs, "in-x4.png would be replaced") {
		t.Errorf("status %d, printed %q, want %q; said %q", status, printed, want, errs)
	}
}

// The length of a result's name is limited by the file system alone, and the temporary name is no
// longer.
func TestLongNames(t *testing.T) {
	model, dir := tiny(t), t.TempDir()
	for n, fits := range map[int]bool{232: true, 240: true, 252: true, 253: false, 255: false} {
		in := filepath.Join(dir, strings.Repeat("x", n-4)+".png")
		put(t, in, 4)
		status, _, errs := command("upscale", "--model", model, in)
		result := strings.TrimSuffix(in, ".png") + "-x4.png"
		if _, err := os.Stat(result); (err == nil) != fits || (status == 0) != fits {
			t.Errorf("%d bytes: status %d, %q", n, status, errs)
		}
		if !fits && (strings.Count(errs, "\n") != 1 || !strings.Contains(errs, "file name too long")) {
			t.Errorf("%d bytes: %q", n, errs)
		}
	}
}

// A name that a file system takes for another is a clash there, and only there.
func TestClashesWhereCaseIsIgnored(t *testing.T) {
	for _, ignores := range []bool{false, true} {
		dir := t.TempDir()
		for _, name := range []string{"1/IMG.png", "2/img.png", "2/new/a.png", "1/NEW/A.png", "1/other.png"} {
			put(t, filepath.Join(dir, name), 4)
		}
		model := tiny(t)
		o := upscaleOptions{model: model, out: filepath.Join(dir, "out")}
		in, err := findInputs([]string{filepath.Join(dir, "1"), filepath.Join(dir, "2")}, o.out)
		if err != nil {
			t.Fatal(err)
		}
		ps := newDestinations()
		ps.probe = func(string) (bool, error) { return ignores, nil }
		o.nameResults(in, ps)
		want := 0
		if ignores {
			want = 2
		}
		if len(in.failed) != want || len(in.tasks) != 5-want {
			t.Errorf("case ignored %v: %d tasks, failed %v", ignores, len(in.tasks), in.failed)
		}
	}
}

func TestProbe(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "a.png"), 1)
	_, err := os.Stat(filepath.Join(dir, "A.PNG"))
	ignores, probing := probe(dir)
	if probing != nil || ignores != (err == nil) {
		t.Errorf("case ignored %v, %v; A.PNG: %v", ignores, probing, err)
	}
	if left := filesIn(t, dir); len(left) != 1 {
		t.Errorf("left behind: %q", left)
	}
}

// Mistakes are found before the engine is opened: here, there is none.
func TestNoWorkBeforeAMistake(t *testing.T) {
	model, dir := tiny(t), t.TempDir()
	t.Chdir(dir)
	put(t, "a.png", 4)
	put(t, "b.png", 4)
	if err := os.WriteFile("file", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("n", 256)
	before := filesIn(t, dir)
	for _, test := range []struct {
		want string
		args []string
	}{
		{"folder nodir: no such file or directory", []string{"upscale", "--model", model, "a.png", "-o", "nodir/x.png"}},
		{"not a directory", []string{"upscale", "--model", model, "a.png", "-o", "file/x.png"}},
		{"file: not a directory", []string{"upscale", "--model", model, "a.png", "-o", "file/"}},
		{"file name too long", []string{"upscale", "--model", model, "a.png", "-o", long + ".png"}},
		{"file name too long", []string{"upscale", "--model", model, "a.png", "b.png", "-o", long}},
		{"nothing can be written to the folder /proc", []string{"upscale", "--model", model, "a.png", "-o", "/proc/new/"}},
		{"nothing can be written to the folder /proc", []string{"upscale", "--model", model, "a.png", "b.png", "-o", "/proc/new"}},
		{"no such file", []string{"upscale", "--model", "none.safetensors", "a.png", "b.png"}},
		{"no such file", []string{"upscale", "--model", model, "none.png"}},
		{"folder nodir: no such file or directory", []string{"eval", "--model", model, "--data", "generated", "--sheet", "nodir/x.png"}},
		{"nothing can be written", []string{"eval", "--model", model, "--data", "generated", "--sheet", "/proc/x.png"}},
		{"no such file", []string{"eval", "--model", "none.safetensors", "--data", "generated"}},
		{"file is a file, not a folder", []string{"train", "--data", "generated", "--out", "file"}},
		{"file/run: not a directory", []string{"train", "--data", "generated", "--out", "file/run"}},
		{"nothing can be written", []string{"train", "--data", "generated", "--out", "/proc/run"}},
		{"file name too long", []string{"train", "--data", "generated", "--out", long}},
		{"beta_start 0.5 is greater", []string{"train", "--data", "generated", "--out", "run", "--beta-start", "0.5"}},
		{"file is a file, not a folder", []string{"distill", "--model", model, "--data", "generated", "--out", "file"}},
		{"nothing can be written", []string{"distill", "--model", model, "--data", "generated", "--out", "/proc/run"}},
		{"no such file", []string{"distill", "--model", "none.safetensors", "--data", "generated", "--out", "run"}},
	} {
		status, out, errs := command(append(test.args, "--engine", "none")...)
		if status != 1 || out != "" || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, test.want) {
			t.Errorf("%q: status %d, printed %q and %q, want one line with %q", test.args, status, out, errs, test.want)
		}
	}
	if after := filesIn(t, dir); !slices.Equal(after, before) {
		t.Errorf("left behind: %q", after)
	}
}

// A file system that is too full is found before the work.
func TestSpace(t *testing.T) {
	p, err := newDestinations().at(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	free, _, err := freeSpace(p.exists)
	if err != nil {
		t.Skip(err)
	}
	var room diskSpace
	room.add(p.exists, free/4)
	if err := room.check(); err != nil {
		t.Errorf("a quarter of the space: %v", err)
	}
	room.add(p.exists, free)
	if err := room.check(); err == nil || !strings.Contains(err.Error(), "free in "+p.exists) {
		t.Errorf("more than the space: %v", err)
	}
	if err := checkDiskSpace(p.exists, 1<<62); err == nil || !strings.Contains(err.Error(), "TB free") && !strings.Contains(err.Error(), "GB free") &&
		!strings.Contains(err.Error(), "MB free") {
		t.Errorf("a run of 4.6 million TB: %v", err)
	}
}

// The record is the first chunk, whatever profile follows.
func TestRecordComesFirst(t *testing.T) {
	model := tiny(t)
	in, out := write(t, "about.png", fileIn(t, "pictures/about.png")), filepath.Join(t.TempDir(), "out.png")
	if status, _, errs := command("upscale", "--model", model, in, "-o", out); status != 0 {
		t.Fatal(errs)
	}
	data, err := os.ReadFile(out)
	if err != nil || string(data[37:37+11]) != "iTXtsrdiff\x00" {
		t.Errorf("the first chunk begins with %.20q, %v", data[37:], err)
	}
	if !isMadeBySrdiff(out) || isMadeBySrdiff(in) {
		t.Errorf("ours: the result %v, the input %v", isMadeBySrdiff(out), isMadeBySrdiff(in))
	}
	// As an older srdiff wrote it: behind another chunk.
	older := filepath.Join(t.TempDir(), "older.png")
	chunks := []imaging.Chunk{{Type: "gAMA", Data: []byte{0, 0, 0xb1, 0x8f}}, provenance{Model: "m", Engine: "go"}.chunk()}
	if err := imaging.WritePNG(older, image.NewGray(image.Rect(0, 0, 4, 1)), chunks...); err != nil || !isMadeBySrdiff(older) {
		t.Errorf("an older result is ours: %v, %v", isMadeBySrdiff(older), err)
	}
}
