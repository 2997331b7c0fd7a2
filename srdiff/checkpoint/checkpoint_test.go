// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package checkpoint

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
)

func sample() File {
	return File{
		Tensors: map[string]*tensors.Tensor{
			"weight": tensors.FromValue([][]float32{{1, 2, 3}, {4, 5, 6}}),
			"step":   tensors.FromScalar(int64(7)),
			"state":  tensors.FromValue([]uint64{1 << 63, 2}),
		},
		Metadata: map[string]string{"made by": "a test"},
	}
}

func TestRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.safetensors")
	want := sample()
	if err := Write(path, want); err != nil {
		t.Fatal(err)
	}
	got, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Tensors) != len(want.Tensors) {
		t.Errorf("got %d tensors, want %d", len(got.Tensors), len(want.Tensors))
	}
	for name, w := range want.Tensors {
		if g := got.Tensors[name]; g == nil || !g.Equal(w) {
			t.Errorf("tensor %q is %v, want %v", name, g, w)
		}
	}
	if got.Metadata["made by"] != "a test" {
		t.Errorf("metadata is %v", got.Metadata)
	}
}

func TestReadRefuses(t *testing.T) {
	dir := t.TempDir()
	whole := filepath.Join(dir, "whole.safetensors")
	if err := Write(whole, sample()); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		data []byte
		want string
	}{
		"empty":     {nil, "not a safetensors file, or cut short"},
		"text":      {[]byte("this is no model, it is a line of text"), "not a safetensors file, or cut short"},
		"truncated": {data[:len(data)-3], "not a safetensors file, or cut short"},
		"half type": {header(`{"w":{"dtype":"F16","shape":[1],"data_offsets":[0,2]}}`, 2), "tensor.float()"},
		"overflow": {header(`{"w":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`, 0),
			"not a safetensors file, or cut short"},
	} {
		path := filepath.Join(dir, "bad.safetensors")
		if err := os.WriteFile(path, test.data, 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := Read(path)
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v, want one line with %q", name, err, test.want)
		}
	}
	if _, err := Read(filepath.Join(dir, "none")); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("missing file: %v", err)
	}
	if _, err := Read(dir); err == nil || !strings.Contains(err.Error(), "is a folder") {
		t.Errorf("folder: %v", err)
	}
}

// header is a safetensors file of the given JSON header and number of zero bytes of data.
func header(json string, data int) []byte {
	n := len(json)
	return append(append([]byte{byte(n), byte(n >> 8), 0, 0, 0, 0, 0, 0}, json...), make([]byte, data)...)
}

// A failed write leaves the old file as it was and nothing else.
func TestWriteLeavesNothingBehind(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "sub", "a.safetensors")
	if err := Write(path, sample()); err == nil || !strings.Contains(err.Error(), "writing "+path) {
		t.Errorf("writing into a missing folder: %v", err)
	}
	good := filepath.Join(dir, "a.safetensors")
	if err := Write(good, sample()); err != nil {
		t.Fatal(err)
	}
	bad := sample()
	bad.Tensors["flag"] = tensors.FromValue([]bool{true})
	if err := Write(good, bad); err == nil || !strings.Contains(err.Error(), `tensor "flag"`) {
		t.Errorf("writing a type that has no place in the file: %v", err)
	}
	if _, err := Read(good); err != nil {
		t.Errorf("the old file is gone: %v", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
}

func FuzzDecode(f *testing.F) {
	path := filepath.Join(f.TempDir(), "a.safetensors")
	if err := Write(path, sample()); err != nil {
		f.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(data[:20])
	f.Add(header(`{"w":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}`, 4))
	f.Add(header(`{"w":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}`, 0))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := decode(data)
		if err != nil {
			return
		}
		for name, tensor := range file.Tensors {
			if !tensor.Ok() {
				t.Errorf("tensor %q is not valid", name)
			}
		}
	})
}

func ExampleRead() {
	_, err := Read("no-such.safetensors")
	fmt.Println(err)
	// Output: no-such.safetensors: no such file
}
