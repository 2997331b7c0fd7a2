// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package benchset

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/srdiff/srlab/srdiff/imaging"
)

// Bicubic comes to what numpy and scikit-image say, on pairs and where the low-resolution pictures
// are made here.
func TestBicubicEqualsScikitImage(t *testing.T) {
	data, err := os.ReadFile("testdata/goldens.json")
	if err != nil {
		t.Fatal(err)
	}
	var goldens []struct {
		Folder, Name string
		Factor       int
		PSNR, SSIM   float64
		LRPSNR       float64 `json:"lr_psnr"`
	}
	if err := json.Unmarshal(data, &goldens); err != nil {
		t.Fatal(err)
	}
	if len(goldens) != 6 {
		t.Fatalf("%d goldens, want 6", len(goldens))
	}
	for _, g := range goldens {
		set, err := Open(filepath.Join("testdata", g.Folder), g.Factor)
		if err != nil {
			t.Fatal(err)
		}
		report, err := set.Measure(context.Background(), nil, Bicubic(g.Factor))
		if err != nil {
			t.Fatal(err)
		}
		i := slices.Index(report.Pictures, g.Name)
		if i < 0 {
			t.Fatalf("no %s among %v", g.Name, report.Pictures)
		}
		s := report.Rows[0].Pictures[i]
		tolerance := 1e-6
		if g.Folder == "alone" {
			tolerance = 5e-3 // Halves that become 8 bits are rounded by float32's accuracy.
		}
		near := func(measure string, got, want float64) {
			if !(math.Abs(got-want) < tolerance) {
				t.Errorf("%s x%d: %s is %v, want %v", g.Name, g.Factor, measure, got, want)
			}
		}
		near("PSNR", s.PSNR, g.PSNR)
		near("SSIM", s.SSIM, g.SSIM)
		near("LR-PSNR", s.LRPSNR, g.LRPSNR)
		if s.NIQE != nil {
			t.Errorf("NIQE of a small picture is %v", *s.NIQE)
		}
		if !(s.Seconds > 0) {
			t.Errorf("%v seconds a megapixel", s.Seconds)
		}
	}
}

// textured is a picture with something in every block.
func textured(width, height int) imaging.Picture {
	p := imaging.New(width, height)
	for i := range p.Pix {
		p.Pix[i] = float32((i*i*7919+i*104729)%511)/255 - 1
	}
	return p
}

// folderOf writes pictures of the given sizes into a folder.
func folderOf(t *testing.T, pictures map[string][2]int) string {
	t.Helper()
	folder := t.TempDir()
	for name, size := range pictures {
		if err := imaging.WritePNG(filepath.Join(folder, name), textured(size[0], size[1]).Image()); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func TestOpenFinds(t *testing.T) {
	for _, test := range []struct {
		name           string
		pictures       map[string][2]int
		names, omitted []string
	}{
		{"pairs", map[string][2]int{"b_HR.png": {40, 43}, "b_LR.png": {10, 10}, "a_hr.PNG": {24, 24}, "a_lr.PNG": {6, 6}, "a_bicubic.png": {24, 24}},
			[]string{"a", "b"}, []string{"a_bicubic.png"}},
		{"high resolution, named so", map[string][2]int{"b_HR.png": {40, 43}, "a_HR.png": {24, 24}}, []string{"a", "b"}, nil},
		{"high resolution", map[string][2]int{"b.png": {40, 43}, "a.png": {24, 24}, ".hidden.png": {1, 1}}, []string{"a", "b"}, nil},
	} {
		set, err := Open(folderOf(t, test.pictures), 4)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		var names []string
		for i := range set.Len() {
			p, err := set.Pair(i)
			if err != nil {
				t.Fatal(err)
			}
			if p.Original.Width != 4*p.Low.Width || p.Original.Height != 4*p.Low.Height {
				t.Errorf("%s: %s is %dx%d and %dx%d", test.name, p.Name, p.Original.Width, p.Original.Height, p.Low.Width, p.Low.Height)
			}
			names = append(names, p.Name)
		}
		if !slices.Equal(names, test.names) || !slices.Equal(set.Omitted, test.omitted) {
			t.Errorf("%s: pictures %v and omitted %v, want %v and %v", test.name, names, set.Omitted, test.names, test.omitted)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, test := range []struct {
		factor   int
		pictures map[string][2]int
		want     string
	}{
		{5, nil, "factor 5: want 2, 3, 4 or 8"},
		{4, nil, "has no pictures"},
		{4, map[string][2]int{"a_LR.png": {6, 6}}, "a_LR.png has no partner a_HR"},
		{4, map[string][2]int{"a_HR.png": {24, 24}, "b_HR.png": {24, 24}, "b_LR.png": {6, 6}}, "a_HR.png has no partner a_LR"},
		{4, map[string][2]int{"a_HR.png": {24, 24}, "a_LR.png": {6, 7}}, "24x24 and"},
		{4, map[string][2]int{"a_HR.png": {24, 24}, "a_LR.png": {6, 7}}, "want a low-resolution picture of 6x6"},
		{2, map[string][2]int{"a_HR.png": {24, 24}, "a_LR.png": {6, 6}}, "do not fit at x2"},
		{8, map[string][2]int{"a.png": {24, 200}}, "too small to measure at x8: want at least 27 pixels a side"},
		{4, map[string][2]int{"a.png": {24, 24}, "a.bmp": {24, 24}}, "two pictures"},
		{4, map[string][2]int{"a_HR.png": {24, 24}, "a_hr.png": {24, 24}}, "have one name"},
		{4, map[string][2]int{"a.png": {9, 9}, "b.png": {9, 9}, "c.png": {24, 24}}, "2 of the set's 3 pictures cannot be used"},
	} {
		folder := folderOf(t, test.pictures)
		if files, _ := os.ReadDir(folder); len(files) < len(test.pictures) {
			continue // a file system that ignores case
		}
		if _, err := Open(folder, test.factor); err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v at x%d: error %v, want %q", test.pictures, test.factor, err, test.want)
		}
	}
	folder := folderOf(t, map[string][2]int{"a.png": {24, 24}})
	if err := os.WriteFile(filepath.Join(folder, "b.png"), []byte("<html>"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(folder, 4); err == nil || !strings.Contains(err.Error(), "b.png") {
		t.Errorf("a damaged picture: %v", err)
	}
	if _, err := Open(filepath.Join(folder, "none"), 4); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
}

// The report has every measure, of every picture and enlarger, and can be written.
func TestMeasure(t *testing.T) {
	set, err := Open(folderOf(t, map[string][2]int{"large.png": {210, 210}, "small.png": {24, 24}}), 2)
	if err != nil {
		t.Fatal(err)
	}
	set.Name = "Set5"
	originals := map[[2]int]imaging.Picture{}
	for i := range set.Len() {
		p, err := set.Pair(i)
		if err != nil {
			t.Fatal(err)
		}
		originals[[2]int{p.Low.Width, p.Low.Height}] = p.Original
	}
	runs := 0
	oracle := Enlarger{"oracle", func(_ context.Context, low imaging.Picture) (imaging.Picture, error) {
		runs++
		return originals[[2]int{low.Width, low.Height}], nil
	}}
	var sheet Sheet
	report, err := set.Measure(context.Background(), func(p Pair, results []Result) error {
		sheet.Add(p, results)
		return nil
	}, Bicubic(2), oracle)
	if err != nil {
		t.Fatal(err)
	}
	if runs != 3 { // one to warm up
		t.Errorf("%d runs, want 3", runs)
	}
	bicubic, best := report.Rows[0].Mean, report.Rows[1].Mean
	if best.PSNR != 60 || math.Abs(best.SSIM-1) > 1e-9 || best.LRPSNR != 60 || best.NIQE == nil || *best.NIQE != *report.OriginalNIQE {
		t.Errorf("the originals come to %+v, NIQE %v", best, report.OriginalNIQE)
	}
	if !(bicubic.PSNR < 30) || !(bicubic.SSIM < .9) || !(bicubic.LRPSNR < 50) || bicubic.NIQE == nil || *bicubic.NIQE == *best.NIQE {
		t.Errorf("bicubic comes to %+v", bicubic)
	}
	if _, err := json.Marshal(report); err != nil {
		t.Error(err)
	}
	text := report.Markdown() + report.PicturesMarkdown()
	for _, want := range []string{"| Set5, x2, 2 pictures |", "\n| bicubic |", "\n| oracle | | 60.00 | 1.0000 | 60.00 |", "\n| original |", "with 2 pixels of border",
		"NIQE is that of the 1 pictures that are large enough", "\n| small |", " / - |"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	// Two rows of four, at full size or magnified to be seen.
	if size := sheet.Image().Bounds().Size(); size.X < 4*210 || size.Y < 210+4*24 {
		t.Errorf("the sheet is %v", size)
	}
}

func TestMeasureRefuses(t *testing.T) {
	set, err := Open("testdata/pairs", 4)
	if err != nil {
		t.Fatal(err)
	}
	bad := errors.New("no memory")
	for _, test := range []struct {
		enlarge Enlarger
		each    func(Pair, []Result) error
		want    string
	}{
		{Enlarger{"m", func(context.Context, imaging.Picture) (imaging.Picture, error) { return imaging.Picture{}, bad }}, nil, "m of first: no memory"},
		{Enlarger{"m", func(_ context.Context, low imaging.Picture) (imaging.Picture, error) { return low, nil }}, nil, "m of first: pictures of 12x10 and 48x40"},
		{Bicubic(4), func(Pair, []Result) error { return bad }, "no memory"},
	} {
		if _, err := set.Measure(context.Background(), test.each, test.enlarge); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("error %v, want %q", err, test.want)
		}
	}
}

func TestPublished(t *testing.T) {
	for _, set := range []string{"Set5", "set14", "BSD100", "B100", "Urban100"} {
		list := PublishedOn(set, 4)
		if len(list) < 16 || list[0].Name != "Bicubic" {
			t.Errorf("%s: %v", set, list)
		}
	}
	if p := PublishedOn("B100", 4)[0]; p.PSNR != 25.96 || p.SSIM != .6675 {
		t.Errorf("bicubic on BSD100: %+v", p)
	}
	if PublishedOn("Set5", 2) != nil || PublishedOn("holiday", 4) != nil {
		t.Error("figures for what nobody published")
	}
}
