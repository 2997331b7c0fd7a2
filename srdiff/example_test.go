// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff_test

import (
	"context"
	"fmt"
	"image"
	"log"

	"github.com/srdiff/srlab/srdiff"
	"github.com/srdiff/srlab/srdiff/dataset"
	"github.com/srdiff/srlab/srdiff/diffusion"
	"github.com/srdiff/srlab/srdiff/engine"
	"github.com/srdiff/srlab/srdiff/networks"
)

// Enlarge a picture with a model from a file.
func Example() {
	eng, err := engine.Open("go") // "auto" opens the fastest engine of the machine
	if err != nil {
		log.Fatal(err)
	}
	model, err := srdiff.Load(eng.Backend, "../notebooks/models/predictor-x4.safetensors")
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	picture := image.NewRGBA(image.Rect(0, 0, 12, 8)) // any image.Image
	large, err := model.Upscale(context.Background(), srdiff.SampleOptions{}, picture)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(large.Bounds())
	// Output: (0,0)-(48,32)
}

// Train a very small network for two steps. With srdiff.Config{} in place of the one here, it is
// the tutorial's network and schedule.
func ExampleModel_Train() {
	ctx := context.Background()
	eng, err := engine.Open("go")
	if err != nil {
		log.Fatal(err)
	}
	source, err := dataset.Open(ctx, "generated", dataset.Options{Size: 16})
	if err != nil {
		log.Fatal(err)
	}
	model, err := srdiff.NewModel(eng.Backend, srdiff.Config{
		Diffusion: diffusion.Config{Timesteps: 10},
		Network:   networks.Config{BaseChannels: 4},
		Training:  srdiff.TrainingConfig{ImageSize: 16, BatchSize: 2},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	err = model.Train(ctx, source, 2, "", func(p srdiff.Progress) {
		fmt.Printf("step %d of %d\n", p.Step, p.Steps)
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// step 1 of 2
	// step 2 of 2
}
