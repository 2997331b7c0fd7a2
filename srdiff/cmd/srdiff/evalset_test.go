// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/srdiff/srlab/srdiff"
	"github.com/srdiff/srlab/srdiff/benchset"
	"github.com/srdiff/srlab/srdiff/imaging"
)

const pairs = "../../benchset/testdata/pairs"

// eval --set measures bicubic and the models on a set, and writes a sheet and every result.
func TestEvalSet(t *testing.T) {
	folder := t.TempDir()
	sheet, results := filepath.Join(folder, "sheet.png"), filepath.Join(folder, "results")
	model := tinyOf(t, "tiny", srdiff.Config{})
	status, out, errs := command("eval", "--set", pairs, "--model", model, "--json", "--sheet", sheet, "--results", results)
	if status != 0 {
		t.Fatal(errs)
	}
	var report struct {
		benchset.Report
		MadeBy provenance `json:"made_by"`
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatal(err)
	}
	if report.Set != "pairs" || report.Factor != 4 || len(report.Pictures) != 2 || len(report.Rows) != 2 ||
		report.Rows[0].Name != "bicubic" || report.Rows[1].Name != "tiny" {
		t.Errorf("report %+v", report.Report)
	}
	for _, row := range report.Rows {
		if m := row.Mean; !(m.PSNR > 0) || !(m.LRPSNR > 0) || !(m.Seconds > 0) || len(row.Pictures) != 2 {
			t.Errorf("%s: %+v", row.Name, row)
		}
	}
	if made := report.MadeBy; len(made.Models) != 1 || len(made.Models[0]) != 64 || made.Engine == "" || made.Version == "" {
		t.Errorf("made by %+v", made)
	}
	for _, name := range []string{"original", "bicubic", "tiny"} {
		for _, picture := range []string{"first", "second"} {
			img, err := imaging.Open(filepath.Join(results, name, picture+".png"))
			if err != nil || img.Bounds().Dx() != 48 || img.Bounds().Dy() != 40 {
				t.Errorf("result %s of %s: %v", picture, name, err)
			}
		}
	}
	if img, err := imaging.Open(sheet); err != nil || img.Bounds().Dx() < 4*48 {
		t.Errorf("sheet: %v", err)
	}

	status, out, errs = command("eval", "--set", pairs)
	if status != 0 || !strings.Contains(out, "| pairs, x4, 2 pictures |") || !strings.Contains(out, "\n| bicubic | | 30.21 |") ||
		!strings.Contains(out, "\n| first | 27.61 / ") {
		t.Errorf("bicubic alone: status %d, printed %q and %q", status, out, errs)
	}
}

// With damage, the same pictures are harder to enlarge, and the report names it and has no published
// figures.
func TestEvalSetDegraded(t *testing.T) {
	psnr := func(args ...string) float64 {
		status, out, errs := command(append([]string{"eval", "--set", pairs, "--json"}, args...)...)
		var report benchset.Report
		if status != 0 || json.Unmarshal([]byte(out), &report) != nil {
			t.Fatalf("%q: status %d, %q", args, status, errs)
		}
		if damage := strings.Join(args[min(1, len(args)):], ""); report.Damage != damage || !strings.Contains(report.Protocol, damage) {
			t.Errorf("the report's damage is %q, want %q; its protocol: %s", report.Damage, damage, report.Protocol)
		}
		return report.Rows[0].Mean.PSNR
	}
	clean := psnr()
	for _, damage := range []string{"jpeg:60", "blur:1", "noise:5"} {
		if got := psnr("--degrade", damage); !(got < clean-0.05) {
			t.Errorf("%s: %.2f dB, and %.2f without damage", damage, got, clean)
		}
	}
	status, out, errs := command("eval", "--set", pairs, "--degrade", "jpeg:60")
	if status != 0 || !strings.Contains(out, "| pairs after jpeg:60, x4, 2 pictures |") {
		t.Errorf("status %d, printed %q and %q", status, out, errs)
	}
}

func TestEvalSetRefuses(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "file")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		want string
		args []string
	}{
		{"at least one of the flags in the group [data set] is required", nil},
		{"at least one of the flags in the group [model set] is required", []string{"--data", "generated"}},
		{"[data set] were all set", []string{"--set", pairs, "--data", "generated"}},
		{"[count set] were all set", []string{"--set", pairs, "--count", "3"}},
		{"no such file", []string{"--set", filepath.Join(folder, "none")}},
		{"no such file", []string{"--set", pairs, "--model", "none.safetensors"}},
		{"--degrade fog:1: want jpeg:", []string{"--set", pairs, "--degrade", "fog:1"}},
		{"--degrade has no effect without --set", []string{"--data", "generated", "--model", "none.safetensors", "--degrade", "jpeg:60"}},
		{"has no pictures", []string{"--set", folder}},
		{"want a name that ends in .png", []string{"--set", pairs, "--sheet", "sheet.jpg"}},
		{"file", []string{"--set", pairs, "--results", filepath.Join(file, "results")}},
	} {
		status, out, errs := command(append([]string{"eval"}, test.args...)...)
		if status != 1 || out != "" || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, test.want) {
			t.Errorf("%q: status %d, printed %q and %q, want one line with %q", test.args, status, out, errs, test.want)
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	stop()
	if status, out, _ := commandIn(ctx, "eval", "--set", pairs); status != interrupted || out != "" {
		t.Errorf("interrupted: status %d, printed %q", status, out)
	}
}
