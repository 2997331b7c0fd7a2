// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// destination is the state of a folder for results before the work. The folder need not exist.
type destination struct {
	exists      string   // the folder, or the nearest one above it that exists
	missing     []string // the names of the folders that are to be made in it
	info        fs.FileInfo
	ignoresCase bool // a.png and A.png name the same file
}

// destinations caches the state of folders.
type destinations struct {
	known map[string]*destination
	all   []*destination
	probe func(folder string) (ignoresCase bool, err error)
}

func newDestinations() *destinations {
	return &destinations{known: map[string]*destination{}, probe: probe}
}

// at returns the state of a folder, or an error if it cannot be written to.
func (ps *destinations) at(folder string) (*destination, error) {
	if p := ps.known[folder]; p != nil {
		return p, nil
	}
	p := &destination{exists: folder}
	for {
		var err error
		if p.info, err = os.Stat(p.exists); err == nil {
			break
		}
		parent, name := split(p.exists)
		if !errors.Is(err, fs.ErrNotExist) || parent == p.exists {
			return nil, fmt.Errorf("folder %s: %w", filepath.Clean(folder), reason(err))
		}
		p.exists, p.missing = parent, append([]string{name}, p.missing...)
	}
	if !p.info.IsDir() {
		return nil, fmt.Errorf("%s is a file, not a folder", filepath.Clean(p.exists))
	}
	for _, name := range p.missing {
		if err := p.checkName(name); err != nil {
			return nil, err
		}
	}
	for _, other := range ps.all {
		if os.SameFile(p.info, other.info) {
			p.ignoresCase = other.ignoresCase
			ps.add(folder, p)
			return p, nil
		}
	}
	var err error
	if p.ignoresCase, err = ps.probe(p.exists); err != nil {
		return nil, fmt.Errorf("nothing can be written to the folder %s: %w", filepath.Clean(p.exists), reason(err))
	}
	ps.add(folder, p)
	return p, nil
}

func (ps *destinations) add(folder string, p *destination) {
	ps.known[folder] = p
	ps.all = append(ps.all, p)
}

// key returns a text that is the same for two paths exactly if they name the same file, which need
// not exist. It returns an error where no file of that name can be written.
func (ps *destinations) key(path string) (string, error) {
	folder, name := split(path)
	p, err := ps.at(folder)
	if err != nil {
		return "", err
	}
	if len(p.missing) == 0 {
		if err := p.checkName(name); err != nil {
			return "", err
		}
	} else if err := (&destination{exists: p.exists}).checkName(name); err != nil {
		return "", err
	}
	names := strings.Join(append(p.missing[:len(p.missing):len(p.missing)], name), "/")
	if p.ignoresCase {
		names = strings.ToLower(names)
	}
	for i, other := range ps.all {
		if os.SameFile(p.info, other.info) {
			return fmt.Sprintf("%d/%s", i, names), nil
		}
	}
	panic("unknown destination")
}

// check returns an error for a path where no file can be written. Its folder must exist unless it
// is to be made.
func (ps *destinations) check(path string, makesFolder bool) error {
	if _, err := ps.key(path); err != nil {
		return err
	}
	folder, _ := split(path)
	p, err := ps.at(folder)
	if err == nil && len(p.missing) > 0 && !makesFolder {
		err = fmt.Errorf("write %s: folder %s: no such file or directory; make it first", path, filepath.Clean(folder))
	}
	return err
}

// checkName returns an error for a name that the folder's file system refuses, such as one that is
// too long.
func (p *destination) checkName(name string) error {
	_, err := os.Lstat(filepath.Join(p.exists, name))
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return fmt.Errorf("%s, of %d bytes, cannot be a name in the folder %s: %w", name, len(name), filepath.Clean(p.exists), reason(err))
}

// probe creates and removes a file in a folder, and reports whether its name in capitals names the
// same file.
func probe(folder string) (ignoresCase bool, err error) {
	f, err := os.CreateTemp(folder, ".srdiff-")
	if err != nil {
		return false, err
	}
	defer os.Remove(f.Name())
	made, err := f.Stat()
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return false, err
	}
	twin, err := os.Lstat(filepath.Join(folder, strings.ToUpper(filepath.Base(f.Name()))))
	return err == nil && os.SameFile(made, twin), nil
}

// split returns the folder of a path and the name in it. Unlike filepath.Dir it leaves link/.. as
// it is, which need not be the folder that holds link.
func split(path string) (folder, name string) {
	volume := len(filepath.VolumeName(path))
	for len(path) > volume+1 && os.IsPathSeparator(path[len(path)-1]) {
		path = path[:len(path)-1]
	}
	folder, name = filepath.Split(path)
	switch {
	case folder == "":
		return ".", name
	case name == "":
		return path, "" // the root
	}
	return folder, name
}

// reason removes the path from a system error, because the message names it already.
func reason(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

// isWithin reports whether a folder is the other one or lies below it.
func isWithin(folder, other string) bool {
	above, err := os.Stat(other)
	if err != nil {
		return false
	}
	folder, err = filepath.EvalSymlinks(folder)
	if err == nil {
		folder, err = filepath.Abs(folder)
	}
	for err == nil {
		if info, err := os.Stat(folder); err == nil && os.SameFile(info, above) {
			return true
		}
		parent := filepath.Dir(folder)
		if parent == folder {
			return false
		}
		folder = parent
	}
	return false
}

// diskSpace sums the bytes to be written to each file system.
type diskSpace struct {
	free, needed map[string]uint64
	folder       map[string]string // one on each, for the error
}

// add counts bytes for a folder. It skips a file system whose free space is unknown.
func (s *diskSpace) add(folder string, bytes uint64) {
	free, system, err := freeSpace(folder)
	if err != nil {
		return
	}
	if s.free == nil {
		s.free, s.needed, s.folder = map[string]uint64{}, map[string]uint64{}, map[string]string{}
	}
	s.free[system], s.folder[system] = free, folder
	s.needed[system] += bytes
}

// check returns an error for a file system that is too full.
func (s *diskSpace) check() error {
	for system, needed := range s.needed {
		if free := s.free[system]; needed > free {
			return fmt.Errorf("the results take about %s and there is %s free in %s: make room, or give another folder",
				formatBytes(needed), formatBytes(free), s.folder[system])
		}
	}
	return nil
}

// formatBytes formats bytes with three digits and a unit.
func formatBytes(bytes uint64) string {
	value, unit := float64(bytes), "bytes"
	for _, larger := range []string{"KB", "MB", "GB", "TB"} {
		if value < 1000 {
			break
		}
		value, unit = value/1000, larger
	}
	return fmt.Sprintf("%.3g %s", value, unit)
}
