// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package dataset_test

import (
	"context"
	"fmt"

	"github.com/srdiff/srlab/srdiff/dataset"
)

func ExampleOpen() {
	src, err := dataset.Open(context.Background(), "generated", dataset.Options{Seed: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(src.Name())

	_, err = dataset.Open(context.Background(), "imagenet", dataset.Options{})
	fmt.Println(err)
	// Output:
	// generated training pictures, 32x32, seed 1
	// unknown data "imagenet": use cifar10, cifar10:PATH, images:DIR, photos:DIR or generated
}

func ExampleBatch() {
	src, err := dataset.Open(context.Background(), "generated", dataset.Options{Size: 16})
	if err != nil {
		fmt.Println(err)
		return
	}
	batch, err := dataset.Batch(src, 8, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(batch.Shape())
	// Output: (Float32)[8, 16, 16, 3]
}
