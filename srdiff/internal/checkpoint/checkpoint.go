// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// Package checkpoint reads and writes named tensors as a safetensors file, which PyTorch and JAX
// read too. Such a file holds data and no code. It is written whole or not at all. PyTorch's own
// checkpoints are read too: see torchfile.
package checkpoint

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"os"
	"slices"
	"unicode/utf8"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/dtypes/bfloat16"
	"github.com/gomlx/compute/dtypes/float16"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/nlpodyssey/safetensors"

	"github.com/srdiff/srlab/srdiff/internal/atomicfile"
	"github.com/srdiff/srlab/srdiff/internal/torchfile"
)

// File is the content of a file.
type File struct {
	Tensors  map[string]*tensors.Tensor
	Metadata map[string]string // free text under free keys; may be empty
	Half     bool              // Write rounds float32 to float16
}

// maxBytes bounds the memory of Read. The project's largest network needs a hundredth of it.
const maxBytes = 4 << 30

// dtypeOf maps types of safetensors to GoMLX's types, for weights and optimizer state.
var dtypeOf = map[safetensors.DType]dtypes.DType{
	safetensors.F32: dtypes.Float32,
	safetensors.F64: dtypes.Float64,
	safetensors.I32: dtypes.Int32,
	safetensors.I64: dtypes.Int64,
	safetensors.U32: dtypes.Uint32,
	safetensors.U64: dtypes.Uint64,
}

// halfTypes are the types with 16 bits, which Read converts to float32 by these functions.
var halfTypes = map[safetensors.DType]func(bits uint16) float32{
	safetensors.F16:  func(bits uint16) float32 { return float16.FromBits(bits).Float32() },
	safetensors.BF16: func(bits uint16) float32 { return bfloat16.FromBits(bits).Float32() },
}

// Read reads a safetensors file or a PyTorch checkpoint. Half-precision tensors, F16 and BF16, become float32. Other types
// must be F32, F64, I32, I64, U32 or U64. The error is one line that names the file and the fault:
// it is missing, truncated, damaged or of another format.
func Read(path string) (File, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return File{}, fmt.Errorf("%s: no such file", path)
	case err != nil:
		return File{}, err
	case info.IsDir():
		return File{}, fmt.Errorf("%s is a folder: want a .safetensors or .pth file", path)
	case !info.Mode().IsRegular():
		return File{}, fmt.Errorf("%s is not a regular file: want a .safetensors or .pth file", path)
	case info.Size() > maxBytes:
		return File{}, fmt.Errorf("%s has %d bytes: at most %d are read", path, info.Size(), int64(maxBytes))
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return File{}, err
	}
	file, err := Parse(data)
	if err != nil {
		return File{}, fmt.Errorf("%s: %w", path, err)
	}
	return file, nil
}

// Parse is Read for the bytes of a file. Its errors name no file.
func Parse(data []byte) (File, error) {
	if torchfile.Is(data) {
		named, err := torchfile.Read(data)
		return File{Tensors: named}, err
	}
	if err := checkHeader(data); err != nil {
		return File{}, err
	}
	_, metadata, err := safetensors.ReadMetadata(data)
	if err != nil {
		return File{}, fmt.Errorf("damaged safetensors file: %w", err)
	}
	parsed, err := safetensors.Deserialize(data)
	if err != nil {
		return File{}, fmt.Errorf("damaged safetensors file: %w", err)
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

var errDamaged = errors.New("the file is damaged: its content does not match its checksum")

// sumKey is the metadata key under which Write puts the SHA-256 of the rest of the file.
const sumKey = "sha256"

func sumOf(views map[string]view, metadata map[string]string) string {
	hash := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(views)) {
		v := views[name]
		addTensor(hash, name, v.dtype, v.shape, v.DataLen())
		hash.Write(v.data)
	}
	addMetadata(hash, metadata)
	return fmt.Sprintf("%x", hash.Sum(nil))
}

// addTensor adds a tensor to the checksum, but for its data, which follows.
func addTensor(hash io.Writer, name string, dtype safetensors.DType, shape []uint64, bytes uint64) {
	fmt.Fprintf(hash, "%q %v %v %d\n", name, dtype, shape, bytes)
}

// addMetadata adds the metadata to the checksum.
func addMetadata(hash io.Writer, metadata map[string]string) {
	for _, key := range slices.Sorted(maps.Keys(metadata)) {
		fmt.Fprintf(hash, "%q %q\n", key, metadata[key])
	}
}

// withSum returns the metadata of a file with its checksum. Text that is not UTF-8 is an error: JSON
// would hold another text than the checksum.
func withSum(metadata map[string]string, sum string) (map[string]string, error) {
	all := map[string]string{sumKey: sum}
	for key, text := range metadata {
		if !utf8.ValidString(key) || !utf8.ValidString(text) {
			return nil, fmt.Errorf("the metadata %q is not UTF-8", key)
		}
		all[key] = text
	}
	return all, nil
}

func fromView(view safetensors.TensorView) (*tensors.Tensor, error) {
	dtype, known := dtypeOf[view.DType()]
	widen := halfTypes[view.DType()]
	switch {
	case widen != nil:
		dtype = dtypes.Float32
	case !known:
		return nil, unknownType(view.DType().String())
	}
	dims := make([]int, len(view.Shape()))
	elements := uint64(1)
	for i, d := range view.Shape() {
		// The product is checked as it grows, so that it cannot wrap around.
		if d == 0 || d > maxBytes || elements*d > maxBytes {
			return nil, fmt.Errorf("shape %v is not that of a weight", view.Shape())
		}
		dims[i] = int(d)
		elements *= d
	}
	if want := elements * view.DType().Size(); want != view.DataLen() {
		return nil, fmt.Errorf("shape %v needs %d bytes, the file has %d", view.Shape(), want, view.DataLen())
	}
	if widen != nil {
		values := make([]float32, elements)
		for i := range values {
			values[i] = widen(binary.LittleEndian.Uint16(view.Data()[2*i:]))
		}
		return tensors.FromFlatDataAndDimensions(values, dims...), nil
	}
	t := tensors.FromShape(shapes.Make(dtype, dims...))
	err := t.MutableBytes(func(to []byte) { copy(to, view.Data()) })
	return t, err
}

// unknownType is the error for a tensor of a type that is not read.
func unknownType(dtype string) error {
	return fmt.Errorf("type %s cannot be read: want float32, float16 or bfloat16 (in PyTorch: tensor.float())", dtype)
}

// onDisk wraps the file that Write fills; tests make it fail.
var onDisk = func(w io.Writer) io.Writer { return w }

// Write writes a file whole or not at all, with a checksum of its content in the metadata under
// "sha256". After an error a file that was there before is unchanged and nothing else is left
// behind. A file that is replaced keeps its permissions. With Half, a number that float16 cannot
// hold, of 65520 or more, is an error.
func Write(path string, file File) (err error) {
	views := make(map[string]view, len(file.Tensors))
	for name, t := range file.Tensors {
		if views[name], err = file.toView(t); err != nil {
			return fmt.Errorf("write %s: tensor %q: %w", path, name, err)
		}
	}
	metadata, err := withSum(file.Metadata, sumOf(views, file.Metadata))
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return atomicfile.Write(path, func(w io.Writer) error {
		buffered := bufio.NewWriter(onDisk(w))
		if err := safetensors.SerializeToWriter(views, metadata, buffered); err != nil {
			return err
		}
		return buffered.Flush()
	})
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

func (f File) toView(t *tensors.Tensor) (view, error) {
	v := view{shape: make([]uint64, t.Rank())}
	for i, d := range t.Shape().Dimensions {
		v.shape[i] = uint64(d)
	}
	if f.Half && t.DType() == dtypes.Float32 {
		var err error
		v.dtype = safetensors.F16
		v.data, err = toHalf(t)
		return v, err
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

// toHalf returns the numbers of a float32 tensor as float16, in little-endian order.
func toHalf(t *tensors.Tensor) ([]byte, error) {
	values, err := tensors.CopyFlatData[float32](t)
	if err != nil {
		return nil, err
	}
	var data []byte
	for _, v := range values {
		half := float16.FromFloat32(v)
		if back := float64(half.Float32()); math.IsInf(back, 0) && !math.IsInf(float64(v), 0) {
			return nil, fmt.Errorf("it has the value %g, which is too large for float16: want less than 65520", v)
		}
		data = binary.LittleEndian.AppendUint16(data, half.Bits())
	}
	return data, nil
}
