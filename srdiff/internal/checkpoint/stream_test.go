// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package checkpoint

import (
	"bytes"
	"errors"
	"io"
	"iter"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
)

// inPieces yields values some at a time.
func inPieces(values []float32, n int) iter.Seq2[[]float32, error] {
	return func(yield func([]float32, error) bool) {
		for piece := range slices.Chunk(values, n) {
			if !yield(piece, nil) {
				return
			}
		}
	}
}

// streamFile writes a stream to a file and returns its bytes.
func streamFile(t testing.TB, s Stream, values iter.Seq2[[]float32, error]) ([]byte, error) {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "s.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := WriteStream(f, s, values); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	return data, nil
}

// A stream has the bytes of a file that is written at once, and is read as it was written.
func TestStream(t *testing.T) {
	values := make([]float32, 50*70*3)
	for i := range values {
		values[i] = float32(math.Sin(float64(i)))
	}
	values[7], values[8] = float32(math.Inf(-1)), float32(math.Copysign(0, -1))
	about := map[string]string{"made by": "a test", "a": "\"ü\""}
	path := filepath.Join(t.TempDir(), "whole.safetensors")
	whole := File{Tensors: map[string]*tensors.Tensor{"rows": tensors.FromFlatDataAndDimensions(values, 50, 70, 3)}, Metadata: about}
	if err := Write(path, whole); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s := Stream{"rows", []uint64{50, 70, 3}, about}
	got, err := streamFile(t, s, inPieces(values, 999))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("the stream differs from the file that is written at once")
	}
	r, err := ReadStream(bytes.NewReader(got))
	if err != nil {
		t.Fatal(err)
	}
	if r.Name != s.Name || !slices.Equal(r.Shape, s.Shape) || len(r.Metadata) != 2 || r.Metadata["a"] != about["a"] {
		t.Errorf("read %v", r.Stream)
	}
	for at, n := 0, 2100; at < len(values); at += n {
		piece := make([]float32, n)
		if err := r.Read(piece); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(piece, values[at:at+n]) {
			t.Fatalf("other values from %d on", at)
		}
	}
	if err := r.Read(make([]float32, 1)); err == nil {
		t.Error("there is a value after the last one")
	}
}

// Values that are not those of the shape are an error of the writer, and so is that of the values.
func TestWriteStreamRefuses(t *testing.T) {
	values := make([]float32, 12)
	failed := errors.New("no more")
	for want, of := range map[string]iter.Seq2[[]float32, error]{
		"lacks 2 values":  inPieces(values[:10], 3),
		"too many values": inPieces(values, 7),
		"no more":         func(yield func([]float32, error) bool) { _ = yield(values[:5], nil) && yield(nil, failed) },
	} {
		shape := []uint64{4, 3}
		if want == "too many values" {
			shape = []uint64{3, 3}
		}
		if _, err := streamFile(t, Stream{Name: "rows", Shape: shape}, of); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: want %s", err, want)
		}
	}
}

// A file that is cut short anywhere, has a wrong byte anywhere, or goes on is an error.
func TestReadStreamRefuses(t *testing.T) {
	data, err := streamFile(t, Stream{"rows", []uint64{2, 3}, map[string]string{"k": "v"}}, inPieces([]float32{1, 2, 3, 4, 5, 6}, 4))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := readAllStream(data); err != nil {
		t.Fatal(err)
	}
	for n := range data {
		if _, err := readAllStream(data[:n]); err == nil {
			t.Errorf("the first %d of %d bytes are a file", n, len(data))
		}
		bad := slices.Clone(data)
		bad[n] ^= 1
		if values, err := readAllStream(bad); err == nil {
			t.Errorf("with another byte %d, the values are %v", n, values)
		}
	}
	if _, err := readAllStream(append(slices.Clone(data), 0)); err == nil {
		t.Error("a file that goes on is none")
	}
	for text, rest := range map[string]int{
		`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`: 8,
		`{"a":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}}`:                                                      8,
		`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}`:                                                      4,
		`{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`:                                  0,
		`{}`: 0,
	} {
		if _, err := readAllStream(header(text, rest)); err == nil {
			t.Errorf("%s is a stream", text)
		}
	}
}

// readAllStream reads a stream to its end, at most 1000 values.
func readAllStream(data []byte) ([]float32, error) {
	r, err := ReadStream(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	if r.left > 4000 {
		return nil, io.ErrShortBuffer
	}
	values := make([]float32, r.left/4)
	return values, r.Read(values)
}

// FuzzReadStream reads noise: what is accepted is what Parse accepts, with the same values.
func FuzzReadStream(f *testing.F) {
	data, err := streamFile(f, Stream{"rows", []uint64{2, 3}, map[string]string{"k": "v"}}, inPieces([]float32{1, 2, 3, 4, 5, 6}, 4))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(data[:len(data)-1])
	f.Add(header(`{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}`, 0))
	f.Fuzz(func(t *testing.T, data []byte) {
		values, err := readAllStream(data)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("an error of several lines: %q", err)
			}
			return
		}
		if len(values) == 0 {
			return // Parse refuses tensors without values
		}
		file, err := Parse(data)
		if err != nil || len(file.Tensors) != 1 {
			t.Fatalf("Parse returns %v, %v", file, err)
		}
		for name, tensor := range file.Tensors {
			want, err := tensors.CopyFlatData[float32](tensor)
			if err != nil || !slices.EqualFunc(values, want, func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }) {
				t.Errorf("tensor %q is %v, want %v, %v", name, values, want, err)
			}
		}
	})
}
