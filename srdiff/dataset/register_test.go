// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package dataset

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// plain is a source of pictures of one grey, which a test registers.
type plain struct {
	size int
	grey float32
}

func (p plain) Name() string { return "plain pictures" }
func (p plain) Size() int    { return p.size }

func (p plain) Picture(_ uint64, dst []float32) error {
	for i := range dst {
		dst[i] = p.grey
	}
	return nil
}

func openPlain(_ context.Context, path string, o Options) (Source, error) {
	p := plain{size: o.Size}
	if _, err := fmt.Sscan(path, &p.grey); err != nil {
		return nil, fmt.Errorf("plain:%s: want a grey from -1 to 1", path)
	}
	return p, nil
}

// A kind of pictures from outside the package is opened, listed and refused like the package's own.
func TestRegister(t *testing.T) {
	defer func(old []kind) { kinds = old }(slices.Clone(kinds))
	Register("plain", openPlain)
	src, err := Open(t.Context(), "plain:0.5", Options{Size: 16})
	if err != nil {
		t.Fatal(err)
	}
	batch, err := Batch(src, 2, 0)
	if err != nil {
		t.Fatal(err)
	}
	if batch.Shape().String() != "(Float32)[2, 16, 16, 3]" {
		t.Errorf("the batch is %s", batch.Shape())
	}
	for _, spec := range []string{"plain", "plain:", "plane:1"} {
		if _, err := Open(t.Context(), spec, Options{}); err == nil || !strings.Contains(err.Error(), "or plain:PATH") {
			t.Errorf("%s: %v", spec, err)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("a name is registered twice")
		}
	}()
	Register("images", openPlain)
}
