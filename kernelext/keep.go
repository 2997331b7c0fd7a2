// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package kernelext

import (
	"bufio"
	"bytes"
	"encoding/gob"
	"errors"
	"fmt"
	"os"
	"reflect"
	"time"

	"github.com/srdiff/srlab/srdiff/lock"
)

// KeptFolder is the folder of kept values. It lies beside the notebook, where cells run, and all
// notebooks there share it. The environment variable SRDIFF_KEPT names another folder; nbcheck sets
// it to an empty one, so that it computes everything anew.
const KeptFolder = "kept"

// Keep gives cells what Go programs lack: values that outlive them. The first call with a name and
// inputs calls produce and writes the value to a file. A later call with the same name and inputs,
// in any cell, reads that file:
//
//	photos := kernelext.Keep("photos", settings, func() ([]imaging.Picture, error) {
//		return load(settings)
//	})
//
// Keep prints which of the two it did. Inputs are all that the value depends on. They are compared
// by their JSON, so Keep refuses inputs of which JSON leaves out a part, such as an unexported
// field. Each set of inputs has a value of its own. Keep does not notice that the code of produce
// has changed: [Forget] the name then.
//
// Keep writes the value with encoding/gob, reads it again and compares the two. It keeps the value
// only if they are equal, down to unexported fields, NaNs and the difference between nil and empty.
// Numbers, strings, slices, maps, and structs of such in exported fields can be kept, for instance
// pictures. Memory must hold the value three times. For a model or a tensor see [KeepFile], for a
// training run [KeepFolder]. If a value cannot be kept, Keep returns it all the same and prints
// why. A damaged file is replaced. An error of produce ends the cell as [Check] does.
func Keep[T any](name string, inputs any, produce func() (T, error)) T {
	return printed(keepGob(name, inputs, produce))
}

// KeepFile is [Keep] for a value that has a file format of its own, such as a model:
//
//	model := kernelext.KeepFile("model", config, func() (*srdiff.Model, error) {
//		return train(config)
//	}, (*srdiff.Model).Save, func(path string) (*srdiff.Model, error) {
//		return srdiff.Load(backend, path)
//	})
//
// or a tensor, with (*tensors.Tensor).Save and tensors.Load. KeepFile relies on load to return what
// save was given.
func KeepFile[T any](name string, inputs any, produce func() (T, error), save func(T, string) error,
	load func(string) (T, error)) T {
	return printed(keepFile(name, inputs, reflect.TypeFor[T]().String(), produce, save, load))
}

// printed prints the line about a kept value and returns the value, or ends the cell.
func printed[T any](value T, line string, err error) T {
	Check(err)
	fmt.Println(printable(line))
	return value
}

func keepGob[T any](name string, inputs any, produce func() (T, error)) (value T, line string, err error) {
	kind := "gob of " + layout(reflect.TypeFor[T]())
	return keepFile(name, inputs, kind, produce, gobSave[T], gobLoad[T])
}

func keepFile[T any](name string, inputs any, kind string, produce func() (T, error), save func(T, string) error,
	load func(string) (T, error)) (value T, line string, err error) {
	entry, err := newEntry(name, inputs, kind)
	if err != nil {
		return value, "", err
	}
	exists, damage := entry.check()
	if exists && damage == nil {
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
	err = entry.write(func(path string) error { return save(value, path) })
	if held, ok := errors.AsType[*lock.HeldError](err); ok {
		line = fmt.Sprintf("%s: made in %s, while %s keeps it", name, took, held.Holder())
	} else if err != nil {
		line = fmt.Sprintf("%s: made in %s, but it cannot be kept: %v", name, took, err)
	}
	return value, line, nil
}

// KeepFolder returns a folder for these inputs, and makes it at the first call. Any cell with the
// same inputs can continue a training run in it:
//
//	dir := kernelext.KeepFolder("run", config)
//
// The caller decides what is in the folder; [Forget] removes the folder with all of it. The folder
// belongs to the process until it ends: in another process KeepFolder ends the cell and names the
// process that has the folder. A printed line says whether the folder is new. See [Keep].
func KeepFolder(name string, inputs any) string {
	return printed(keepFolder(name, inputs))
}

func keepFolder(name string, inputs any) (dir, line string, err error) {
	entry, err := newEntry(name, inputs, folderKind)
	if err != nil {
		return "", "", err
	}
	isNew, err := entry.openFolder()
	if err != nil {
		return "", "", fmt.Errorf("keeping %q: %w", name, err)
	}
	if isNew {
		return entry.path, name + ": a new folder", nil
	}
	return entry.path, name + ": the folder from before", nil
}

// Forget removes the values and folders that [Keep], [KeepFile] and [KeepFolder] keep under these
// names, training runs included; without names, all that is kept for the notebooks of this folder.
// It removes nothing else: other files, kept files that were changed since, and what another
// process uses stay, and the printed line says so.
func Forget(names ...string) {
	line, err := forget(names)
	Check(err)
	fmt.Println(printable(line))
}

// gobSave writes the value, and returns an error if the file does not hold the same value.
func gobSave[T any](value T, path string) error {
	if err := checkTree(reflect.ValueOf(&value).Elem()); err != nil {
		return err
	}
	if err := gobWrite(&value, path); err != nil {
		return err
	}
	again, err := gobLoad[T](path)
	if err != nil {
		return fmt.Errorf("reading it again: %w", err)
	}
	return checkEqual(reflect.ValueOf(&value).Elem(), reflect.ValueOf(&again).Elem())
}

func gobWrite(value any, path string) error {
	var b bytes.Buffer
	if err := protect(func() error { return gob.NewEncoder(&b).Encode(value) }); err != nil {
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
	err = protect(func() error { return gob.NewDecoder(bufio.NewReader(file)).Decode(&value) })
	return value, err
}
