// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// shard is the flag that chooses one of several shares of the pictures. A picture's share depends on
// its path below the named folder alone, so that processes agree even if the folder changes between
// their starts. The zero shard is all pictures.
type shard struct{ number, of int }

func (s shard) String() string {
	if s.of == 0 {
		return ""
	}
	return fmt.Sprintf("%d/%d", s.number, s.of)
}

func (s shard) Type() string { return "I/N" }

func (s *shard) Set(text string) error {
	first, second, _ := strings.Cut(text, "/")
	number, err := strconv.Atoi(first)
	of, err2 := strconv.Atoi(second)
	switch {
	case err != nil || err2 != nil:
		return errors.New("want I/N, such as 2/8 for the second of 8 shares")
	case of < 1 || number < 1 || number > of:
		return errors.New("want I/N with I from 1 to N, such as 2/8 for the second of 8 shares")
	}
	*s = shard{number, of}
	return nil
}

// has reports whether a text belongs to the share.
func (s shard) has(text string) bool {
	hash := sha256.Sum256([]byte(text)) // a weaker one shares names like 000.png, 002.png, ... unevenly
	return s.of == 0 || binary.LittleEndian.Uint64(hash[:])%uint64(s.of) == uint64(s.number-1)
}

// hasPicture reports whether a picture belongs to the share.
func (s shard) hasPicture(t task) bool { return s.has(filepath.ToSlash(t.rel)) }

// keep drops what does not belong to the share. An error belongs to that of its text.
func (s shard) keep(in *inputs) error {
	if s.of > 0 && !in.several {
		return fmt.Errorf("--shard %s shares out several pictures: name a folder, or omit it", s)
	}
	in.tasks = slices.DeleteFunc(in.tasks, func(t task) bool { return !s.hasPicture(t) })
	in.earlierResults = slices.DeleteFunc(in.earlierResults, func(t task) bool { return !s.hasPicture(t) })
	in.failed = slices.DeleteFunc(in.failed, func(err error) bool { return !s.has(err.Error()) })
	return nil
}
