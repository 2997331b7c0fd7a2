// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// The command release builds srdiff for several systems, without C, and lists checksums and
// licences:
//
//	go run ./srdiff/internal/release FOLDER linux/amd64 windows/amd64 ...
//
// It runs in the repository's root. FOLDER gets a program for each system, SHA256SUMS, and
// LICENSES: the licence of every module that is linked in, and origin and licence of all data that
// is embedded. A missing licence or an unknown origin is an error. The same commit and version of
// Go give the same bytes.
package main

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "release: want a folder and systems, such as linux/amd64")
		os.Exit(2)
	}
	if err := release(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// command is the package of the program.
const command = "./srdiff/cmd/srdiff"

func release(folder string, systems []string) error {
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return err
	}
	linked := map[string]goPackage{}
	for _, system := range systems {
		packages, err := packagesOf(system)
		if err != nil {
			return err
		}
		for _, p := range packages {
			linked[p.ImportPath] = p
		}
	}
	text, err := licences(linked)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, "LICENSES"), []byte(text), 0o666); err != nil {
		return err
	}
	for _, system := range systems {
		path := filepath.Join(folder, programName(system))
		if _, err := goTool(system, "build", "-trimpath", "-buildvcs=auto", "-ldflags", "-s -w", "-o", path, command); err != nil {
			return err
		}
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		fmt.Printf("%s: %.1f MB\n", path, float64(info.Size())/1e6)
	}
	return writeSums(folder)
}

// programName is the name of the program for a system, such as srdiff-windows-amd64.exe.
func programName(system string) string {
	name := "srdiff-" + strings.ReplaceAll(system, "/", "-")
	if strings.HasPrefix(system, "windows/") {
		name += ".exe"
	}
	return name
}

// goTool runs the go command for a system, without C, and returns what it prints.
func goTool(system string, args ...string) ([]byte, error) {
	goos, arch, ok := strings.Cut(system, "/")
	if !ok {
		return nil, fmt.Errorf("system %q: want one such as linux/amd64", system)
	}
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+goos, "GOARCH="+arch)
	out, err := cmd.Output()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		err = fmt.Errorf("go %s for %s: %s", args[0], system, strings.TrimSpace(string(failed.Stderr)))
	}
	return out, err
}

// goPackage is a package that is linked in, as go list describes it.
type goPackage struct {
	ImportPath string
	Dir        string
	Standard   bool
	EmbedFiles []string
	Module     *struct {
		Path, Version, Dir string
		Main               bool
	}
}

func packagesOf(system string) (list []goPackage, err error) {
	out, err := goTool(system, "list", "-deps", "-json=ImportPath,Dir,Standard,EmbedFiles,Module", command)
	if err != nil {
		return nil, err
	}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := d.Decode(&p); err == io.EOF {
			return list, nil
		} else if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
}

// writeSums writes SHA256SUMS, which sha256sum -c checks, of all files in a folder.
func writeSums(folder string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	var lines []string
	for _, entry := range entries {
		data, err := os.ReadFile(filepath.Join(folder, entry.Name()))
		if err != nil {
			return err
		}
		lines = append(lines, fmt.Sprintf("%x  %s\n", sha256.Sum256(data), entry.Name()))
	}
	slices.Sort(lines)
	return os.WriteFile(filepath.Join(folder, "SHA256SUMS"), []byte(strings.Join(lines, "")), 0o666)
}
