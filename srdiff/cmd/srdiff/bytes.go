// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// byteCount is a flag for bytes, such as 800MB or 2.5GB.
type byteCount int64

var byteUnits = []struct {
	name string
	size float64
}{{"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1}} // B last: the others end in it too

func (b byteCount) String() string {
	if b == 0 {
		return ""
	}
	return fmt.Sprintf("%gMB", float64(b)/1e6)
}

func (b byteCount) Type() string { return "bytes" }

func (b *byteCount) Set(text string) error {
	for _, unit := range byteUnits {
		if digits, ok := strings.CutSuffix(strings.ToUpper(text), unit.name); ok {
			v, err := strconv.ParseFloat(digits, 64)
			if v *= unit.size; err == nil && v >= 1 && v < 1e18 {
				*b = byteCount(v)
				return nil
			}
			break
		}
	}
	return errors.New("want an amount such as 800MB or 4GB")
}
