// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"image"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const course = "../../../../notebooks/photos"

// licences are those that let anyone pass on and change a picture. Others may be trained on, but are not in the course.
var licences = regexp.MustCompile(`^(CC0-1\.0|CC-BY-[1-4]\.[05]|CC-BY-SA-[1-4]\.[05]|public domain|L?GPL-[23]\.0(-or-later)?)( \(.*\))?$`)

// table returns the rows of a tab-separated file by the names of its columns.
func table(t *testing.T, path string) []map[string]string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	names := strings.Split(lines[0], "\t")
	var rows []map[string]string
	for i, line := range lines[1:] {
		values := strings.Split(line, "\t")
		if len(values) != len(names) {
			t.Fatalf("%s, line %d has %d columns, not %d", path, i+2, len(values), len(names))
		}
		row := map[string]string{}
		for j, name := range names {
			row[name] = values[j]
		}
		rows = append(rows, row)
	}
	return rows
}

func TestEachPictureHasASource(t *testing.T) {
	sources := map[string]map[string]string{}
	for _, source := range table(t, "../sources.tsv") {
		sources[source["name"]] = source
	}
	sha256, blob := regexp.MustCompile(`^[0-9a-f]{64}$`), regexp.MustCompile(`^[0-9a-f]{40}$`)
	for name, source := range sources {
		pinned := source["kind"] == "git" && blob.MatchString(source["version"]) && source["url"] != "" ||
			source["kind"] == "debian" && sha256.MatchString(source["sha256"])
		if !pinned {
			t.Errorf("sources.tsv: %s is not pinned", name)
		}
	}
	for _, list := range []string{"../photos.tsv", "../course.tsv"} {
		seen := map[string]bool{}
		for _, row := range table(t, list) {
			source, ok := sources[row["source"]]
			form := map[string]*regexp.Regexp{"git": blob, "debian": sha256}[source["kind"]]
			if !ok || !form.MatchString(row["id"]) || row["author"] == "" || row["licence"] == "" || seen[row["file"]] {
				t.Errorf("%s: %s is named twice, or has no source, id, author or licence", list, row["file"])
			}
			seen[row["file"]] = true
		}
	}
}

// Models are never trained on what the course tests them with.
func TestTestPicturesAreInNoOtherList(t *testing.T) {
	trained := map[string]bool{}
	for _, row := range table(t, "../photos.tsv") {
		trained[row["id"]] = true
	}
	tests := 0
	for _, row := range table(t, "../course.tsv") {
		if strings.HasPrefix(row["file"], "train/") {
			trained[row["id"]] = true
		}
	}
	for _, row := range table(t, "../course.tsv") {
		if strings.HasPrefix(row["file"], "test/") {
			tests++
			if trained[row["id"]] {
				t.Errorf("%s is also trained on", row["file"])
			}
		}
	}
	if tests < 20 {
		t.Errorf("%d test pictures, want at least 20", tests)
	}
}

func TestCourseIsWhatTheTablesSay(t *testing.T) {
	listed := map[string]string{}
	for _, row := range table(t, "../course.tsv") {
		listed[row["file"]] = row["licence"]
	}
	described := map[string]bool{}
	for _, row := range table(t, filepath.Join(course, "SOURCES.tsv")) {
		described[row["file"]] = true
		if row["licence"] != listed[row["file"]] || !licences.MatchString(row["licence"]) {
			t.Errorf("%s has licence %q in SOURCES.tsv, %q in course.tsv", row["file"], row["licence"], listed[row["file"]])
		}
		file, err := os.Open(filepath.Join(course, row["file"]))
		if err != nil {
			t.Error(err)
			continue
		}
		config, format, err := image.DecodeConfig(file)
		file.Close()
		size := fmt.Sprint(config.Width, config.Height)
		if err != nil || format != "jpeg" || size != row["width"]+" "+row["height"] {
			t.Errorf("%s: %s %s (%v), want a JPEG of %s x %s", row["file"], format, size, err, row["width"], row["height"])
		}
	}
	total, extra := int64(0), []string{"README.md", "SOURCES.tsv", "photos.go", "photos_test.go"} // the package that embeds them
	err := filepath.WalkDir(course, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, _ := filepath.Rel(course, path)
		if !described[filepath.ToSlash(name)] && !slices.Contains(extra, name) {
			t.Errorf("%s is in the folder but not in SOURCES.tsv", name)
		}
		info, err := entry.Info()
		total += info.Size()
		return err
	})
	if err != nil || total > 8_000_000 {
		t.Errorf("the course's photographs take %d bytes (%v), want at most 8 MB", total, err)
	}
	if len(described) != len(listed) {
		t.Errorf("%d pictures in SOURCES.tsv, %d in course.tsv", len(described), len(listed))
	}
}
