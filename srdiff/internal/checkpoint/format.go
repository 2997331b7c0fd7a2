// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package checkpoint

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/nlpodyssey/safetensors"
)

// A safetensors file begins with the length of its header, 8 bytes, and the header, a JSON object.
const lengthBytes = 8

// checkHeader returns an error that names the kind of data, unless it is a complete safetensors
// file whose tensors have types that Read reads. The library checks everything else; its errors do
// not distinguish a file of another format from a truncated one.
func checkHeader(data []byte) error {
	if len(data) == 0 {
		return errors.New("the file is empty")
	}
	size := uint64(len(data))
	if size <= lengthBytes || data[lengthBytes] != '{' {
		return otherFormat(data)
	}
	header := binary.LittleEndian.Uint64(data)
	if header > maxBytes { // text that happens to have this brace
		return otherFormat(data)
	}
	if header > size-lengthBytes {
		return cutShort(lengthBytes+header, size, "header ends")
	}
	var entries map[string]struct {
		DType   string    `json:"dtype"`
		Offsets [2]uint64 `json:"data_offsets"`
	}
	if err := json.Unmarshal(data[lengthBytes:lengthBytes+header], &entries); err != nil {
		return fmt.Errorf("damaged safetensors file: its header cannot be read: %w", err)
	}
	delete(entries, "__metadata__")
	end := uint64(0)
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		entry := entries[name]
		if !readable(entry.DType) {
			return fmt.Errorf("tensor %q: %w", name, unknownType(entry.DType))
		}
		end = max(end, entry.Offsets[1])
	}
	if rest := size - lengthBytes - header; end > rest {
		return cutShort(lengthBytes+header+end, size, "tensors end")
	} else if end < rest {
		return fmt.Errorf("damaged safetensors file: %d bytes follow its last tensor", rest-end)
	}
	return nil
}

func cutShort(want, have uint64, part string) error {
	return fmt.Errorf("safetensors file cut short: its %s at byte %d, the file has %d bytes; copy or download it again",
		part, want, have)
}

// readable reports whether Read reads tensors of a type, given by its name in safetensors.
func readable(dtype string) bool {
	known := func(t safetensors.DType) bool { return t.String() == dtype }
	for t := range dtypeOf {
		if known(t) {
			return true
		}
	}
	for t := range halfTypes {
		if known(t) {
			return true
		}
	}
	return false
}

const saveAgain = `save it again in Python: torch.save(torch.load("old.pth"), "new.pth")`

// signatures are the first bytes of formats that are mistaken for safetensors files.
var signatures = []struct{ prefix, what string }{
	{"version https://git-lfs.github.com/", "a Git LFS pointer: fetch the file itself with 'git lfs pull'"},
	{"GGUF", "a GGUF file: want the weights as safetensors"},
	{"\x89HDF\r\n\x1a\n", "an HDF5 file (.h5), such as Keras writes: want the weights as safetensors"},
	{"\x93NUMPY", "a NumPy array (.npy): want the weights as safetensors"},
	{"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", "a PyTorch file (.pth) of before 1.6: " + saveAgain},
}

// otherFormat returns the error for data that is not a safetensors file. It names the format if it
// recognises it.
func otherFormat(data []byte) error {
	head := data[:min(len(data), 4096)]
	what := ""
	for _, s := range signatures {
		if bytes.HasPrefix(head, []byte(s.prefix)) {
			what = s.what
		}
	}
	kind, _, _ := strings.Cut(http.DetectContentType(head), ";")
	switch {
	case what != "":
	case kind == "application/zip":
		what = "a zip archive: unpack it"
	case kind == "application/x-gzip":
		what = "a gzip archive: unpack it"
	case kind == "text/html":
		what = "an HTML page: download the file, not the page that shows it"
	case kind == "text/plain", kind == "text/xml":
		what = "text: was the download refused? The file begins with " + fmt.Sprintf("%.60q", firstLine(head))
	case isPickle(head):
		what = "a Python pickle, such as old PyTorch files: " + saveAgain
	case isONNX(head):
		what = "an ONNX file: want the weights as safetensors"
	case kind != "application/octet-stream":
		what = "of type " + kind
	}
	if what == "" {
		return errors.New("not a safetensors file: its header is missing")
	}
	return fmt.Errorf("not a safetensors file, but %s", what)
}

func firstLine(text []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	return line
}

// isPickle recognises Python's pickle protocols 2 to 5: the opcode PROTO and the version.
func isPickle(head []byte) bool {
	return len(head) > 2 && head[0] == 0x80 && head[1] >= 2 && head[1] <= 5
}

// isONNX recognises the protocol buffer of an ONNX model. Field 1 is the version of the format, a
// small number; the next field is one of those that a model has (onnx.proto, ModelProto).
func isONNX(head []byte) bool {
	const producer, producerVersion, domain, modelVersion, doc, graph, opset = 0x12, 0x1a, 0x22, 0x28, 0x32, 0x3a, 0x42
	return len(head) > 2 && head[0] == 0x08 && head[1] < 0x20 &&
		bytes.IndexByte([]byte{producer, producerVersion, domain, modelVersion, doc, graph, opset}, head[2]) >= 0
}
