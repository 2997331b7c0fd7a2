// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package checkpoint

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
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
	lfs := "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
	for name, test := range map[string]struct {
		data []byte
		want string
	}{
		"empty":             {nil, "the file is empty"},
		"short":             {data[:5], "not a safetensors file"},
		"zeros":             {make([]byte, 5000), "not a safetensors file"},
		"text":              {[]byte("this is no model, it is a line of text"), `text: was the download refused? The file begins with "this is no model`},
		"refusal":           {[]byte(`{"error":"Repository not found"}`), `text: was the download refused? The file begins with "{\"error`},
		"brace":             {[]byte("12345678{}"), "not a safetensors file, but text"},
		"tensors cut short": {data[:len(data)-3], fmt.Sprintf("cut short: its tensors end at byte %d, the file has %d", len(data), len(data)-3)},
		"half":              {data[:len(data)/2], "cut short"},
		"header cut short":  {data[:20], "cut short: its header ends"},
		"too long":          {append(slices.Clone(data), 1, 2, 3), "3 bytes follow its last tensor"},
		"PyTorch":           {[]byte("PK\x03\x04\x00\x00\x08\x08" + strings.Repeat("\x00", 18) + "\x10\x00\x00\x00archive/data.pkl\x80\x02}"), "damaged PyTorch file: its zip archive cannot be read"},
		"old PyTorch":       {[]byte("\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03."), "a PyTorch file (.pth) of before 1.6"},
		"pickle":            {[]byte("\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00}\x94\x8c\x01a\x94K\x01s."), "a Python pickle"},
		"zip":               {[]byte("PK\x03\x04\x14\x00\x00\x00\x00\x00\x00\x00weights.txt"), "a zip archive: unpack it"},
		"gzip":              {[]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x00\x00"), "a gzip archive: unpack it"},
		"web page":          {[]byte("\n <!DOCTYPE html>\n<html><title>Sign in</title></html>"), "an HTML page: download the file, not the page"},
		"LFS":               {[]byte(lfs), "a Git LFS pointer: fetch the file itself with 'git lfs pull'"},
		"ONNX":              {[]byte("\x08\x07\x12\x07pytorch\x1a\x051.9.0:\xff\x01"), "an ONNX file"},
		"GGUF":              {[]byte("GGUF\x03\x00\x00\x00\x00\x00\x00\x00"), "a GGUF file"},
		"Keras":             {[]byte("\x89HDF\r\n\x1a\n\x00\x00\x00\x00"), "an HDF5 file"},
		"NumPy":             {[]byte("\x93NUMPY\x01\x00v\x00{'descr': '<f4'"), "a NumPy array"},
		"picture":           {[]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"), "of type image/png"},
		"type":              {header(`{"w":{"dtype":"I16","shape":[1],"data_offsets":[0,2]}}`, 2), `tensor "w": type I16 cannot be read: want float32`},
		"new type":          {header(`{"w":{"dtype":"F8_E4M3","shape":[2],"data_offsets":[0,2]}}`, 2), `tensor "w": type F8_E4M3 cannot be read`},
		"no type":           {header(`{"w":{"shape":[2],"data_offsets":[0,2]}}`, 2), `tensor "w": type`},
		"overflow": {header(`{"w":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`, 0),
			"damaged safetensors file"},
		"header": {header(`{"w":[]}`, 0), "damaged safetensors file: its header cannot be read"},
	} {
		path := filepath.Join(dir, "bad.safetensors")
		if err := os.WriteFile(path, test.data, 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := Read(path)
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") ||
			!strings.HasPrefix(err.Error(), path) {
			t.Errorf("%s: got %v, want one line with the file's name and %q", name, err, test.want)
		}
	}
	if _, err := Read(filepath.Join(dir, "none")); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("missing file: %v", err)
	}
	if _, err := Read(dir); err == nil || !strings.Contains(err.Error(), "is a folder") {
		t.Errorf("folder: %v", err)
	}
}

// Every half-precision number is read as its value: a sign, a power of two and a fraction (IEEE
// 754).
func TestReadHalfPrecision(t *testing.T) {
	for name, bits := range map[string]struct{ exponent, fraction int }{"F16": {5, 10}, "BF16": {8, 7}} {
		data := header(fmt.Sprintf(`{"w":{"dtype":%q,"shape":[256,256],"data_offsets":[0,131072]}}`, name), 0)
		for i := range 1 << 16 {
			data = append(data, byte(i), byte(i>>8))
		}
		path := filepath.Join(t.TempDir(), "half.safetensors")
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		file, err := Read(path)
		if err != nil {
			t.Fatal(err)
		}
		got := file.Tensors["w"]
		if want := shapes.Make(dtypes.Float32, 256, 256); !got.Shape().Equal(want) {
			t.Fatalf("%s: read as %s, want %s", name, got.Shape(), want)
		}
		wrong := 0
		for i, v := range tensors.MustCopyFlatData[float32](got) {
			want := halfValue(i, bits.exponent, bits.fraction)
			if same := float64(v) == want || math.IsNaN(float64(v)) && math.IsNaN(want); !same {
				if wrong++; wrong < 5 {
					t.Errorf("%s %#04x is read as %v, want %v", name, i, v, want)
				}
			}
		}
	}
}

// halfValue is the value of a 16-bit number of so many bits of exponent and fraction.
func halfValue(i, exponent, fraction int) float64 {
	sign := 1 - 2*float64(i>>15)
	e, f := i>>fraction&(1<<exponent-1), i&(1<<fraction-1)
	bias := 1<<(exponent-1) - 1
	switch {
	case e == 1<<exponent-1 && f != 0:
		return math.NaN()
	case e == 1<<exponent-1:
		return sign * math.Inf(1)
	case e == 0:
		return sign * math.Ldexp(float64(f), 1-bias-fraction)
	}
	return sign * math.Ldexp(float64(1<<fraction+f), e-bias-fraction)
}

func TestNetworkNames(t *testing.T) {
	x := tensors.FromScalar(float32(1))
	for name, want := range map[string]string{
		"enc1.0.weight":                       "enc1.0.weight",
		"module.enc1.0.weight":                "enc1.0.weight",
		"_orig_mod.enc1.0.weight":             "enc1.0.weight",
		"module._orig_mod.enc1.0.weight":      "enc1.0.weight",
		"_orig_mod.module.enc1.0.weight":      "enc1.0.weight",
		"module.module.enc1.0.weight":         "enc1.0.weight",
		"enc1._orig_mod.0.weight":             "enc1.0.weight",
		"enc1.module.weight":                  "enc1.module.weight",
		"modules.weight":                      "modules.weight",
		"module":                              "module",
		"average/module.enc1.0._orig_mod_not": "average/module.enc1.0._orig_mod_not",
	} {
		got, err := NetworkNames(map[string]*tensors.Tensor{name: x})
		if err != nil || got[want] != x {
			t.Errorf("%s becomes %v (%v), want %s", name, got, err, want)
		}
	}
	_, err := NetworkNames(map[string]*tensors.Tensor{"module.a": x, "a": x})
	if err == nil || !strings.Contains(err.Error(), `"a" and "module.a"`) {
		t.Errorf("two tensors of one name: %v", err)
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
	if err := Write(path, sample()); err == nil || !strings.Contains(err.Error(), "write "+path) {
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

// A file that is replaced keeps its permissions.
func TestWriteKeepsPermissions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.safetensors")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := Write(path, sample()); err != nil {
		t.Fatal(err)
	}
	if after, err := os.Stat(path); err != nil || after.Mode() != before.Mode() {
		t.Errorf("mode %v (%v), want %v", after.Mode(), err, before.Mode())
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
	f.Add(header(`{"w":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}}`, 4))
	f.Add(header(`{"w":{"dtype":"BF16","shape":[3],"data_offsets":[0,4]}}`, 4))
	f.Add([]byte("PK\x03\x04archive/data.pkl"))
	f.Add(header(`{"w":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}`, 0))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Parse(data)
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
