// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package kernelext

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// writeAll writes files with their own paths as content, and makes folders of paths that end in a
// slash.
func writeAll(t *testing.T, dir string, paths ...string) {
	t.Helper()
	for _, path := range paths {
		full := filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(path, "/") {
			if err := os.MkdirAll(full, 0o755); err != nil {
				t.Fatal(err)
			}
		} else if err := os.WriteFile(full, []byte(path), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// tree lists all that is in a folder, with a file's content and a link's target.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		content := ""
		switch {
		case e.Type()&fs.ModeSymlink != 0:
			content, err = os.Readlink(path)
		case e.Type().IsRegular():
			var data []byte
			data, err = os.ReadFile(path)
			content = string(data)
		}
		list = append(list, path+": "+content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(list, "\n")
}

// Whatever a person has in the folder of kept values is there after Forget, with and without names.
func TestForgetRemovesOnlyWhatWasKept(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	t.Setenv("SRDIFF_KEPT", dir)
	const hash = "0123456789ab"
	writeAll(t, elsewhere, "cat.png", hash, hash+".json")
	writeAll(t, dir, "notes.txt", "notes", ".hidden", "My pictures/cat.txt", "My pictures/2026/june/dog.png", "empty/",
		"photos/mine.txt", "photos/sub/"+hash, "photos/"+hash, "photos/"+hash+".json", "photos/"+hash+".new/a", "photos/"+hash+".lock",
		hash, hash+".json", "models/aaaaaaaaaaaa/weights", "models/aaaaaaaaaaaa.json", "models/x.json", "models/.new-1/a")
	for path, content := range map[string]string{
		"photos/bbbbbbbbbbbb.json": `{"inputs": 1}`,
		"photos/cccccccccccc.json": `{"inputs": 1, "sha256": "00"}`,
		"photos/cccccccccccc":      "mine",
		"models/aaaaaaaaaaaa.json": `{"name": "models", "kind": "folder", "inputs": 1}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, path), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"link", filepath.Join("photos", "link"), filepath.Join("photos", "dddddddddddd")} {
		if err := os.Symlink(elsewhere, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	before, beforeElsewhere := tree(t, dir), tree(t, elsewhere)

	number := func() (int, error) { return 1, nil }
	for _, names := range [][]string{nil, {"photos", "My pictures", "models", "notes", "link", "empty", "none"}} {
		Keep("photos", 1, number)
		Keep("models", "a", number)
		writeAll(t, KeepFolder("models", "b"), "weights", "metrics/loss.csv")
		line, err := forget(names)
		if err != nil || !strings.HasPrefix(line, "3 forgotten; ") || !strings.Contains(line, "other files and folders stay") ||
			strings.Contains(line, "\n") {
			t.Errorf("Forget(%q): %q, %v", names, line, err)
		}
		if after := tree(t, dir); after != before {
			t.Errorf("Forget(%q): before\n%s\nafter\n%s", names, before, after)
		}
		if after := tree(t, elsewhere); after != beforeElsewhere {
			t.Errorf("Forget(%q): behind a link, before\n%s\nafter\n%s", names, beforeElsewhere, after)
		}
	}
}

// What a person put in the place of a kept value is not removed with it.
func TestForgetLeavesWhatWasReplaced(t *testing.T) {
	for _, test := range []struct {
		name    string
		replace func(value, folder string) error
		want    string
	}{
		{"another file", func(value, _ string) error { return os.WriteFile(value, []byte("mine"), 0o644) }, "was changed after it was kept"},
		{"a link to a file", func(value, _ string) error { return relink(value) }, "is not what was kept there"},
		{"a link to a folder", func(_, folder string) error { return relink(folder) }, "is not what was kept there"},
		{"a file for a folder", func(_, folder string) error {
			if err := os.Remove(folder); err != nil {
				return err
			}
			return os.WriteFile(folder, []byte("mine"), 0o644)
		}, "is not what was kept there"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "kept")
			t.Setenv("SRDIFF_KEPT", dir)
			Keep("a", 1, func() (int, error) { return 1, nil })
			folder := KeepFolder("b", 1)
			value, err := filepath.Glob(filepath.Join(dir, "a", "????????????"))
			if err != nil || len(value) != 1 {
				t.Fatal(value, err)
			}
			if err := test.replace(value[0], folder); err != nil {
				t.Fatal(err)
			}
			line, err := forget(nil)
			if err != nil || !strings.HasPrefix(line, "1 forgotten; ") || !strings.HasSuffix(line, " stays, as it "+test.want) {
				t.Errorf("%q, %v", line, err)
			}
			if left := tree(t, dir); !strings.Contains(left, ": mine") && !strings.Contains(left, ": "+dir+".") {
				t.Errorf("left is\n%s", left)
			}
		})
	}
}

// relink moves a file or folder away, and puts a link to it in its place.
func relink(path string) error {
	other := filepath.Dir(filepath.Dir(path)) + ".moved-" + filepath.Base(path)
	if err := os.Rename(path, other); err != nil {
		return err
	}
	return os.Symlink(other, path)
}

// Values that an earlier version kept, whose manifests have no name and kind, can be forgotten too.
func TestForgetEarlierVersions(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("SRDIFF_KEPT", dir)
	folder := KeepFolder("run", map[string]any{"a": []int{1, 2}})
	Keep("run", 1, func() (int, error) { return 1, nil })
	manifests, err := filepath.Glob(filepath.Join(dir, "run", "*.json"))
	if err != nil || len(manifests) != 2 {
		t.Fatal(manifests, err)
	}
	for _, path := range manifests {
		m, err := readManifest(strings.TrimSuffix(path, manifestSuffix))
		if err != nil {
			t.Fatal(err)
		}
		m.Name, m.Kind = "", ""
		sum := m.SHA256
		m.SHA256 = ""
		if err := (entry{strings.TrimSuffix(path, manifestSuffix), m}).writeManifest(sum); err != nil {
			t.Fatal(err)
		}
	}
	if again := KeepFolder("run", map[string]any{"a": []int{1, 2}}); again != folder {
		t.Errorf("the folder is %s, want %s", again, folder)
	}
	if line, err := forget(nil); err != nil || line != "2 forgotten" {
		t.Errorf("%q, %v", line, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("%v, %v are left", left, err)
	}
}

// What a killed process left is used again or removed.
func TestKeepAfterAKill(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("SRDIFF_KEPT", dir)
	e, err := newEntry("a", 1, "int")
	if err != nil {
		t.Fatal(err)
	}
	leave := func() {
		writeAll(t, "", e.path+temporarySuffix+"/half")
		if err := e.writeManifest(""); err != nil {
			t.Fatal(err)
		}
		writeAll(t, "", e.path+lockSuffix)
	}
	leave()
	if line, err := forget([]string{"a"}); err != nil || line != "1 forgotten" {
		t.Errorf("%q, %v", line, err)
	}
	leave()
	for _, want := range []string{"a: made in 0s, and kept", "a: kept from before"} {
		_, line, err := keepFile("a", 1, "int", func() (int, error) { return 1, nil }, gobSave[int], gobLoad[int])
		if err != nil || line != want {
			t.Errorf("%q, %v; want %q", line, err, want)
		}
	}
	if left, err := os.ReadDir(filepath.Join(dir, "a")); err != nil || len(left) != 2 {
		t.Errorf("%v, %v: want a value and its manifest", left, err)
	}
}
