// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"fmt"
	"image"
	"image/color"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/srdiff/srlab/srdiff/diffusion"
	"github.com/srdiff/srlab/srdiff/networks"
)

// memoryCases are what TestPeakMemory upscales, each in a process of its own. They return the model
// and the estimate for the largest result, in bytes.
var memoryCases = map[string]func(t *testing.T) int64{
	// 16 megapixels, 16 bits a channel and transparent. The network is left out: it sees one tile at a time.
	"large": func(t *testing.T) int64 { return upscaleLarge(t, SampleOptions{Steps: 2}) },
	"large, with the x_0 of the step before": func(t *testing.T) int64 {
		return upscaleLarge(t, SampleOptions{Steps: 2, Sampler: diffusion.DPMpp2M})
	},
	"tiles of the tutorial's network": func(t *testing.T) int64 {
		m := newSmall(t, Config{Network: networks.Config{BaseChannels: 32}})
		return upscaleMeasured(t, m, SampleOptions{Steps: 1}, 40, 40)
	},
	"tiles of a refiner": func(t *testing.T) int64 {
		c := tinyRefiner(4)
		c.Network.BaseChannels, c.Predictor.BaseChannels = 16, 16
		return upscaleMeasured(t, newSmall(t, c), SampleOptions{Steps: 1}, 200, 256)
	},
	"many sizes": func(t *testing.T) int64 {
		m := newSmall(t, Config{Network: networks.Config{BaseChannels: 4}})
		for i := range 60 {
			upscaleMeasured(t, m, SampleOptions{Steps: 1}, 1+i%32, 1+(7*i)%32)
		}
		return upscaleMeasured(t, m, SampleOptions{Steps: 1}, 32, 32)
	},
}

func upscaleLarge(t *testing.T, o SampleOptions) int64 {
	m := newSmall(t, Config{Network: networks.Config{BaseChannels: 4}})
	m.replaceX0(func(in []*Node) *Node { return MulScalar(in[0], 0.5) })
	// Little of what is set aside for the engine is taken, and must not hide what the picture takes.
	return upscaleMeasured(t, m, o, 1024, 1024) - engineMemory + 120e6
}

// upscaleMeasured upscales a transparent picture of 16 bits a channel. It returns the estimate.
func upscaleMeasured(t *testing.T, m *Model, o SampleOptions, width, height int) int64 {
	img := image.NewNRGBA64(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			img.SetNRGBA64(x, y, color.NRGBA64{uint16(77 * x), uint16(91 * y), uint16(x * y), uint16(901 * (x + y))})
		}
	}
	out, err := m.Upscale(t.Context(), o, img)
	if err != nil {
		t.Fatal(err)
	}
	runtime.KeepAlive(img)
	_, _, need := m.layTiles(o, out.Bounds().Dx(), out.Bounds().Dy(), o.Sampler == diffusion.DPMpp2M)
	return need
}

// The memory that a whole process takes at its peak stays within the estimate that pictures are
// refused by.
func TestPeakMemory(t *testing.T) {
	if name := os.Getenv("SRDIFF_MEMORY_CASE"); name != "" { // the process that is measured
		need := memoryCases[name](t)
		fmt.Printf("memory %.0f of %d\n", peakMB(t)*(1<<20), need)
		return
	}
	if runtime.GOOS != "linux" {
		t.Skip("the peak of a process is known on Linux only")
	}
	for name := range memoryCases {
		run := exec.Command(os.Args[0], "-test.run=^TestPeakMemory$")
		run.Env = append(os.Environ(), "SRDIFF_MEMORY_CASE="+name)
		out, err := run.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		_, line, _ := strings.Cut(string(out), "memory ")
		var peak, need int64
		if _, err := fmt.Sscanf(line, "%d of %d", &peak, &need); err != nil {
			t.Fatalf("%s: %v in %q", name, err, out)
		}
		t.Logf("%s: %d MB of %d", name, peak/1e6, need/1e6)
		if peak > need {
			t.Errorf("%s: %d MB at the peak, more than the estimate of %d MB", name, peak/1e6, need/1e6)
		}
	}
}
