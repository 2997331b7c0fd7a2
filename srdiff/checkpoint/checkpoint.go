// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// Package checkpoint reads and writes named tensors as one safetensors file, which PyTorch, JAX and others read too. A
// file holds data only, no code, and is written whole or not at all.
package checkpoint

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/google/renameio/v2"
	"github.com/nlpodyssey/safetensors"
)

// File is what a file holds.
type File struct {
	Tensors  map[string]*tensors.Tensor
	Metadata map[string]string // free text under free keys; may be empty
}

// maxBytes bounds what Read takes into memory; the largest network of this project is a hundredth of it.
const maxBytes = 4 << 30

// dtypeOf pairs safetensors' types with GoMLX's: those that weights and optimizer state come in.
var dtypeOf = map[safetensors.DType]dtypes.DType{
	safetensors.F32: dtypes.Float32,
	safetensors.F64: dtypes.Float64,
	safetensors.I32: dtypes.Int32,
	safetensors.I64: dtypes.Int64,
	safetensors.U32: dtypes.Uint32,
	safetensors.U64: dtypes.Uint64,
}

// Read reads a file. A file that is missing, cut short or no safetensors file is an error that names it.
func Read(path string) (File, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return File{}, fmt.Errorf("%s: no such file", path)
	case err != nil:
		return File{}, err
	case info.IsDir():
		return File{}, fmt.Errorf("%s is a folder: want a .safetensors file", path)
	case info.Size() > maxBytes:
		return File{}, fmt.Errorf("%s has %d bytes: at most %d are read", path, info.Size(), int64(maxBytes))
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return File{}, err
	}
	file, err := decode(data)
	if errors.Is(err, errDamaged) {
		return File{}, fmt.Errorf("%s: %w", path, err)
	}
	if err != nil {
		return File{}, fmt.Errorf("%s: not a safetensors file, or cut short: %w", path, err)
	}
	return file, nil
}

func decode(data []byte) (File, error) {
	_, metadata, err := safetensors.ReadMetadata(data)
	if err != nil {
		return File{}, err
	}
	parsed, err := safetensors.Deserialize(data)
	if err != nil {
		return File{}, err
	}
	file := File{Tensors: map[string]*tensors.Tensor{}, Metadata: metadata.Metadata()}
	if sum, ok := file.Metadata[sumKey]; ok {
		delete(file.Metadata, sumKey)
		views := map[string]view{}
		for _, named := range parsed.Tensors() {
			views[named.Name] = view{named.TensorView.DType(), named.TensorView.Shape(), named.TensorView.Data()}
		}
		if sum != sumOf(views, file.Metadata) {
			return File{}, errDamaged
		}
	}
	for _, named := range parsed.Tensors() {
		t, err := fromView(named.TensorView)
		if err != nil {
			return File{}, fmt.Errorf("tensor %q: %w", named.Name, err)
		}
		file.Tensors[named.Name] = t
	}
	return file, nil
}

var errDamaged = errors.New("the file is damaged: its content does not fit its checksum")

// sumKey is where the metadata of a file that Write wrote say the SHA-256 of all else that it holds.
const sumKey = "sha256"

func sumOf(views map[string]view, metadata map[string]string) string {
	hash := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(views)) {
		v := views[name]
		fmt.Fprintf(hash, "%q %v %v %d\n", name, v.dtype, v.shape, len(v.data))
		hash.Write(v.data)
	}
	for _, key := range slices.Sorted(maps.Keys(metadata)) {
		fmt.Fprintf(hash, "%q %q\n", key, metadata[key])
	}
	return fmt.Sprintf("%x", hash.Sum(nil))
}

func fromView(view safetensors.TensorView) (*tensors.Tensor, error) {
	dtype, known := dtypeOf[view.DType()]
	if !known {
		return nil, fmt.Errorf("type %s cannot be used: want float32 (in PyTorch: tensor.float())", view.DType())
	}
	dims := make([]int, len(view.Shape()))
	size := uint64(dtype.Size())
	for i, d := range view.Shape() {
		// The product is checked as it grows, so that it cannot wrap around.
		if d == 0 || d > maxBytes || size*d > maxBytes {
			return nil, fmt.Errorf("shape %v is not that of a weight", view.Shape())
		}
		dims[i] = int(d)
		size *= d
	}
	if size != view.DataLen() {
		return nil, fmt.Errorf("shape %v needs %d bytes, the file has %d", view.Shape(), size, view.DataLen())
	}
	t := tensors.FromShape(shapes.Make(dtype, dims...))
	err := t.MutableBytes(func(to []byte) { copy(to, view.Data()) })
	return t, err
}

// onDisk is what files are written through; the tests have it fail.
var onDisk = func(w io.Writer) io.Writer { return w }

// Write writes a file, with its checksum in the metadata under "sha256", under a temporary name in the same folder, syncs it and
// renames it. On an error nothing is left behind, and a file that was there before is as it was.
func Write(path string, file File) (err error) {
	views := make(map[string]view, len(file.Tensors))
	for name, t := range file.Tensors {
		if views[name], err = toView(t); err != nil {
			return fmt.Errorf("writing %s: tensor %q: %w", path, name, err)
		}
	}
	pending, err := renameio.NewPendingFile(path, renameio.WithPermissions(0o644))
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	defer pending.Cleanup() // removes the temporary file, unless it has been renamed
	metadata := map[string]string{sumKey: sumOf(views, file.Metadata)}
	maps.Copy(metadata, file.Metadata)
	w := bufio.NewWriter(onDisk(pending))
	if err := safetensors.SerializeToWriter(views, metadata, w); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if err := pending.CloseAtomicallyReplace(); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

// view shows a tensor to the safetensors library.
type view struct {
	dtype safetensors.DType
	shape []uint64
	data  []byte
}

func (v view) DType() safetensors.DType { return v.dtype }
func (v view) Shape() []uint64          { return v.shape }
func (v view) Data() []byte             { return v.data }
func (v view) DataLen() uint64          { return uint64(len(v.data)) }

func toView(t *tensors.Tensor) (view, error) {
	v := view{shape: make([]uint64, t.Rank())}
	for i, d := range t.Shape().Dimensions {
		v.shape[i] = uint64(d)
	}
	for theirs, ours := range dtypeOf {
		if ours == t.DType() {
			v.dtype = theirs
			err := t.ConstBytes(func(data []byte) { v.data = append([]byte(nil), data...) })
			return v, err
		}
	}
	return v, fmt.Errorf("type %s cannot be written", t.DType())
}
