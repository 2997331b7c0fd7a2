// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package torchfile

import (
	"archive/zip"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// archive returns a file as PyTorch writes it, of a pickle and the data of storage 0.
func archive(tb testing.TB, pickle string, data []byte) []byte {
	tb.Helper()
	var buffer bytes.Buffer
	w := zip.NewWriter(&buffer)
	for name, content := range map[string][]byte{"a/data.pkl": []byte(pickle), "a/data/0": data, "a/byteorder": []byte("little")} {
		f, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
		if err == nil {
			_, err = f.Write(content)
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return buffer.Bytes()
}

// tensor is the pickle of a tensor in storage 0 of n numbers, with the rest as opcodes.
func tensor(kind string, n byte, offsetSizeStride string) string {
	return "ctorch._utils\n_rebuild_tensor_v2\n(" +
		"(X\x07\x00\x00\x00storagectorch\n" + kind + "\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK" + string(n) + "tQ" +
		offsetSizeStride + "\x89}tR"
}

// state is the pickle of a state_dict of one tensor, "w".
func state(tensor string) string { return "\x80\x02}X\x01\x00\x00\x00w" + tensor + "s." }

// Damaged and hostile files are refused in a line, and run nothing.
func TestRefuses(t *testing.T) {
	data := []byte("0123456789abcdef")
	for name, test := range map[string]struct{ pickle, want string }{
		"code":            {"\x80\x02cos\nsystem\nX\x02\x00\x00\x00id\x85R.", `it calls "os.system", and srdiff runs no code of a file`},
		"code, protocol4": {"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x02id\x85R.", `it calls "os.system"`},
		"code, INST":      {"\x80\x02(X\x02\x00\x00\x00idios\nsystem\n.", "has the pickle opcode 0x69"},
		"code, NEWOBJ":    {"\x80\x02cos\nsystem\n)\x81.", `it calls "os.system"`},
		"short":           {"\x80\x02}", "cannot be read"},
		"no stack":        {"\x80\x02R.", "cannot be read"},
		"no memo":         {"\x80\x02h\x05.", "cannot be read"},
		"length":          {"\x80\x02X\xff\xff\xff\xffw.", "cannot be read"},
		"long":            {"\x80\x02\x8a\x09123456789.", "more than 64 bits"},
		"beyond":          {state(tensor("FloatStorage", 4, "K\x00K\x05\x85K\x01\x85")), "reaches beyond its data"},
		"offset":          {state(tensor("FloatStorage", 4, "K\x03K\x02\x85K\x01\x85")), "reaches beyond its data"},
		"missing numbers": {state(tensor("FloatStorage", 5, "K\x00K\x04\x85K\x01\x85")), "reaches beyond its data"},
		"large":           {state(tensor("FloatStorage", 4, "K\x00J\xff\xff\xff\x7f\x85K\x00\x85")), "larger than the file"},
		"wrapping":        {state(tensor("FloatStorage", 4, "K\x00\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x40K\x04\x86K\x00K\x00\x86")), "larger than the file"},
		"wrapping stride": {state(tensor("FloatStorage", 4, "K\x00K\x04\x85\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f\x85")), "larger than the file"},
		"negative":        {state(tensor("FloatStorage", 4, "K\x00J\xff\xff\xff\xff\x85K\x01\x85")), "shape that is not that of a weight"},
		"zero":            {state(tensor("FloatStorage", 4, "K\x00K\x00\x85K\x01\x85")), "shape that is not that of a weight"},
		"type":            {state(tensor("ShortStorage", 4, "K\x00K\x04\x85K\x01\x85")), "torch.ShortStorage: want float32"},
		"number":          {"\x80\x02K\x01.", "no dictionary of tensors"},
	} {
		named, err := Read(archive(t, test.pickle, data))
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v, %v, want %q", name, named, err, test.want)
		}
	}
	whole := archive(t, state(tensor("FloatStorage", 4, "K\x00K\x04\x85K\x01\x85")), data)
	if named, err := Read(whole); err != nil || named["w"] == nil {
		t.Errorf("a whole file: %v, %v", named, err)
	}
	if _, err := Read(whole[:len(whole)-9]); err == nil || !strings.Contains(err.Error(), "zip archive cannot be read") {
		t.Errorf("a truncated file: %v", err)
	}
	whole[bytes.Index(whole, data)] ^= 1
	if _, err := Read(whole); err == nil || !strings.Contains(err.Error(), "cannot be read") {
		t.Errorf("a damaged number: %v", err)
	}
}

func FuzzRead(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("..", "..", "testdata", "refused-*.pth")) // the small ones
	if err != nil || len(files) == 0 {
		f.Fatalf("no files to begin with: %v", err)
	}
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		named, err := Read(data)
		if err == nil && len(named) == 0 {
			t.Error("neither tensors nor an error")
		}
		if err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("an error of several lines: %v", err)
		}
	})
}

// The pickle itself, which mutations of a whole archive seldom reach past its checksum.
func FuzzPickle(f *testing.F) {
	f.Add([]byte(state(tensor("FloatStorage", 4, "K\x00K\x04\x85K\x01\x85"))))
	f.Add([]byte(state(tensor("HalfStorage", 4, "K\x00K\x02K\x02\x86K\x01K\x02\x86"))))
	f.Add([]byte("\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x8c\x06system\x93\x94]\x94(K\x01K\x02eh\x00."))
	f.Fuzz(func(t *testing.T, pickle []byte) {
		named, err := Read(archive(t, string(pickle), make([]byte, 16)))
		if err == nil && len(named) == 0 {
			t.Error("neither tensors nor an error")
		}
		for name, tensor := range named {
			if !tensor.Ok() {
				t.Errorf("tensor %q is not valid", name)
			}
		}
	})
}
