// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package kernelext_test

import (
	"bytes"
	"fmt"
	"image/png"
	"time"

	"github.com/srdiff/srlab/kernelext"
)

func ExampleChart() {
	chart := kernelext.Chart{
		Title: "A linear schedule", XLabel: "step", YLabel: "beta",
		Series: []kernelext.Series{{Name: "beta", Y: []float64{0.0001, 0.0067, 0.0134, 0.02}}},
	}
	data := kernelext.Must(chart.PNG()) // In a notebook simply chart.Show().
	config := kernelext.Must(png.DecodeConfig(bytes.NewReader(data)))
	fmt.Println(config.Width, config.Height)
	// Output: 1280 720
}

func ExampleMonitor() {
	ctx, cancel := kernelext.Context() // Ends with the notebook's interrupt button.
	defer cancel()
	monitor := kernelext.NewMonitor("Training")
	for step := 1; step <= 100 && ctx.Err() == nil; step++ {
		time.Sleep(time.Millisecond) // The work.
		monitor.Update(step, 100, 1/float64(step), "")
	}
	monitor.Done("saved")
}
