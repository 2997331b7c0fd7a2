// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package checkpoint

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"iter"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/nlpodyssey/safetensors"
)

// Stream is a safetensors file with one tensor of float32 that need not be in memory. Read reads such a
// file too.
type Stream struct {
	Name     string
	Shape    []uint64
	Metadata map[string]string // free text in UTF-8 under free keys, but for "sha256"
}

// streamed is the tensor of a stream, without its data.
type streamed struct {
	view
	bytes uint64
}

// DataLen returns the length of the data, of which Data returns nothing.
func (s streamed) DataLen() uint64 { return s.bytes }

// tensor returns the stream's tensor. A shape of too many bytes for a file is an error.
func (s Stream) tensor() (streamed, error) {
	t := streamed{view{dtype: safetensors.F32, shape: s.Shape}, 4}
	for _, d := range s.Shape {
		if d != 0 && t.bytes > math.MaxInt64/d {
			return t, fmt.Errorf("shape %v is not that of a file's tensor", s.Shape)
		}
		t.bytes *= d
	}
	return t, nil
}

// header returns the beginning of the file, up to the tensor's data.
func (s Stream) header(sum string) ([]byte, error) {
	t, err := s.tensor()
	if err != nil {
		return nil, err
	}
	metadata, err := withSum(s.Metadata, sum)
	if err != nil {
		return nil, err
	}
	return safetensors.Serialize(map[string]streamed{s.Name: t}, metadata)
}

// WriteStream writes a stream to w, given the values of its tensor in pieces. The file has the bytes that
// Write gives it. The checksum in its header is known last, so w is a new file, whose beginning is
// written twice.
func WriteStream(w io.WriteSeeker, s Stream, values iter.Seq2[[]float32, error]) error {
	header, err := s.header(strings.Repeat("0", 2*sha256.Size))
	if err != nil {
		return err
	}
	if _, err := w.Write(header); err != nil {
		return err
	}
	t, _ := s.tensor()
	sum := sha256.New()
	addTensor(sum, s.Name, t.dtype, t.shape, t.bytes)
	buffered := bufio.NewWriterSize(io.MultiWriter(w, sum), 1<<16)
	left := t.bytes
	for piece, err := range values {
		if err != nil {
			return err
		}
		if uint64(len(piece)) > left/4 {
			return fmt.Errorf("tensor %q of shape %v gets too many values", s.Name, s.Shape)
		}
		left -= 4 * uint64(len(piece))
		for _, v := range piece {
			if _, err := buffered.Write(binary.LittleEndian.AppendUint32(buffered.AvailableBuffer(), math.Float32bits(v))); err != nil {
				return err
			}
		}
	}
	if left > 0 {
		return fmt.Errorf("tensor %q of shape %v lacks %d values", s.Name, s.Shape, left/4)
	}
	if err := buffered.Flush(); err != nil {
		return err
	}
	addMetadata(sum, s.Metadata)
	if header, err = s.header(fmt.Sprintf("%x", sum.Sum(nil))); err != nil {
		return err
	}
	if _, err := w.Seek(0, io.SeekStart); err != nil {
		return err
	}
	_, err = w.Write(header)
	return err
}

// maxStreamHeader bounds the header of a stream that is read, in bytes.
const maxStreamHeader = 1 << 20

// StreamReader reads the values of a stream.
type StreamReader struct {
	Stream
	r    *bufio.Reader
	left uint64 // bytes of values
	want string // the checksum
	sum  hash.Hash
}

// ReadStream reads the header of a stream.
func ReadStream(r io.Reader) (*StreamReader, error) {
	s := &StreamReader{r: bufio.NewReader(r), sum: sha256.New()}
	head, err := s.r.Peek(lengthBytes + 1)
	switch {
	case err == io.EOF && len(head) == 0:
		return nil, errors.New("the file is empty")
	case err != nil && err != io.EOF:
		return nil, err
	case len(head) <= lengthBytes || head[lengthBytes] != '{' || binary.LittleEndian.Uint64(head) > maxStreamHeader:
		return nil, errors.New("not a safetensors file of one tensor: its header is missing or too long")
	}
	header := make([]byte, binary.LittleEndian.Uint64(head))
	s.r.Discard(lengthBytes) // what was just read
	if _, err := io.ReadFull(s.r, header); err != nil {
		return nil, shortStream(err)
	}
	var about safetensors.Metadata
	if err := json.Unmarshal(header, &about); err != nil {
		return nil, fmt.Errorf("damaged safetensors file: its header cannot be read: %w", err)
	}
	infos := about.Tensors()
	if len(infos) != 1 {
		return nil, fmt.Errorf("the file has %d tensors: want one", len(infos))
	}
	for name, info := range infos {
		s.Name, s.Shape = name, info.Shape
		t, err := s.tensor()
		switch {
		case err != nil:
			return nil, err
		case info.DType != safetensors.F32:
			return nil, fmt.Errorf("tensor %q is of type %s: want F32", name, info.DType)
		case info.DataOffsets != [2]uint64{0, t.bytes}:
			return nil, fmt.Errorf("damaged safetensors file: tensor %q of shape %v is at %v", name, s.Shape, info.DataOffsets)
		}
		s.left = t.bytes
		addTensor(s.sum, name, info.DType, s.Shape, t.bytes)
	}
	s.Metadata = maps.Clone(about.Metadata())
	s.want = s.Metadata[sumKey]
	delete(s.Metadata, sumKey)
	return s, s.check()
}

// Read fills values with the next ones of the tensor. With the last one it checks the file's checksum,
// and that nothing follows.
func (s *StreamReader) Read(values []float32) error {
	if uint64(len(values)) > s.left/4 {
		return fmt.Errorf("tensor %q has no more than %d values left", s.Name, s.left/4)
	}
	var piece [1 << 13]byte
	for part := range slices.Chunk(values, len(piece)/4) {
		data := piece[:4*len(part)]
		if _, err := io.ReadFull(s.r, data); err != nil {
			return shortStream(err)
		}
		s.sum.Write(data)
		s.left -= uint64(len(data))
		for i := range part {
			part[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
		}
	}
	return s.check()
}

// check checks the checksum and the end of the file after the last value.
func (s *StreamReader) check() error {
	if s.left > 0 {
		return nil
	}
	addMetadata(s.sum, s.Metadata)
	if fmt.Sprintf("%x", s.sum.Sum(nil)) != s.want {
		return errDamaged
	}
	_, err := s.r.Peek(1)
	switch {
	case err == nil:
		return errors.New("damaged safetensors file: bytes follow its tensor")
	case err != io.EOF:
		return err
	}
	return nil
}

// shortStream names the fault of a file that ends too early.
func shortStream(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return errors.New("safetensors file cut short: copy or download it again")
	}
	return err
}
