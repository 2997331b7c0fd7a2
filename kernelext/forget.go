// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package kernelext

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/srdiff/srlab/srdiff/lock"
)

// removal counts what [Forget] removes, and what it leaves.
type removal struct {
	removed int
	foreign int      // Files and folders that are not ours.
	left    []string // Ours, each with the reason why it stays.
}

func forget(names []string) (line string, err error) {
	var r removal
	if len(names) == 0 {
		if names, err = r.allNames(); err != nil {
			return "", err
		}
	}
	for _, name := range names {
		if err := checkName(name); err != nil {
			return "", err
		}
		if err := r.forgetName(name); err != nil {
			return "", fmt.Errorf("forgetting %q: %w", name, err)
		}
	}
	return r.String(), nil
}

// String is a line such as "2 forgotten; 1 other file or folder stays".
func (r *removal) String() string {
	parts := []string{fmt.Sprintf("%d forgotten", r.removed)}
	if r.foreign == 1 {
		parts = append(parts, "1 other file or folder stays")
	} else if r.foreign > 1 {
		parts = append(parts, fmt.Sprintf("%d other files and folders stay", r.foreign))
	}
	return strings.Join(append(parts, r.left...), "; ")
}

// allNames lists the folders that may hold kept values.
func (r *removal) allNames() (names []string, err error) {
	entries, err := os.ReadDir(keptFolder())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		if e.IsDir() && checkName(e.Name()) == nil {
			names = append(names, e.Name())
		} else {
			r.foreign++
		}
	}
	return names, nil
}

// forgetName removes what is kept under a name, and then the name's folder if nothing else is in
// it.
func (r *removal) forgetName(name string) error {
	dir := filepath.Join(keptFolder(), name)
	info, err := os.Lstat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !info.IsDir() { // A file, or a link to a folder elsewhere.
		r.foreign++
		return nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	removed := r.removed
	stays := map[string]bool{} // Hashes of what is ours and cannot be removed.
	for _, e := range entries {
		hash, isManifest := strings.CutSuffix(e.Name(), manifestSuffix)
		if !isManifest || !hashForm.MatchString(hash) || !e.Type().IsRegular() {
			continue
		}
		path := filepath.Join(dir, hash)
		if m, err := readManifest(path); err != nil || !m.isOf(path) {
			continue
		} else if reason, err := remove(path, m); err != nil {
			return err
		} else if reason != "" {
			stays[hash] = true
			r.left = append(r.left, fmt.Sprintf("%s stays, as it %s", path, reason))
		} else {
			r.removed++
		}
	}
	rest, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range rest {
		if hash, _, _ := strings.Cut(e.Name(), "."); !stays[hash] {
			r.foreign++
		}
	}
	if len(rest) == 0 && r.removed > removed {
		return os.Remove(dir)
	}
	return nil
}

// isOf reports whether Keep or KeepFolder wrote the manifest for what is at path. One of an earlier
// version has no kind; its value is known by its checksum, which [remove] compares.
func (m manifest) isOf(path string) bool {
	kind := m.Kind
	if kind == "" && m.SHA256 != "" {
		return true
	}
	if kind == "" {
		kind = folderKind
	}
	return inputsHash(kind, m.Inputs) == filepath.Base(path)
}

// remove removes a kept value or folder and its manifest. It returns a reason if it removes
// nothing: the path is in use elsewhere, or what is there is not what was written.
func remove(path string, m manifest) (reason string, err error) {
	release, err := takeOver(path)
	if held, ok := errors.AsType[*lock.HeldError](err); ok {
		return "is in use by " + held.Holder(), nil
	}
	if err != nil {
		return "", err
	}
	defer release()
	isFolder := m.Kind == folderKind || m.Kind == "" && m.SHA256 == ""
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return "", err
	case isFolder && info.IsDir(), !isFolder && m.SHA256 == "" && info.Mode().IsRegular():
	case !isFolder && info.Mode().IsRegular():
		sum, err := fileSum(path)
		if err != nil {
			return "", err
		}
		if sum != m.SHA256 {
			return "was changed after it was kept", nil
		}
	default:
		return "is not what was kept there", nil
	}
	if m.Kind != "" && !isFolder {
		if err := os.RemoveAll(path + temporarySuffix); err != nil {
			return "", err
		}
	}
	if err := os.RemoveAll(path); err != nil {
		return "", err
	}
	return "", os.Remove(path + manifestSuffix)
}

// takeOver locks a path, or takes the lock that this process has already.
func takeOver(path string) (release func(), err error) {
	key, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	openFolders.Lock()
	defer openFolders.Unlock()
	if release := openFolders.release[key]; release != nil {
		delete(openFolders.release, key)
		return release, nil
	}
	return lock.Acquire(path + lockSuffix)
}
