// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package dataset

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// Folders with the same pictures have one fingerprint, wherever and whenever they were written; any
// other folder has another.
func TestFolderFingerprint(t *testing.T) {
	large := pngBytes(t, noise(300, 300, 1)) // above wholeFile
	if len(large) < 2*wholeFile {
		t.Fatalf("a large file has %d bytes", len(large))
	}
	changed := func(at int) []byte {
		data := bytes.Clone(large)
		data[at] ^= 1
		return data
	}
	build := func(change func(dir string)) string {
		dir := writePictures(t)
		writeFile(t, filepath.Join(dir, "below", "large.png"), large)
		change(dir)
		return Fingerprint(open(t, "images:"+dir, Options{}))
	}
	want := build(func(string) {})
	if len(want) != 64 {
		t.Errorf("fingerprint %q, want a SHA-256", want)
	}
	for what, change := range map[string]func(dir string){
		"nothing": func(string) {},
		"times": func(dir string) {
			old := time.Now().Add(-time.Hour)
			if err := os.Chtimes(filepath.Join(dir, "a.png"), old, old); err != nil {
				t.Fatal(err)
			}
		},
		"another kind of file": func(dir string) { writeFile(t, filepath.Join(dir, "notes.txt"), nil) },
	} {
		if got := build(change); got != want {
			t.Errorf("%s changed the fingerprint", what)
		}
	}
	seen := map[string]string{want: "nothing"}
	for what, change := range map[string]func(dir string){
		"a name": func(dir string) {
			if err := os.Rename(filepath.Join(dir, "a.png"), filepath.Join(dir, "aa.png")); err != nil {
				t.Fatal(err)
			}
		},
		"a folder": func(dir string) {
			if err := os.Rename(filepath.Join(dir, "below"), filepath.Join(dir, "above")); err != nil {
				t.Fatal(err)
			}
		},
		"one less": func(dir string) {
			if err := os.Remove(filepath.Join(dir, "a.png")); err != nil {
				t.Fatal(err)
			}
		},
		"one more":     func(dir string) { writePNG(t, filepath.Join(dir, "z.png"), noise(40, 40, 9)) },
		"other pixels": func(dir string) { writePNG(t, filepath.Join(dir, "a.png"), noise(40, 48, 9)) },
		"a longer file": func(dir string) {
			writeFile(t, filepath.Join(dir, "below", "large.png"), append(bytes.Clone(large), 0))
		},
		"middle": func(dir string) { writeFile(t, filepath.Join(dir, "below", "large.png"), changed(len(large)/2)) },
		"end":    func(dir string) { writeFile(t, filepath.Join(dir, "below", "large.png"), changed(len(large)-20)) },
	} {
		got := build(change)
		if other := seen[got]; other != "" {
			t.Errorf("%s and %s: one fingerprint", what, other)
		}
		seen[got] = what
	}
}

func TestFingerprints(t *testing.T) {
	archive, folder := writeCIFAR(t, 3), t.TempDir()
	for _, e := range cifarEntries(3) {
		if e.data != nil {
			writeFile(t, filepath.Join(folder, filepath.Base(e.name)), e.data)
		}
	}
	of := func(spec string, o Options) string { return Fingerprint(open(t, spec, o)) }
	same := of("cifar10:"+archive, Options{})
	if got := of("cifar10:"+folder, Options{Seed: 5}); got != same {
		t.Error("CIFAR-10 from a folder has another fingerprint than from an archive")
	}
	if got := Fingerprint(Flip(open(t, "cifar10:"+folder, Options{}), 3)); got != same {
		t.Error("mirrored pictures have another fingerprint")
	}
	seen := map[string]string{same: "CIFAR-10"}
	for what, got := range map[string]string{
		"other CIFAR-10":    of("cifar10:"+writeCIFAR(t, 2), Options{}),
		"CIFAR-10 held out": of("cifar10:"+archive, Options{HeldOut: true}),
		"generated":         of("generated", Options{}),
		"generated of size": of("generated", Options{Size: 16}),
		"generated of seed": of("generated", Options{Seed: 1}),
		"generated apart":   of("generated", Options{HeldOut: true}),
	} {
		if other := seen[got]; other != "" || got == "" {
			t.Errorf("%s has the fingerprint %q, as %s has", what, got, other)
		}
		seen[got] = what
	}
	first, second := of("generated", Options{Seed: 1}), of("generated", Options{Seed: 1})
	if first != second {
		t.Errorf("generated pictures of one seed have the fingerprints %q and %q", first, second)
	}
	if got := Fingerprint(counter{}); got != "" {
		t.Errorf("a source without a fingerprint has %q", got)
	}
}

// The generator's version stands for its pictures in fingerprints.
func TestGeneratorVersion(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("other processors may round some pixels otherwise")
	}
	hash := sha256.New()
	for _, o := range []Options{{}, {Size: 96, Seed: 7}, {HeldOut: true}} {
		src := open(t, "generated", o)
		for i := range uint64(16) {
			fmt.Fprint(hash, picture(t, src, i))
		}
	}
	const version, pictures = 1, "ff2cb5773a344baa"
	if got := fmt.Sprintf("%.8x", hash.Sum(nil)); generatorVersion != version || got != pictures {
		t.Errorf("version %d draws pictures with hash %s, want version %d with %s: "+
			"raise generatorVersion if the pictures changed, and put both here", generatorVersion, got, version, pictures)
	}
}
