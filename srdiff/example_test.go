// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff_test

import (
	"context"
	"fmt"
	"log"

	"github.com/srdiff/srlab/srdiff"
	"github.com/srdiff/srlab/srdiff/dataset"
	"github.com/srdiff/srlab/srdiff/diffusion"
	"github.com/srdiff/srlab/srdiff/engine"
	"github.com/srdiff/srlab/srdiff/imaging"
	"github.com/srdiff/srlab/srdiff/networks"
)

// Train a very small network for two steps, and enlarge a picture with it. With Config{} in place of the one here, it is the
// tutorial's network and schedule.
func Example() {
	ctx := context.Background()
	eng, err := engine.Open("go")
	if err != nil {
		log.Fatal(err)
	}
	source, err := dataset.Open(ctx, "generated", dataset.Options{Size: 16})
	if err != nil {
		log.Fatal(err)
	}
	model, err := srdiff.NewModel(eng.Backend, srdiff.Config{Network: networks.Config{BaseChannels: 4}, Diffusion: diffusion.Config{Timesteps: 10}, Training: srdiff.TrainingConfig{ImageSize: 16, BatchSize: 2}})
	if err != nil {
		log.Fatal(err)
	}
	err = model.Train(ctx, source, 2, "", func(p srdiff.Progress) {
		fmt.Printf("step %d of %d\n", p.Step, p.Steps)
	})
	if err != nil {
		log.Fatal(err)
	}
	large, err := model.Sample(ctx, srdiff.SampleOptions{Seed: 1}, imaging.New(3, 2))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("3x2 pixels became %dx%d\n", large[0].Width, large[0].Height)
	// Output:
	// step 1 of 2
	// step 2 of 2
	// 3x2 pixels became 12x8
}
