// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/gomlx/gomlx/ml/model"
	"github.com/srdiff/srlab/srdiff/dataset"
	"github.com/srdiff/srlab/srdiff/engine"
	"github.com/srdiff/srlab/srdiff/internal/checkpoint"
)

// trained returns the file that training for two steps leaves.
func trained(t *testing.T, ctx context.Context, seed int64) ([]byte, error) {
	t.Helper()
	eng, err := engine.Open("auto")
	if err != nil {
		t.Fatal(err)
	}
	store := model.NewStore()
	if err := store.SetRNGStateFromSeed(seed); err != nil {
		t.Fatal(err)
	}
	src, err := open(ctx, dataset.Options{Seed: uint64(seed), Size: 8}) // the network is one for pictures of any size
	if err != nil {
		t.Fatal(err)
	}
	if err := learn(eng.Backend, store, 2, src); err != nil {
		return nil, err
	}
	path := filepath.Join(t.TempDir(), "classifier.safetensors")
	if err := save(store, path); err != nil {
		t.Fatal(err)
	}
	return os.ReadFile(path)
}

// The file follows from the seed, and holds the tensors of the one that package features embeds.
func TestTrainingFollowsFromTheSeed(t *testing.T) {
	ctx := context.Background()
	a, err := trained(t, ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := trained(t, ctx, 1); err != nil || !bytes.Equal(a, b) {
		t.Errorf("the same seed gave another file (%v)", err)
	}
	if b, err := trained(t, ctx, 2); err != nil || bytes.Equal(a, b) {
		t.Errorf("another seed gave the same file (%v)", err)
	}
	path := filepath.Join(t.TempDir(), "two steps.safetensors")
	if err := os.WriteFile(path, a, 0o644); err != nil {
		t.Fatal(err)
	}
	ours, err1 := checkpoint.Read(path)
	embedded, err2 := checkpoint.Read("../classifier.safetensors")
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	for name, tensor := range embedded.Tensors {
		if mine := ours.Tensors[name]; mine == nil || !mine.Shape().Equal(tensor.Shape()) {
			t.Errorf("%s: want %s", name, tensor.Shape())
		}
	}
	if len(ours.Tensors) != len(embedded.Tensors) {
		t.Errorf("%d tensors, want %d", len(ours.Tensors), len(embedded.Tensors))
	}
}

func TestTrainingIsInterrupted(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	stop()
	if _, err := trained(t, ctx, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the context's", err)
	}
}
