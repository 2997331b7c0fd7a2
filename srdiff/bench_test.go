// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"bytes"
	"fmt"
	"os"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/train"
	"github.com/srdiff/srlab/srdiff/dataset"
	"github.com/srdiff/srlab/srdiff/diffusion"
	"github.com/srdiff/srlab/srdiff/internal/graphtest"
)

// The tutorial's train step: batch 32, 32x32, with Adam.
//
//	GOEXPERIMENT=simd go test ./srdiff -run '^$' -bench . -benchtime 20x
func BenchmarkTrainStep(b *testing.B) {
	m, err := NewModel(graphtest.Engine(b), Config{})
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
// pictures of 32x32.
func BenchmarkForward16(b *testing.B) {
	m, err := NewModel(graphtest.Engine(b), Config{})
	if err != nil {
		b.Fatal(err)
	}
	const batch = 16
	rng, err := RNGStateFromSeed(1)
	if err != nil {
		b.Fatal(err)
	}
	x, err := dataset.Batch(waves{m.Config.Training.ImageSize}, batch, 0)
	if err != nil {
		b.Fatal(err)
	}
	low, err := dataset.Batch(waves{m.Config.Training.ImageSize / 4}, batch, 1)
	if err != nil {
		b.Fatal(err)
	}
	level := tensors.FromShape(shapes.Make(dtypes.Float32, batch))
	reverse, err := m.sampler(samplerVariant{weights: weightsScope, stochastic: true, clip: diffusion.ClipStatic})
	if err != nil {
		b.Fatal(err)
	}
	rows := tensors.FromValue(table(diffusion.DDPM.Steps(m.schedule.Points(500, 499), diffusion.SamplerOptions{}), SampleOptions{}))
	measure(b, batch, func() {
		out, err := reverse.Call(x, x, rng, int32(0), int32(1), low, level, rows)
		if err != nil {
			b.Fatal(err)
		}
		for _, o := range out {
			o.MustFinalizeAll()
		}
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
