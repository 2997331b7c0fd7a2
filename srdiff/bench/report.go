// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"math"
	"os"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/srdiff/srlab/srdiff/engine"
)

// introduction returns the date, the method and the machine of the measurement.
func introduction(o options, results []result) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Measured on %s by `bench -network %s -device %s -dtype %s -rounds %d -samples %d`, on\n\n",
		time.Now().Format(time.DateOnly), o.network, o.device, o.dtype, o.rounds, o.samples)
	lines := []string{machine()}
	if o.device == "cuda" {
		if gpus, err := engine.GPUs(); err == nil {
			lines = append(lines, fmt.Sprintf("%s, driver %s", gpus[0], gpus[0].Driver))
		}
	}
	lines = append(lines, "srdiff: "+versions())
	for _, r := range results {
		lines = append(lines, r.name+": "+r.about)
	}
	b.WriteString(bulletList(lines))
	return b.String()
}

// machine describes the processor and the memory.
func machine() string {
	processor := runtime.GOOS + "/" + runtime.GOARCH
	if model := field("/proc/cpuinfo", `model name\s*: (.*)`); model != "" {
		processor = model
	}
	text := fmt.Sprintf("%s, %d processors", processor, runtime.NumCPU())
	if features := engine.CPUFeatures(); len(features) > 0 {
		text += " with " + strings.Join(features, ", ")
	}
	if kB, err := strconv.ParseFloat(field("/proc/meminfo", `MemTotal:\s*(\d+)`), 64); err == nil {
		text += fmt.Sprintf("; %.0f GB of memory", kB*1024/1e9)
	}
	return text
}

// loadWarning returns a warning if other programs use the processor. They slow PyTorch the most,
// because its threads spin while they wait for each other.
func loadWarning() []string {
	load, err := strconv.ParseFloat(field("/proc/loadavg", `^(\S+)`), 64)
	if err != nil || load < 0.5 {
		return nil
	}
	return []string{fmt.Sprintf("The machine was busy with other work before: its load was %.1f.", load)}
}

// field returns what a pattern's group finds in a file, or "".
func field(file, pattern string) string {
	text, _ := os.ReadFile(file) // it exists on Linux only
	if found := regexp.MustCompile(pattern).FindSubmatch(text); found != nil {
		return string(found[1])
	}
	return ""
}

// versions lists the versions of the modules of srdiff's engines.
func versions() string {
	list := []string{runtime.Version()}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			switch name := strings.TrimPrefix(d.Path, "github.com/gomlx/"); name {
			case "gomlx", "compute", "go-xla":
				list = append(list, name+" "+d.Version)
			}
		}
	}
	return strings.Join(list, ", ")
}

// row is a row of the table.
type row struct {
	name   string
	value  func(result) float64
	format func(float64) string
}

// measures returns the rows of the table for batches of a size.
func measures(batch int) []row {
	return []row{
		{fmt.Sprintf("train step of %d pictures, median (ms)", batch), func(r result) float64 { return 1e3 * median(r.train) }, number},
		{"the same, least (ms)", func(r result) float64 { return 1e3 * minimum(r.train) }, number},
		{"training (pictures/s)", func(r result) float64 { return float64(batch) / median(r.train) }, number},
		{"forward pass of 16 pictures, median (ms)", func(r result) float64 { return 1e3 * median(r.forward) }, number},
		{"the same, least (ms)", func(r result) float64 { return 1e3 * minimum(r.forward) }, number},
		{"sampling 16 pictures, 1000 steps, median (s)", func(r result) float64 { return median(r.sample) }, number},
		{"the same, for the first time (s)", func(r result) float64 { return r.firstSample }, number},
		{"sampling beyond 1000 forward passes", func(r result) float64 { return median(r.overhead) }, percent},
		{"from the start until loaded (s)", func(r result) float64 { return r.load }, number},
		{"until the first train step has ended (s)", func(r result) float64 { return r.first }, number},
		{"peak resident memory (MB)", func(r result) float64 { return r.memory }, number},
		{"mean loss of the same steps, as a check", func(r result) float64 { return r.loss }, loss},
	}
}

// contests are the pairs of the ratios.
var contests = []struct {
	name    string
	seconds func(result) float64
}{
	{"train step", func(r result) float64 { return median(r.train) }},
	{"forward pass", func(r result) float64 { return median(r.forward) }},
	{"sampling", func(r result) float64 { return median(r.sample) }},
}

// tables returns the table of measurements, with train steps of batch pictures, and the table of srdiff's speed ratios.
func tables(batch int, results []result) string {
	var b strings.Builder
	write := func(cells ...string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	head := func(cells ...string) {
		write(cells...)
		b.WriteString(strings.Repeat("|---", len(cells)) + "|\n")
	}

	heads := []string{""}
	for _, r := range results {
		heads = append(heads, r.name)
	}
	head(heads...)
	for _, m := range measures(batch) {
		cells, measured := []string{m.name}, false
		for _, r := range results {
			cell := m.format(m.value(r))
			cells, measured = append(cells, cell), measured || cell != notMeasured
		}
		if measured {
			write(cells...)
		}
	}

	var others, torch []result
	for _, r := range results {
		if !r.ours {
			others = append(others, r)
		}
		if strings.HasPrefix(r.name, "torch-") {
			torch = append(torch, r)
		}
	}
	if len(others) == 0 {
		return b.String() + "\n"
	}
	b.WriteString("\nThe others' median time divided by srdiff's: above 1, srdiff is faster.\n\n")
	heads = []string{"", "best of PyTorch"}
	for _, r := range others {
		heads = append(heads, r.name)
	}
	head(heads...)
	for _, r := range results {
		if !r.ours {
			continue
		}
		for _, c := range contests {
			var times []float64
			for _, t := range torch {
				if seconds := c.seconds(t); !math.IsNaN(seconds) {
					times = append(times, seconds)
				}
			}
			if len(times) == 0 {
				continue
			}
			cells := []string{r.name + ", " + c.name, ratio(minimum(times), c.seconds(r))}
			for _, other := range others {
				cells = append(cells, ratio(c.seconds(other), c.seconds(r)))
			}
			write(cells...)
		}
	}
	return b.String() + "\n"
}

// bulletList formats lines as a Markdown list.
func bulletList(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return "- " + strings.Join(lines, "\n- ") + "\n\n"
}

// median returns the middle value, or the mean of the two there; of none it is not a number.
func median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	values = slices.Sorted(slices.Values(values))
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}

// minimum returns the smallest value; of none it is not a number.
func minimum(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	return slices.Min(values)
}

// notMeasured marks a value that was not measured.
const notMeasured = "-"

// number formats a value with at least three digits.
func number(v float64) string {
	switch {
	case math.IsNaN(v) || v == 0:
		return notMeasured
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.2f", v)
	}
}

func loss(v float64) string { return fmt.Sprintf("%.3f", v) }

func percent(v float64) string {
	if math.IsNaN(v) {
		return notMeasured
	}
	return fmt.Sprintf("%+.1f %%", 100*v)
}

func ratio(others, ours float64) string { return number(others / ours) }
