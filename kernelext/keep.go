// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package kernelext

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/gob"
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
	"time"

	"github.com/google/renameio/v2"
)

// KeptFolder is where kept values are: beside the notebook, as that is where cells run, and shared by all notebooks
// there. The environment variable SRDIFF_KEPT names another folder, as nbcheck does, so that it tries everything anew.
const KeptFolder = "kept"

// Keep gives cells what Go programs lack: values that outlive them. It returns what produce makes of the inputs, and
// keeps it in a file; when a cell asks for the same name with the same inputs again, it is taken from there:
//
//	photos := kernelext.Keep("photos", settings, func() ([]imaging.Picture, error) {
//		return load(settings)
//	})
//
// A line says which of the two it was. Inputs are all that the value depends on; what counts is their JSON, so
// unexported fields do not. Other inputs make a value of their own, and going back to the former ones finds theirs.
// What is not noticed is code that has changed: [Forget] the name then.
//
// The value can be whatever encoding/gob can carry and memory can hold twice: numbers, strings, slices, maps, and structs
// of such in exported fields, such as pictures. For a model or a tensor see [KeepFile], for a training run [KeepFolder].
// A file is written whole or not at all, and one that is damaged is made again. A value that cannot be kept is returned
// all the same, and the line says why. An error of produce ends the cell as [Check] does, and nothing is kept.
func Keep[T any](name string, inputs any, produce func() (T, error)) T {
	return KeepFile(name, inputs, produce, gobSave[T], gobLoad[T])
}

// KeepFile is [Keep] for what has a file format of its own, such as a model:
//
//	model := kernelext.KeepFile("model", config, func() (*srdiff.Model, error) {
//		return train(config)
//	}, (*srdiff.Model).Save, func(path string) (*srdiff.Model, error) {
//		return srdiff.Load(backend, path)
//	})
//
// or a tensor, with (*tensors.Tensor).Save and tensors.Load.
func KeepFile[T any](name string, inputs any, produce func() (T, error), save func(T, string) error,
	load func(string) (T, error)) T {
	value, line, err := keepFile(name, inputs, produce, save, load)
	Check(err)
	fmt.Println(line)
	return value
}

func keepFile[T any](name string, inputs any, produce func() (T, error), save func(T, string) error,
	load func(string) (T, error)) (value T, line string, err error) {
	entry, err := newEntry(name, inputs, reflect.TypeFor[T]().String())
	if err != nil {
		return value, "", err
	}
	there, damage := entry.check()
	if there && damage == nil {
		if value, damage = load(entry.path); damage == nil {
			return value, name + ": kept from before", nil
		}
	}
	started := time.Now()
	if value, err = produce(); err != nil {
		return value, "", err
	}
	took := clock(time.Since(started))
	line = fmt.Sprintf("%s: made in %s, and kept", name, took)
	if damage != nil {
		line = fmt.Sprintf("%s: what was kept is damaged (%v); made again in %s", name, damage, took)
	}
	if err := entry.write(func(path string) error { return save(value, path) }); err != nil {
		line = fmt.Sprintf("%s: made in %s, but it cannot be kept: %v", name, took, err)
	}
	return value, line, nil
}

// KeepFolder returns a folder that belongs to these inputs, and makes it when they are asked for the first time. A
// training run in it can be taken up again by any cell that says the same inputs:
//
//	dir := kernelext.KeepFolder("run", config)
//
// What is in it is the caller's. A line says whether it was there. See [Keep].
func KeepFolder(name string, inputs any) string {
	dir, line, err := keepFolder(name, inputs)
	Check(err)
	fmt.Println(line)
	return dir
}

func keepFolder(name string, inputs any) (dir, line string, err error) {
	entry, err := newEntry(name, inputs, "folder")
	if err != nil {
		return "", "", err
	}
	if info, err := os.Stat(entry.path); err == nil && info.IsDir() {
		return entry.path, name + ": the folder from before", nil
	}
	if err := os.MkdirAll(entry.path, 0o755); err != nil {
		return "", "", fmt.Errorf("keeping %q: %w", name, err)
	}
	if err := entry.note(""); err != nil {
		return "", "", fmt.Errorf("keeping %q: %w", name, err)
	}
	return entry.path, name + ": a new folder", nil
}

// Forget removes what is kept under these names, training runs too; without names, all that is kept for the notebooks
// of this folder.
func Forget(names ...string) {
	line, err := forget(names)
	Check(err)
	fmt.Println(line)
}

func forget(names []string) (line string, err error) {
	if len(names) == 0 {
		entries, err := os.ReadDir(keptFolder())
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		for _, e := range entries {
			names = append(names, e.Name())
		}
	}
	gone := 0
	for _, name := range names {
		if err := checkName(name); err != nil {
			return "", err
		}
		dir := filepath.Join(keptFolder(), name)
		notes, err := filepath.Glob(filepath.Join(dir, "*"+noteSuffix))
		if err != nil {
			return "", err
		}
		if err := os.RemoveAll(dir); err != nil {
			return "", fmt.Errorf("forgetting %q: %w", name, err)
		}
		gone += len(notes)
	}
	return fmt.Sprintf("%d forgotten", gone), nil
}

// entry is one kept value: kept/NAME/HASH, where HASH stands for the inputs, and beside it a note that says what they
// are and what the file has to look like. Only with its note a file counts.
type entry struct {
	path   string
	inputs json.RawMessage
}

const noteSuffix = ".json"

// note is the JSON beside a kept value.
type note struct {
	Inputs json.RawMessage `json:"inputs"`
	SHA256 string          `json:"sha256,omitempty"` // Of a file.
}

var nameForm = regexp.MustCompile(`^\p{L}[\p{L}\p{N}_ .-]*$`)

func checkName(name string) error {
	if !nameForm.MatchString(name) || len(name) > 100 {
		return fmt.Errorf("keeping %q: want a name of letters, digits, spaces, '_', '-' and '.', starting with a letter", name)
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
	hash := sha256.Sum256(fmt.Appendf(nil, "1\n%s\n%s", kind, data))
	return entry{filepath.Join(keptFolder(), name, hex.EncodeToString(hash[:6])), data}, nil
}

// check says whether the file is there, and what is wrong with it.
func (e entry) check() (there bool, damage error) {
	data, err := os.ReadFile(e.path + noteSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return true, err
	}
	var n note
	if err := json.Unmarshal(data, &n); err != nil {
		return true, err
	}
	sum, err := fileSum(e.path)
	if err == nil && sum != n.SHA256 {
		err = errors.New("its checksum is another")
	}
	return true, err
}

// write has the file written under another name, and renamed when it is whole and on the disk.
func (e entry) write(save func(path string) error) error {
	dir := filepath.Dir(e.path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	temporary, err := os.MkdirTemp(dir, ".new-*") // A folder, as what saves may use more than the one name.
	if err != nil {
		return err
	}
	defer os.RemoveAll(temporary)
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
	if err := os.Remove(e.path + noteSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(path, e.path); err != nil {
		return err
	}
	return e.note(sum)
}

// note makes what was written count.
func (e entry) note(sum string) error {
	data, err := json.MarshalIndent(note{e.inputs, sum}, "", " ")
	if err != nil {
		return err
	}
	return renameio.WriteFile(e.path+noteSuffix, data, 0o644)
}

func gobSave[T any](value T, path string) error {
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(&value); err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}

func gobLoad[T any](path string) (value T, err error) {
	file, err := os.Open(path)
	if err != nil {
		return value, err
	}
	defer file.Close()
	err = gob.NewDecoder(bufio.NewReader(file)).Decode(&value)
	return value, err
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
