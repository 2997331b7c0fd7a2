// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package kernelext

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"sync"

	"github.com/google/renameio/v2"

	"github.com/srdiff/srlab/srdiff/lock"
)

const (
	manifestSuffix  = ".json" // Of the file that describes a kept value.
	lockSuffix      = ".lock" // Of the file that a process locks to write a value or use a folder.
	temporarySuffix = ".new"  // Of the folder in which a value is written until it is whole.

	folderKind = "folder" // The kind of what KeepFolder keeps.
)

// entry is one kept value or folder: kept/NAME/HASH, where HASH stands for its kind and its inputs.
// The manifest beside it is written first. It shows that the name HASH is ours, and a value counts
// once its manifest has its checksum.
type entry struct {
	path     string
	manifest manifest
}

// manifest is the JSON file beside a kept value or folder.
type manifest struct {
	// Files of earlier versions have no name and no kind.
	Name   string          `json:"name,omitempty"`
	Kind   string          `json:"kind,omitempty"`
	Inputs json.RawMessage `json:"inputs"`
	SHA256 string          `json:"sha256,omitempty"` // Of a value's file. Empty for a folder.
}

var (
	nameForm = regexp.MustCompile(`^\p{L}[\p{L}\p{N}_ .-]*$`)
	hashForm = regexp.MustCompile(`^[0-9a-f]{12}$`)
)

func checkName(name string) error {
	if !nameForm.MatchString(name) || len(name) > 100 {
		return fmt.Errorf("keeping %q: want a name of letters, digits, spaces, '_', '-' and '.', starting with a letter, "+
			"and at most 100 bytes long", name)
	}
	return nil
}

func keptFolder() string {
	if dir := os.Getenv("SRDIFF_KEPT"); dir != "" {
		return dir
	}
	return KeptFolder
}

func newEntry(name string, inputs any, kind string) (entry, error) {
	if err := checkName(name); err != nil {
		return entry{}, err
	}
	data, err := json.Marshal(inputs)
	if err != nil {
		return entry{}, fmt.Errorf("keeping %q: its inputs have no JSON form: %w", name, err)
	}
	if err := checkInputs(reflect.ValueOf(inputs), "inputs"); err != nil {
		return entry{}, fmt.Errorf("keeping %q: %w", name, err)
	}
	return entry{
		path:     filepath.Join(keptFolder(), name, inputsHash(kind, data)),
		manifest: manifest{Name: name, Kind: kind, Inputs: data},
	}, nil
}

// inputsHash is the file name for a kind of value and the JSON of its inputs.
func inputsHash(kind string, inputs []byte) string {
	hash := sha256.Sum256(fmt.Appendf(nil, "1\n%s\n%s", kind, inputs))
	return hex.EncodeToString(hash[:6])
}

// readManifest reads the manifest of the value or folder at path.
func readManifest(path string) (manifest, error) {
	data, err := os.ReadFile(path + manifestSuffix)
	if err != nil {
		return manifest{}, err
	}
	var m manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return manifest{}, fmt.Errorf("%s: %w", filepath.Base(path+manifestSuffix), err)
	}
	var inputs bytes.Buffer // Without the spaces of the file, as in the hash.
	if err := json.Compact(&inputs, m.Inputs); err != nil {
		return manifest{}, fmt.Errorf("%s: %w", filepath.Base(path+manifestSuffix), err)
	}
	m.Inputs = inputs.Bytes()
	return m, nil
}

// describes reports whether a manifest read from a file is that of the entry. The hash alone may be
// that of other inputs, and where file names ignore case the folder may be that of another name.
func (e entry) describes(m manifest) bool {
	return (m.Name == "" || m.Name == e.manifest.Name) && (m.Kind == "" || m.Kind == e.manifest.Kind) &&
		bytes.Equal(m.Inputs, e.manifest.Inputs)
}

// check reports whether the value's file exists, and what is wrong with it.
func (e entry) check() (exists bool, damage error) {
	m, err := readManifest(e.path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return true, err
	}
	if !e.describes(m) || m.SHA256 == "" {
		return false, nil
	}
	sum, err := fileSum(e.path)
	if err == nil && sum != m.SHA256 {
		err = errors.New("its checksum is another")
	}
	return true, err
}

// write calls save with a temporary path, and renames the file when it is whole and on the disk.
func (e entry) write(save func(path string) error) (err error) {
	if err := os.MkdirAll(filepath.Dir(e.path), 0o755); err != nil {
		return err
	}
	release, err := lock.Acquire(e.path + lockSuffix)
	if err != nil {
		return err
	}
	defer release()
	temporary := e.path + temporarySuffix // A folder, as save may make other files beside its own.
	if m, err := readManifest(e.path); err == nil && e.describes(m) {
		if err := os.RemoveAll(temporary); err != nil { // Left by a process that was killed here.
			return err
		}
	}
	if err := e.writeManifest(""); err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, os.RemoveAll(temporary))
		if _, missing := os.Lstat(e.path); missing != nil {
			err = errors.Join(err, os.Remove(e.path+manifestSuffix))
		}
	}()
	if err := os.Mkdir(temporary, 0o755); err != nil {
		return err
	}
	path := filepath.Join(temporary, filepath.Base(e.path))
	if err := save(path); err != nil {
		return err
	}
	if err := syncFile(path); err != nil {
		return err
	}
	sum, err := fileSum(path)
	if err != nil {
		return err
	}
	if err := os.Rename(path, e.path); err != nil {
		return err
	}
	return e.writeManifest(sum)
}

func (e entry) writeManifest(sum string) error {
	m := e.manifest
	m.SHA256 = sum
	data, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return err
	}
	return renameio.WriteFile(e.path+manifestSuffix, data, 0o644)
}

// openFolders has the locks of the folders that this process uses, by absolute path. They end with
// the process.
var openFolders = struct {
	sync.Mutex
	release map[string]func()
}{release: map[string]func(){}}

// openFolder makes the folder unless it exists, and locks it for this process.
func (e entry) openFolder() (isNew bool, err error) {
	key, err := filepath.Abs(e.path)
	if err != nil {
		return false, err
	}
	if err := os.MkdirAll(filepath.Dir(e.path), 0o755); err != nil {
		return false, err
	}
	openFolders.Lock()
	defer openFolders.Unlock()
	if openFolders.release[key] == nil {
		release, err := lock.Acquire(e.path + lockSuffix)
		if held, ok := errors.AsType[*lock.HeldError](err); ok {
			return false, fmt.Errorf("its folder %s is in use by %s: stop that cell, or wait until it ends",
				e.path, held.Holder())
		}
		if err != nil {
			return false, err
		}
		openFolders.release[key] = release
		defer func() {
			if err != nil {
				release()
				delete(openFolders.release, key)
			}
		}()
	}
	m, err := readManifest(e.path)
	if err == nil && !e.describes(m) {
		return false, fmt.Errorf("%s belongs to %q with the inputs %s", e.path, m.Name, m.Inputs)
	}
	if info, err := os.Stat(e.path); err == nil && info.IsDir() {
		return false, nil
	}
	if err := e.writeManifest(""); err != nil {
		return false, err
	}
	return true, os.Mkdir(e.path, 0o755)
}

func syncFile(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}

func fileSum(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}
