// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/srdiff/srlab/notebooks/models"
	"github.com/srdiff/srlab/srdiff/imaging"
)

// A picture is all that upscale needs. It says in one line what it did, and a name, a path and no
// --model make the same picture.
func TestUpscaleWithNothingElse(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := imaging.WritePNG("cat.png", scene(9, 7)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("m.safetensors", models.All[0].Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
	var results [][]byte
	for _, c := range []struct{ args, more string }{
		{"upscale cat.png", ", 4 times cat.png by the model " + models.All[0].Name},
		{"upscale cat.png --model " + models.All[0].Name, ""},
		{"upscale cat.png --model m.safetensors", ""},
	} {
		status, out, errs := command(strings.Fields(c.args)...)
		if want := "cat-x4.png: 36x28" + c.more + "\n"; status != 0 || out != want {
			t.Fatalf("%s: status %d, printed %q and %q, want %q", c.args, status, out, errs, want)
		}
		data, err := os.ReadFile(filepath.Join(dir, "cat-x4.png"))
		if err != nil {
			t.Fatal(err)
		}
		results = append(results, data)
	}
	if !bytes.Equal(results[0], results[1]) || !bytes.Equal(results[0], results[2]) {
		t.Error("the three results differ")
	}
	if img, err := imaging.Open("cat-x4.png"); err != nil || img.Bounds().Dx() != 36 {
		t.Errorf("the result: %v", err)
	}
}

// srdiff models lists every model with its name, what it is for and its figures, and eval takes the
// names.
func TestModels(t *testing.T) {
	status, out, errs := command("models")
	if status != 0 || strings.Count(out, "\n") != len(models.All) {
		t.Fatalf("status %d, printed %q and %q", status, out, errs)
	}
	for _, m := range models.All {
		if !strings.Contains(out, m.Name) || !strings.Contains(out, m.For) || !strings.Contains(out, m.Figures) {
			t.Errorf("%q lacks %+v", out, m)
		}
		if status, out, errs := command("eval", "--set", pairs, "--model", m.Name); status != 0 || !strings.Contains(out, "| "+m.Name+" |") {
			t.Errorf("eval: status %d, printed %q and %q", status, out, errs)
		}
	}
}

// A mix with none of the clean model is the photo model, one of it alone has the clean model's pixels, and
// a result in between is recognised as one of another model.
func TestDenoise(t *testing.T) {
	in := write(t, "cat.png", pngOf(scene(12, 9)))
	made := func(name string, args ...string) string {
		out := filepath.Join(t.TempDir(), name)
		if status, _, errs := command(append([]string{"upscale", "--engine", "go", in, "-o", out}, args...)...); status != 0 {
			t.Fatal(errs)
		}
		return out
	}
	photo, clean := made("a.png"), made("b.png", "--model", "clean")
	all, none, half := made("c.png", "--denoise", "1"), made("d.png", "--denoise", "0"), made("e.png", "--denoise", "0.5")
	same := func(a, b string) bool { return reflect.DeepEqual(opened(t, a), opened(t, b)) }
	if !same(all, photo) || !same(none, clean) || same(half, photo) || same(half, clean) {
		t.Errorf("1 is photo: %v, 0 is clean: %v, 0.5 is photo: %v, clean: %v; want only the first two", same(all, photo), same(none, clean),
			same(half, photo), same(half, clean))
	}
	if hashes := map[string]bool{madeBy(t, photo).Model: true, madeBy(t, half).Model: true, madeBy(t, none).Model: true}; len(hashes) != 3 {
		t.Errorf("the results of three models name %d", len(hashes))
	}
	for want, args := range map[string][]string{
		"want a value from 0 to 1": {"--denoise", "1.5"},
		"omit one of the two":      {"--denoise", "0.5", "--model", "clean"},
		"another model":            {"--denoise", "0.5", "--like", photo},
	} {
		status, _, errs := command(append([]string{"upscale", "--engine", "go", in, "-o", filepath.Join(t.TempDir(), "x.png")}, args...)...)
		if status != 1 || !strings.Contains(errs, want) {
			t.Errorf("%s: status %d, %q: want %q", args, status, errs, want)
		}
	}
}
