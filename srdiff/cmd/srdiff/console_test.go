// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/srdiff/srlab/srdiff"
)

func TestEscaped(t *testing.T) {
	for text, want := range map[string]string{
		"cat.png": "cat.png", "a\nb": `a\nb`, "\x1b[31m": `\x1b[31m`, "\r": `\r`, "a\tb": `a\tb`, "\x7f": `\x7f`, "\u009b": `\u009b`,
		"\u202egnp": `\u202egnp`, "\xff\xfe": `\xff\xfe`, "学 é ± …": "学 é ± …", "\u2028": `\u2028`, "\ufffd": "\ufffd", `C:\cat`: `C:\cat`,
	} {
		if got := escape(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}

// No message, no progress and no line of results has a control character of a file's name, wherever
// that is given.
func TestControlCharacters(t *testing.T) {
	model, dir := tiny(t), t.TempDir()
	t.Chdir(dir)
	const evil = "bad\nname\x1b[2J\u009b\r"
	put(t, evil+".png", 40)
	put(t, "in/"+evil+"/"+evil+".png", 4)
	put(t, "good.png", 4)
	if err := os.Link(model, evil+".safetensors"); err != nil {
		t.Fatal(err)
	}
	up := []string{"upscale", "--model", model}
	for _, args := range [][]string{
		append(up, evil+".png"), append(up, evil), append(up, evil, "good.png"), append(up, "in", "-o", "out"), append(up, "good.png", "-o", evil),
		append(up, "good.png", "-o", evil+"/x.png"), append(up, "good.png", "--like", evil), append(up, "good.png", "--sampler", evil),
		append(up, "good.png", "--attention", evil), append(up, "good.png", "--"+evil), {evil}, {"schedule", evil}, {"schedule", "--kind", evil},
		{"upscale", "--model", evil, "good.png"}, {"upscale", "--model", evil + ".safetensors", "good.png"},
		{"eval", "--model", evil + ".safetensors", "--data", "generated", "--count", "1"}, {"eval", "--model", model, "--data", evil},
		{"eval", "--model", model, "--data", "images:in", "--count", "1"}, {"doctor", "--engine", evil}, {"engine", "install", evil},
		append(tinyRun, "--out", evil+"-run", "--train-steps", "1"), {"train", "--data", "images:" + evil, "--out", "run"},
		{"distill", "--model", evil, "--data", evil, "--out", evil},
	} {
		_, out, errs := command(args...)
		for line := range strings.Lines(out + errs) {
			if i := strings.IndexFunc(strings.TrimSuffix(line, "\n"), unicode.IsControl); i >= 0 {
				t.Errorf("%q printed %q", args, line)
			}
		}
		if strings.Contains(errs, "srdiff: ") && !regexp.MustCompile(`\nsrdiff: .*\n$`).MatchString("\n"+errs) {
			t.Errorf("%q ended with %q, want one line", args, errs)
		}
	}
}

// Messages are written in one place.
func TestOneWriter(t *testing.T) {
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	around := regexp.MustCompile(`fmt\.Fprint(ln|f)?\((&b,)?|os\.Std(out|err)\.Write|fmt\.Print`)
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, call := range around.FindAllString(string(text), -1) {
			if !strings.HasSuffix(name, "_test.go") && !strings.HasSuffix(call, "(&b,") { // b is a text in the making
				t.Errorf("%s calls %s: want printLine", name, call)
			}
		}
	}
}

// What cannot be written to standard output is an error of one line.
func TestStdoutFull(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer full.Close()
	model, in := tiny(t), smallPicture(t)
	student := teacher(t, "v")
	for _, args := range [][]string{
		{"schedule"}, {"schedule", "--json"}, {"doctor", "--engine", "go"}, {"--version"}, {"--help"}, {"upscale", "--help"},
		{"upscale", "--model", model, in, "-o", filepath.Join(t.TempDir(), "out.png")}, {"upscale", "--model", model, in, "-o", "-"},
		{"eval", "--model", model, "--data", "generated", "--count", "1"}, {"eval", "--model", student, "--data", "generated", "--count", "1", "--json"},
	} {
		var errs strings.Builder
		cmd := program(args...)
		cmd.Stdout, cmd.Stderr = full, &errs
		err := cmd.Run()
		lines := strings.Split(strings.TrimSpace(errs.String()), "\n")
		if cmd.ProcessState.ExitCode() != 1 || lines[len(lines)-1] != "srdiff: writing to standard output: no space left on device" {
			t.Errorf("%q: %v, %q", args, err, errs.String())
		}
		if args[0] == "upscale" && args[len(args)-2] == "-o" && args[len(args)-1] != "-" {
			if _, err := os.Stat(args[len(args)-1]); err != nil {
				t.Error("the result is lost with its line")
			}
		}
	}
}

// Error messages speak of the command line.
func TestFlagMistakes(t *testing.T) {
	model, in, out := tiny(t), smallPicture(t), filepath.Join(t.TempDir(), "run")
	v := filepath.Join(t.TempDir(), "cosine")
	if status, _, errs := command(append(tinyRun, "--out", v, "--train-steps", "1", "--kind", "cosine")...); status != 0 {
		t.Fatal(errs)
	}
	train := []string{"train", "--data", "generated", "--out", out}
	for _, test := range []struct {
		want string
		args []string
	}{
		{`--attention is "x": want a whole number`, append(train, "--attention", "x")},
		{`--warm-up is "1.5": want a whole number`, append(train, "--warm-up", "1.5")},
		{`--seed is "99999999999999999999": want a whole number within the range`, append(train, "--seed", "99999999999999999999")},
		{`--dropout is "0,1": want a number`, append(train, "--dropout", "0,1")},
		{`--flip is "maybe": want true or false`, append(train, "--flip=maybe")},
		{`--eta is "": want a number`, []string{"upscale", "--model", model, in, "--eta="}},
		{"--beta-end has no effect on the schedule cosine", []string{"schedule", "--kind", "cosine", "--beta-end", "0.1"}},
		{"--beta-start has no effect on the schedule cosine", []string{"schedule", "--beta-start", "1e-4", "--kind", "cosine", "--json"}},
		{"--beta-end has no effect on the schedule cosine", append(train, "--kind", "cosine", "--beta-end", "0.02")},
		{"--beta-end has no effect on the schedule cosine", append(tinyRun, "--out", v, "--resume", "--beta-end", "0.02")},
		{"--new-data has no effect without --resume", append(train, "--new-data")},
		{`unknown command "upscal" for "srdiff": did you mean upscale?`, []string{"upscal"}},
		{"--new-data has no effect without --resume", []string{"distill", "--model", model, "--data", "generated", "--out", out, "--new-data"}},
		{`engine "go,threads=2": go takes no options`, append(train, "--engine", "go,threads=2")},
		{`engine "auto,": auto takes no options`, []string{"upscale", "--model", model, in, "--engine", "auto,"}},
		{"was trained with none", []string{"eval", "--model", model, "--data", "generated", "--input-noise", "0.1"}},
		{"was trained with none", append(train, "--input-noise", "0.1")},
	} {
		status, printed, errs := command(test.args...)
		if status != 1 || printed != "" || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, test.want) || strings.Contains(errs, "strconv") {
			t.Errorf("%q: status %d, printed %q and %q, want one line with %q", test.args, status, printed, errs, test.want)
		}
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("a folder was made")
	}
	t.Setenv("SRDIFF_ENGINE", "go,threads=2")
	if status, _, errs := command("doctor"); status != 1 || !strings.Contains(errs, "SRDIFF_ENGINE: engine") {
		t.Errorf("status %d, %q", status, errs)
	}
}

// No two models read the same in the table of eval.
func TestEvalNames(t *testing.T) {
	for _, names := range [][]string{
		{"run-of-monday-with-a-long-name", "run-of-sunday-with-a-long-name"},
		{"/a/long/folder/one/model.safetensors", "/a/long/folder/two/model.safetensors"},
		{"…34567890123456", "1234567890123456", "x34567890123456"},
		{"a", "b"},
	} {
		rows := []row{{Name: "bilinear"}}
		for _, name := range names {
			rows = append(rows, row{Name: name})
		}
		seen := map[string]bool{}
		for i, shown := range namesOf(rows) {
			if seen[shown] || !strings.HasSuffix(rows[i].Name, strings.TrimPrefix(shown, "…")) {
				t.Errorf("%q is shown as %q", rows[i].Name, shown)
			}
			seen[shown] = true
		}
	}
	// In one folder, under the names of rows that are no models, and of one name in two folders.
	dir := t.TempDir()
	var args []string
	for _, name := range []string{"bilinear.safetensors", "original.safetensors", "1/model-with-a-long-name.safetensors", "2/model-with-a-long-name.safetensors"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(tinyOf(t, "m", srdiff.Config{}), path); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--model", path)
	}
	status, out, errs := command(append([]string{"eval", "--data", "generated", "--count", "1"}, args...)...)
	if status != 0 {
		t.Fatal(errs)
	}
	seen := map[string]bool{}
	lines := strings.Split(out, "\n")
	for _, line := range lines[2:8] {
		name, _, _ := strings.Cut(line, " ")
		if seen[name] {
			t.Errorf("two rows are called %q:\n%s", name, out)
		}
		seen[name] = true
	}
}
