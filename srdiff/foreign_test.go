// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"encoding/binary"
	"encoding/json"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/srdiff/srlab/srdiff/internal/checkpoint"
	"github.com/srdiff/srlab/srdiff/internal/graphtest"
)

// TestLoadForeignWeights loads the tutorial's weights as other programs save them: in half precision,
// and under the names of PyTorch's wrappers.
func TestLoadForeignWeights(t *testing.T) {
	plain, err := checkpoint.Read(filepath.Join("testdata", "tutorial.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		dtype, prefix string
		tolerance     float64 // relative; numbers below 2^-14 become 0
	}{
		{"F16", "", 1. / 1024}, {"BF16", "", 1. / 128}, {"F16", "module.", 1. / 1024},
		{"BF16", "_orig_mod.", 1. / 128}, {"F16", "module._orig_mod.", 1. / 1024},
	} {
		path := filepath.Join(t.TempDir(), "foreign.safetensors")
		writeHalf(t, path, plain, test.dtype, test.prefix)
		m, err := Load(graphtest.Engine(t), path)
		if err != nil {
			t.Errorf("%s with prefix %q: %v", test.dtype, test.prefix, err)
			continue
		}
		saved := filepath.Join(t.TempDir(), "saved.safetensors")
		if err := m.Save(saved); err != nil {
			t.Fatal(err)
		}
		got, err := checkpoint.Read(saved)
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range plain.Tensors {
			g, w := tensors.MustCopyFlatData[float32](got.Tensors[name]), tensors.MustCopyFlatData[float32](want)
			for i := range w {
				if d := math.Abs(float64(g[i] - w[i])); !(d <= test.tolerance*math.Abs(float64(w[i]))+0x1p-14) {
					t.Fatalf("%s, prefix %q: %s[%d] is %v, want %v", test.dtype, test.prefix, name, i, g[i], w[i])
				}
			}
		}
	}
}

// writeHalf writes float32 tensors as a safetensors file of a 16-bit type, cutting digits off.
func writeHalf(t *testing.T, path string, file checkpoint.File, dtype, prefix string) {
	t.Helper()
	header := map[string]any{}
	var data []byte
	for _, name := range slices.Sorted(maps.Keys(file.Tensors)) {
		begin := len(data)
		for _, v := range tensors.MustCopyFlatData[float32](file.Tensors[name]) {
			bits := uint16(math.Float32bits(v) >> 16)
			if dtype == "F16" {
				bits = float16Bits(v)
			}
			data = binary.LittleEndian.AppendUint16(data, bits)
		}
		header[prefix+name] = map[string]any{
			"dtype": dtype, "shape": file.Tensors[name].Shape().Dimensions, "data_offsets": []int{begin, len(data)},
		}
	}
	text, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	out := binary.LittleEndian.AppendUint64(nil, uint64(len(text)))
	if err := os.WriteFile(path, slices.Concat(out, text, data), 0o644); err != nil {
		t.Fatal(err)
	}
}

// float16Bits cuts a number below 65,504 off to half precision. Numbers too small for it become 0.
func float16Bits(v float32) uint16 {
	bits := math.Float32bits(v)
	sign, exponent := uint16(bits>>16&0x8000), int(bits>>23&0xff)-127+15
	if exponent <= 0 {
		return sign
	}
	return sign | uint16(exponent)<<10 | uint16(bits>>13&0x3ff)
}
