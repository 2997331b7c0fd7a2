// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every module and all data of the program have a licence in LICENSES: those that it is built from
// now.
func TestLicences(t *testing.T) {
	t.Chdir("../../..")
	list, err := packagesOf("linux/amd64")
	if err != nil {
		t.Fatal(err)
	}
	linked := map[string]goPackage{}
	for _, p := range list {
		linked[p.ImportPath] = p
	}
	text, err := licences(linked)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"==== srdiff ====", "==== Go: its standard library and runtime ====", "==== github.com/gomlx/gomlx v", "==== golang.org/x/image v",
		"==== Model predictor-x4.safetensors ====", "==== Model refiner-x4.safetensors ====", "==== Model photo-x4.safetensors ====",
		"==== Photographs of notebooks/photos", "test/album-jesper.jpg\t", "Ashim D'Silva", "srdiff/metrics/niqe.json",
		"Permission is hereby granted", "Copyright (c) 2010, Google Inc.", "-- zstd/internal/xxhash/LICENSE.txt --",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("LICENSES lacks %q", want)
		}
	}
	// A module without a licence, and embedded data of unknown origin, are errors.
	for name, change := range map[string]func(p *goPackage){
		"there is no licence": func(p *goPackage) { p.Module.Dir, p.Dir = t.TempDir(), "" },
		"is unknown":          func(p *goPackage) { p.EmbedFiles = []string{"new.bin"} },
	} {
		bad := map[string]goPackage{}
		for path, p := range linked {
			if strings.HasPrefix(path, "github.com/spf13/cobra") {
				module := *p.Module
				p.Module = &module
				change(&p)
			}
			bad[path] = p
		}
		if _, err := licences(bad); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%q is no error: %v", name, err)
		}
	}
}

func TestSums(t *testing.T) {
	folder := t.TempDir()
	for name, text := range map[string]string{"b": "", "a": "abc"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := writeSums(folder); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(folder, "SHA256SUMS"))
	want := "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  a\n" + // FIPS 180-4's example
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  b\n"
	if err != nil || string(got) != want {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
	if got := programName("windows/amd64") + " " + programName("darwin/arm64"); got != "srdiff-windows-amd64.exe srdiff-darwin-arm64" {
		t.Error(got)
	}
}
