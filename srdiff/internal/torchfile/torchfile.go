// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// Package torchfile reads the tensors of a PyTorch checkpoint (.pth, .pt), a zip archive with a pickle.
// A pickle is a program, and PyTorch runs it; here nothing of it runs. Tensors, dictionaries, lists,
// numbers and text are read, and all else is an error.
package torchfile

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/gomlx/compute/dtypes/bfloat16"
	"github.com/gomlx/compute/dtypes/float16"
	"github.com/gomlx/gomlx/core/tensors"
)

// saveAgain is what to do about a file that cannot be read.
const saveAgain = "in Python, save the tensors alone: torch.save(model.state_dict(), \"model.pth\")"

// stateKeys are the names under which training programs keep the state_dict, the averaged weights
// first.
var stateKeys = []string{"params_ema", "ema_state_dict", "params", "state_dict", "model_state_dict", "model"}

// Is reports whether data is a zip archive that PyTorch may have written.
func Is(data []byte) bool {
	return bytes.HasPrefix(data, []byte("PK\x03\x04")) && bytes.Contains(data, []byte("data.pkl"))
}

// Read returns the tensors of a checkpoint by their names: those of the state_dict, or of the one that
// a training program keeps under its usual name. float16 and bfloat16 become float32; int64 stays. The
// error is one line.
func Read(data []byte) (map[string]*tensors.Tensor, error) {
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, errors.New("damaged PyTorch file: its zip archive cannot be read; copy or download it again")
	}
	r := reader{files: map[string]*zip.File{}, read: map[string][]byte{}, size: int64(len(data)), bytes: int64(len(data)), numbers: int64(len(data))}
	for _, f := range archive.File {
		_, name, _ := strings.Cut(f.Name, "/") // "archive/data.pkl"
		r.files[name] = f
	}
	switch {
	case r.files["constants.pkl"] != nil:
		return nil, fmt.Errorf("a TorchScript file, which holds a program: %s", saveAgain)
	case r.files["data.pkl"] == nil:
		return nil, errors.New("a zip archive without data.pkl, so PyTorch's torch.save did not write it")
	}
	if order, err := r.content("byteorder"); err == nil && string(order) != "little" {
		return nil, fmt.Errorf("a PyTorch file of byte order %.10q: want little, as most machines write it", order)
	}
	list, err := r.content("data.pkl")
	if err != nil {
		return nil, err
	}
	p := pickle{data: list, persistent: storageOf, call: r.call}
	object, err := p.read()
	if err != nil {
		return nil, err
	}
	return stateDict(object)
}

// stateDict finds the named tensors.
func stateDict(object any) (map[string]*tensors.Tensor, error) {
	d, ok := object.(*dict)
	if !ok {
		return nil, fmt.Errorf("it holds no dictionary of tensors: %s", saveAgain)
	}
	if named, ok := d.tensors(); ok {
		return named, nil
	}
	for _, key := range stateKeys {
		for i := range d.keys {
			if inner, isDict := d.values[i].(*dict); isDict && d.keys[i] == key {
				if named, ok := inner.tensors(); ok {
					return named, nil
				}
			}
		}
	}
	return nil, fmt.Errorf("it holds no state_dict, neither itself nor under %s: %s", strings.Join(stateKeys, ", "), saveAgain)
}

// tensors returns the dictionary's tensors, if it has nothing else.
func (d *dict) tensors() (map[string]*tensors.Tensor, bool) {
	named := make(map[string]*tensors.Tensor, len(d.keys))
	for i, key := range d.keys {
		name, isText := key.(string)
		t, isTensor := d.values[i].(*tensors.Tensor)
		if !isText || !isTensor {
			return nil, false
		}
		named[name] = t
	}
	return named, len(named) > 0
}

// storage is the content of a file in the archive, as a row of numbers.
type storage struct {
	kind global // "torch.FloatStorage"
	key  string // its file's name
	n    int64
}

// sizes are the bytes of a number by its kind of storage.
var sizes = map[global]int64{"torch.FloatStorage": 4, "torch.HalfStorage": 2, "torch.BFloat16Storage": 2, "torch.LongStorage": 8}

// storageOf is the storage that a pickle's persistent id names: ("storage", kind, key, location, count).
func storageOf(id any) (any, error) {
	parts, _ := id.(tuple)
	if len(parts) != 5 || parts[0] != "storage" {
		return nil, errPickle
	}
	kind, isKind := parts[1].(global)
	key, isKey := parts[2].(string)
	n, isCount := parts[4].(int64)
	switch {
	case !isKind || !isKey || !isCount || n < 0:
		return nil, errPickle
	case sizes[kind] == 0:
		return nil, fmt.Errorf("it holds a tensor in %.60s: want float32, float16, bfloat16 or int64 (in PyTorch: tensor.float())", kind)
	}
	return storage{kind, key, n}, nil
}

type reader struct {
	files map[string]*zip.File // by their names within the archive's folder
	read  map[string][]byte    // those that were read
	size  int64                // of the archive, in bytes

	// How many bytes and numbers may still be read: together no more than the archive has bytes, so that
	// a small one whose parts overlap cannot fill the memory.
	bytes, numbers int64
}

// content returns a file of the archive. PyTorch does not compress, so the content is no larger than
// the archive.
func (r *reader) content(name string) ([]byte, error) {
	if data, ok := r.read[name]; ok {
		return data, nil
	}
	f := r.files[name]
	switch {
	case f == nil:
		return nil, fmt.Errorf("damaged PyTorch file: %.60q is missing in its archive", name)
	case f.Method != zip.Store:
		return nil, errors.New("a compressed zip archive, which PyTorch does not write: unpack it and pack it without compression")
	case f.UncompressedSize64 > uint64(r.bytes):
		return nil, errors.New("damaged PyTorch file: the parts of its archive are larger than the file")
	}
	r.bytes -= int64(f.UncompressedSize64)
	in, err := f.Open()
	if err == nil {
		defer in.Close()
		var data []byte
		if data, err = io.ReadAll(in); err == nil {
			r.read[name] = data
			return data, nil
		}
	}
	return nil, fmt.Errorf("damaged PyTorch file: %.60q in its archive cannot be read; copy or download it again", name)
}

// call is what stands for the few functions that a pickle of tensors calls.
func (r *reader) call(function global, args tuple) (any, error) {
	switch function {
	case "collections.OrderedDict":
		if len(args) == 0 {
			return &dict{}, nil
		}
	case "torch._utils._rebuild_tensor_v2": // storage, offset, size, stride, requires_grad, hooks
		if len(args) >= 4 {
			return r.tensor(args)
		}
	case "torch._utils._rebuild_parameter": // tensor, requires_grad, hooks
		if len(args) >= 1 {
			if t, ok := args[0].(*tensors.Tensor); ok {
				return t, nil
			}
		}
	default:
		return nil, fmt.Errorf("it calls %.80q, and srdiff runs no code of a file: %s", string(function), saveAgain)
	}
	return nil, errPickle
}

// maxRank is how many axes a tensor may have.
const maxRank = 8

// tensor gathers a tensor's numbers from its storage.
func (r *reader) tensor(args tuple) (any, error) {
	s, isStorage := args[0].(storage)
	offset, isOffset := args[1].(int64)
	size, isSize := args[2].(tuple)
	stride, isStride := args[3].(tuple)
	if !isStorage || !isOffset || !isSize || !isStride || offset < 0 || offset > r.size || len(size) != len(stride) || len(size) > maxRank {
		return nil, errPickle
	}
	dims, strides := make([]int, len(size)), make([]int, len(size))
	n, last := int64(1), offset // how many numbers, and the place of the last one
	for i := range size {
		d, isNumber := size[i].(int64)
		step, also := stride[i].(int64)
		// Divided, not multiplied, so that nothing can wrap around.
		switch {
		case !isNumber || !also || d < 1 || step < 0:
			return nil, errors.New("damaged PyTorch file: a tensor in it has a shape that is not that of a weight")
		case d > r.numbers/n || d > 1 && step > (r.size-last)/(d-1):
			return nil, errors.New("damaged PyTorch file: its tensors are larger than the file")
		}
		n, last = n*d, last+(d-1)*step
		dims[i], strides[i] = int(d), int(step)
		if d == 1 {
			strides[i] = 0 // it may be any number
		}
	}
	data, err := r.content("data/" + s.key)
	if err != nil {
		return nil, err
	}
	bytes := sizes[s.kind]
	if have := int64(len(data)) / bytes; last >= have || s.n > have {
		return nil, fmt.Errorf("damaged PyTorch file: a tensor in it reaches beyond its data, %.60q", s.key)
	}
	r.numbers -= n
	at := func(place int) []byte { return data[int64(place)*bytes:] }
	places := placesOf(dims, strides, int(offset), int(n))
	if s.kind == "torch.LongStorage" {
		values := make([]int64, n)
		for i, place := range places {
			values[i] = int64(binary.LittleEndian.Uint64(at(place)))
		}
		return tensors.FromFlatDataAndDimensions(values, dims...), nil
	}
	number := map[global]func(b []byte) float32{
		"torch.FloatStorage":    func(b []byte) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(b)) },
		"torch.HalfStorage":     func(b []byte) float32 { return float16.FromBits(binary.LittleEndian.Uint16(b)).Float32() },
		"torch.BFloat16Storage": func(b []byte) float32 { return bfloat16.FromBits(binary.LittleEndian.Uint16(b)).Float32() },
	}[s.kind]
	values := make([]float32, n)
	for i, place := range places {
		values[i] = number(at(place))
	}
	return tensors.FromFlatDataAndDimensions(values, dims...), nil
}

// placesOf lists where the numbers of a tensor lie, in the tensor's order.
func placesOf(dims, strides []int, offset, n int) []int {
	places := make([]int, n)
	index := make([]int, len(dims)) // counted up like an odometer
	place := offset
	for i := range places {
		places[i] = place
		for axis := len(dims) - 1; axis >= 0; axis-- {
			place += strides[axis]
			if index[axis]++; index[axis] < dims[axis] {
				break
			}
			place -= dims[axis] * strides[axis]
			index[axis] = 0
		}
	}
	return places
}
