// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/train"
	"github.com/srdiff/srlab/srdiff/dataset"
	"github.com/srdiff/srlab/srdiff/diffusion"
	"github.com/srdiff/srlab/srdiff/internal/graphtest"
	"github.com/srdiff/srlab/srdiff/networks"
	"github.com/srdiff/srlab/srdiff/nn"
)

// The tutorial's train step: batch 32, 32x32, with Adam.
//
//	go test ./srdiff -run '^$' -bench . -benchtime 20x
func BenchmarkTrainStep(b *testing.B) { benchmarkTrainStep(b, Config{}) }

// A train step of the better network, with the same batch.
func BenchmarkBetterTrainStep(b *testing.B) {
	benchmarkTrainStep(b, Config{Network: networks.Config{Name: networks.Small}})
}

func benchmarkTrainStep(b *testing.B, c Config) {
	m, err := NewModel(graphtest.Engine(b), c)
	if err != nil {
		b.Fatal(err)
	}
	if err := m.store.SetRNGStateFromSeed(1); err != nil {
		b.Fatal(err)
	}
	if err := m.startAverages(); err != nil {
		b.Fatal(err)
	}
	trainer := train.NewTrainer(m.backend, m.store, m.trainStep,
		func(_, predictions []*Node) *Node { return predictions[0] }, m.adam().New(), nil, nil)
	step := func() {
		batch, err := dataset.Batch(waves{m.Config.Training.ImageSize}, m.Config.Training.BatchSize, 0)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := trainer.TrainStep(train.Batch{Inputs: []*tensors.Tensor{batch}}); err != nil {
			b.Fatal(err)
		}
	}
	measure(b, m.Config.Training.BatchSize, step)
}

// One reverse step of sampling, which is a forward pass of the network and little else, for 16
// pictures of 32x32. It is taken by the function that Sample calls.
func BenchmarkForward16(b *testing.B) {
	m, err := NewModel(graphtest.Engine(b), Config{})
	if err != nil {
		b.Fatal(err)
	}
	const batch = 16
	low, err := dataset.Batch(waves{m.Config.Training.ImageSize / m.Config.Factor}, batch, 1)
	if err != nil {
		b.Fatal(err)
	}
	o, _, err := m.prepare(SampleOptions{Seed: 1})
	if err != nil {
		b.Fatal(err)
	}
	step := diffusion.DDPM.Steps(m.schedule.Points(500, 499), diffusion.SamplerOptions{})[:1]
	measure(b, batch, func() {
		x, err := m.sample(context.Background(), o, step, low)
		if err != nil {
			b.Fatal(err)
		}
		x.MustFinalizeAll()
	})
}

// measure times step, which works on a number of images, after one call that compiles it.
func measure(b *testing.B, images int, step func()) {
	b.Helper()
	step()
	b.ReportAllocs()
	for b.Loop() {
		step()
	}
	b.ReportMetric(b.Elapsed().Seconds()*1e3/float64(b.N), "ms/step")
	b.ReportMetric(float64(images*b.N)/b.Elapsed().Seconds(), "images/s")
	b.ReportMetric(peakMB(b), "peak-resident-MB")
}

// peakMB is the most resident memory that this process has had.
func peakMB(tb testing.TB) float64 { return statusMB(tb, "VmHWM:") }

// statusMB is a measure of this process's memory that the system keeps.
func statusMB(tb testing.TB, name string) float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		tb.Log("resident memory is known on Linux only")
		return 0
	}
	var kB float64
	if _, line, found := bytes.Cut(status, []byte(name)); found {
		if _, err := fmt.Sscanf(string(line), "%f kB", &kB); err != nil {
			tb.Fatal(err)
		}
	}
	return kB / 1024
}

// BenchmarkUpscale256 enlarges a picture of 256x256 to 1024x1024 with the shipped models.
func BenchmarkUpscale256(b *testing.B) {
	img := colourful(256, 256)
	for _, name := range []string{"predictor-x4", "refiner-x4"} {
		m, err := Load(graphtest.Engine(b), "../notebooks/models/"+name+".safetensors")
		if err != nil {
			b.Fatal(err)
		}
		for _, precision := range []nn.Precision{nn.Float32, nn.BFloat16} {
			b.Run(name+"/"+string(precision), func(b *testing.B) {
				if precision == nn.BFloat16 && m.backend.Name() == "Go Backend" {
					b.Skip("pure Go computes bfloat16 one number after the other")
				}
				upscale := func() {
					if _, err := m.Upscale(b.Context(), SampleOptions{Precision: precision}, img); err != nil {
						b.Fatal(err)
					}
				}
				upscale() // compiles
				for b.Loop() {
					upscale()
				}
			})
		}
	}
}
