// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// licences returns the text of LICENSES for the packages that are linked in, by their import paths.
func licences(linked map[string]goPackage) (string, error) {
	var b strings.Builder
	b.WriteString("What is in the program srdiff, and under which licences.\n")
	section := func(title, text string) { fmt.Fprintf(&b, "\n\n==== %s ====\n\n%s\n", title, strings.TrimSpace(text)) }

	ours, err := os.ReadFile("LICENSE")
	if err != nil {
		return "", err
	}
	section("srdiff", string(ours))
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return "", err
	}
	text, err := licenceIn(strings.TrimSpace(string(root)), nil)
	if err != nil {
		return "", err
	}
	section("Go: its standard library and runtime", text)

	modules := map[string][]goPackage{}
	for _, path := range slices.Sorted(maps.Keys(linked)) {
		if p := linked[path]; !p.Standard && !p.Module.Main {
			name := p.Module.Path + " " + p.Module.Version
			modules[name] = append(modules[name], p)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(modules)) {
		var folders []string
		for _, p := range modules[name] {
			folders = append(folders, p.Dir)
		}
		if text, err = licenceIn(modules[name][0].Module.Dir, folders); err != nil {
			return "", fmt.Errorf("module %s: %w", name, err)
		}
		section(name, text)
	}

	origins, err := embedded(linked)
	if err != nil {
		return "", err
	}
	for _, title := range slices.Sorted(maps.Keys(origins)) {
		section(title, origins[title])
	}
	return b.String(), nil
}

// isLicence matches the names of files with a licence or what belongs to it.
var isLicence = regexp.MustCompile(`(?i)^(licen[cs]es?|copying|notice|patents)([-.].*)?$`)

// licenceIn returns the licence files in a folder, and in the given folders below it and those
// between.
func licenceIn(root string, below []string) (string, error) {
	folders := map[string]bool{root: true}
	for _, folder := range below {
		for ; len(folder) > len(root); folder = filepath.Dir(folder) {
			folders[folder] = true
		}
	}
	var b strings.Builder
	for _, folder := range slices.Sorted(maps.Keys(folders)) {
		entries, err := os.ReadDir(folder)
		if err != nil {
			return "", err
		}
		for _, entry := range entries {
			if entry.IsDir() || !isLicence.MatchString(entry.Name()) || strings.HasSuffix(entry.Name(), ".go") {
				continue
			}
			text, err := os.ReadFile(filepath.Join(folder, entry.Name()))
			if err != nil {
				return "", err
			}
			if name, err := filepath.Rel(root, filepath.Join(folder, entry.Name())); err == nil {
				fmt.Fprintf(&b, "-- %s --\n%s\n", filepath.ToSlash(name), text)
			}
		}
	}
	if b.Len() == 0 {
		return "", fmt.Errorf("there is no licence in %s", root)
	}
	return b.String(), nil
}

// others are the origins of embedded data that no list in its folder names.
var others = map[string]string{
	"srdiff/engine/install/xlacpu/":          "srdiff's own program text, under srdiff's licence",
	"srdiff/internal/serve/page/":            "srdiff's own program text, under srdiff's licence",
	"srdiff/metrics/niqe.json":               "fitted by srdiff/metrics/fitniqe to photographs of free licences; under srdiff's licence",
	"srdiff/features/classifier.safetensors": "trained by srdiff on generated pictures; under srdiff's licence",
	"google.golang.org/protobuf/":            "part of google.golang.org/protobuf, under its licence",
}

// embedded returns sections on the data that is embedded, by their titles. Each file must be named
// by the README.md of its folder, in a heading, by the SOURCES.tsv of its package, or by others.
func embedded(linked map[string]goPackage) (map[string]string, error) {
	sections := map[string]string{}
	for _, path := range slices.Sorted(maps.Keys(linked)) {
		p := linked[path]
		if p.Standard || len(p.EmbedFiles) == 0 {
			continue
		}
		cards, _ := os.ReadFile(filepath.Join(p.Dir, "README.md"))
		sources, _ := os.ReadFile(filepath.Join(p.Dir, "SOURCES.tsv"))
		name := strings.TrimPrefix(path, p.Module.Path+"/")
		if !p.Module.Main {
			name = path
		}
		for _, file := range p.EmbedFiles {
			switch {
			case card(string(cards), file) != "":
				sections["Model "+file] = card(string(cards), file)
			case strings.Contains(string(sources), "\n"+file+"\t"):
				sections["Photographs of "+name+": file, width, height, author, source, licence"] = string(sources)
			case other(name+"/"+file) != "":
				sections["Data "+name+"/"+file] = other(name + "/" + file)
			default:
				return nil, fmt.Errorf("the origin of %s/%s, which is embedded, is unknown: name it in README.md, SOURCES.tsv or here", name, file)
			}
		}
	}
	const photographs = "srdiff/dataset/gather/photos.tsv"
	list, err := os.ReadFile(photographs)
	if err != nil {
		return nil, err
	}
	sections["Photographs that the models were trained on, which are not in the program"] = string(list)
	return sections, nil
}

// card returns the part of a text below the heading that is a file's name, "" for none.
func card(text, file string) string {
	_, after, _ := strings.Cut("\n"+text, "\n# "+file+"\n")
	part, _, _ := strings.Cut(after, "\n# ")
	return strings.TrimSpace(part)
}

func other(path string) string {
	for prefix, text := range others {
		if strings.HasPrefix(path, prefix) {
			return text
		}
	}
	return ""
}
