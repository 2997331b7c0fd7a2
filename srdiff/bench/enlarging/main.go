// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// Command enlarging measures how long srdiff's models take for a picture of 256x256, beside the same
// networks in PyTorch and ONNX Runtime, and writes the result into docs/benchmarks.md. See
// 'make bench-enlarging'.
//
// Every contestant is a process of its own. They take turns in a random order in every round. All
// others are stopped while one is measured.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"image"
	"image/color"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/srdiff/srlab/notebooks/models"
	"github.com/srdiff/srlab/srdiff"
	"github.com/srdiff/srlab/srdiff/bench/process"
	"github.com/srdiff/srlab/srdiff/bench/section"
	"github.com/srdiff/srlab/srdiff/engine"
	"github.com/srdiff/srlab/srdiff/imaging"
	"github.com/srdiff/srlab/srdiff/nn"
)

// The models by the names of the requests.
var networks = []struct{ request, model string }{{"predictor", "clean"}, {"refiner", "detail"}}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	if len(os.Args) == 4 && os.Args[1] == "-worker" {
		err = work(ctx, os.Args[2], nn.Precision(os.Args[3]), os.Stdin, os.Stdout)
	} else {
		err = run(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "enlarging:", err)
		os.Exit(1)
	}
}

// answer is a contestant's line of JSON: what it is, when it is loaded, and then the seconds of each
// request "NETWORK N" for N pictures, with the mean of the result on the scale 0..1.
type answer struct {
	About   string  `json:"about,omitempty"`
	Seconds float64 `json:"seconds"`
	Mean    float64 `json:"mean"`
}

// contestant is a program to measure.
type contestant struct {
	name, precision string
	command         []string
	about           string
	mean            map[string]float64   // by request
	seconds         map[string][]float64 // of one picture, a value each round
	*process.Process
}

func run(ctx context.Context) error {
	out := flag.String("out", "docs/benchmarks.md", "the file that gets the result, between its markers")
	python := flag.String("python", ".lab/bench-venv/bin/python", "a Python with srdiff/bench/requirements.txt")
	rounds := flag.Int("rounds", 15, "how often each contestant is measured")
	pureGo := flag.Int("pure-go-rounds", 2, "in how many rounds the pure-Go engine is measured, which takes minutes")
	flag.Parse()
	if err := section.Check(*out, "enlarging"); err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "enlarging")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	if err := writeModels(folder); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	var all []*contestant
	add := func(name, precision string, command ...string) {
		all = append(all, &contestant{name: name, precision: precision, command: command,
			mean: map[string]float64{}, seconds: map[string][]float64{}})
	}
	peers := "srdiff/bench/enlarging/peers.py"
	for _, precision := range []string{"float32", "bfloat16"} {
		add("srdiff, XLA", precision, self, "-worker", "xla:cpu", precision)
		for _, variant := range []string{"torch-eager", "torch-channels-last", "torch-compile"} {
			add(variant, precision, *python, peers, variant, folder, "--dtype", precision)
		}
	}
	add("onnxruntime", "float32", *python, peers, "onnxruntime", folder)
	add("srdiff, pure Go", "float32", self, "-worker", "go", "float32")
	for _, c := range all {
		fmt.Fprintf(os.Stderr, "starting %s, %s\n", c.name, c.precision)
		if err := c.begin(ctx); err != nil {
			return err
		}
		defer c.End()
	}
	for round := range *rounds {
		fmt.Fprintf(os.Stderr, "round %d of %d\n", round+1, *rounds)
		for _, i := range rand.Perm(len(all)) {
			if c := all[i]; c.name != "srdiff, pure Go" || round < *pureGo {
				if err := c.measure(); err != nil {
					return err
				}
			}
		}
	}
	text := report(all, *rounds)
	fmt.Print(text)
	return section.Write(*out, "enlarging", text)
}

// writeModels writes the models' files and their ONNX forms for the peers.
func writeModels(folder string) error {
	eng, err := engine.Open("go")
	if err != nil {
		return err
	}
	for _, n := range networks {
		found, err := models.Find(n.model, 4)
		if err != nil {
			return err
		}
		path := filepath.Join(folder, n.request)
		if err := os.WriteFile(path+".safetensors", found.Bytes(), 0o666); err != nil {
			return err
		}
		m, err := srdiff.Load(eng.Backend, path+".safetensors")
		if err != nil {
			return err
		}
		files, err := m.ExportONNX(filepath.Join(folder, "x.onnx"), 0)
		if err == nil { // the last one is the whole model
			err = os.Rename(files[len(files)-1], path+".onnx")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// begin starts a contestant, has it enlarge the picture once with each network, which compiles, and
// stops it.
func (c *contestant) begin(ctx context.Context) error {
	var a answer
	var err error
	if c.Process, err = process.Start(ctx, c.command); err != nil {
		return err
	}
	if err := c.Answer(&a); err != nil {
		return err
	}
	c.about = a.About
	for _, n := range networks {
		if err := c.Ask(&a, "%s 1", n.request); err != nil {
			return err
		}
		c.mean[n.request] = a.Mean
	}
	return c.Stop()
}

// measure measures one picture with each network.
func (c *contestant) measure() error {
	if err := c.Continue(); err != nil {
		return err
	}
	for _, n := range networks {
		var a answer
		if err := c.Ask(&a, "%s 1", n.request); err != nil {
			return err
		}
		c.seconds[n.request] = append(c.seconds[n.request], a.Seconds)
	}
	return c.Stop()
}

// work is the contestant of an engine: it answers the requests on in until in ends.
func work(ctx context.Context, engineName string, precision nn.Precision, in io.Reader, out io.Writer) error {
	eng, err := engine.Open(engineName)
	if err != nil {
		return err
	}
	loaded := map[string]*srdiff.Model{}
	for _, n := range networks {
		found, err := models.Find(n.model, 4)
		if err != nil {
			return err
		}
		if loaded[n.request], err = srdiff.Parse(eng.Backend, found.Bytes()); err != nil {
			return err
		}
	}
	answers, img := json.NewEncoder(out), picture()
	if err := answers.Encode(answer{About: eng.Why}); err != nil {
		return err
	}
	for lines := bufio.NewScanner(in); lines.Scan(); {
		var request string
		var count int
		if _, err := fmt.Sscan(lines.Text(), &request, &count); err != nil || loaded[request] == nil {
			return fmt.Errorf("request %q is not known", lines.Text())
		}
		began, mean := time.Now(), 0.
		for range count {
			// The memory allows one tile, as the others have.
			result, err := loaded[request].Upscale(ctx, srdiff.SampleOptions{Precision: precision, Memory: 6e9, Seed: 1}, img)
			if err != nil {
				return err
			}
			mean = meanOf(imaging.FromImage(result))
		}
		if err := answers.Encode(answer{Seconds: time.Since(began).Seconds(), Mean: mean}); err != nil {
			return err
		}
	}
	return nil
}

// side of the picture.
const side = 256

// picture is the same as in peers.py.
func picture() image.Image {
	img := image.NewNRGBA(image.Rect(0, 0, side, side))
	for y := range side {
		for x := range side {
			value := func(c int) uint8 {
				return uint8(math.RoundToEven(127.5 + 100*math.Sin(0.4*float64(y)+0.3*float64(x)+float64(c))))
			}
			img.SetNRGBA(x, y, color.NRGBA{value(0), value(1), value(2), 255})
		}
	}
	return img
}

// meanOf returns the mean of a picture on the scale 0..1.
func meanOf(p imaging.Picture) float64 {
	sum := 0.
	for _, v := range p.Pix {
		sum += float64(v)
	}
	return sum/float64(len(p.Pix))/2 + 0.5
}

func report(all []*contestant, rounds int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Measured on %s by `make bench-enlarging`: seconds for a picture of %dx%d, 4 times larger, medians and the range of the middle\n"+
		"half of %d rounds. Compiling is not included.\n\n", time.Now().Format(time.DateOnly), side, side, rounds)
	b.WriteString("| | | predictor | | refiner, 4 steps | |\n|---|---|---|---|---|---|\n")
	for _, c := range all {
		fmt.Fprintf(&b, "| %s | %s |", c.name, c.precision)
		for _, n := range networks {
			low, middle, high := quartiles(c.seconds[n.request])
			fmt.Fprintf(&b, " %.3g | %.3g to %.3g |", middle, low, high)
		}
		b.WriteString("\n")
	}
	b.WriteString("\nThe least median of the others divided by srdiff's: above 1, srdiff is faster.\n\n| | predictor | refiner |\n|---|---|---|\n")
	for _, c := range all {
		if !strings.HasPrefix(c.name, "srdiff") {
			continue
		}
		fmt.Fprintf(&b, "| %s, %s |", c.name, c.precision)
		for _, n := range networks {
			best := math.Inf(1)
			for _, other := range all {
				if !strings.HasPrefix(other.name, "srdiff") && other.precision == c.precision {
					_, middle, _ := quartiles(other.seconds[n.request])
					best = min(best, middle)
				}
			}
			_, middle, _ := quartiles(c.seconds[n.request])
			fmt.Fprintf(&b, " %.2f |", best/middle)
		}
		b.WriteString("\n")
	}
	b.WriteString("\n")
	seen := map[string]bool{}
	for _, c := range all {
		if line := c.name + ": " + c.about; !seen[line] {
			seen[line] = true
			fmt.Fprintf(&b, "- %s\n", line)
		}
	}
	fmt.Fprintf(&b, "- means of the predictor's results, as a check:")
	for i, c := range all {
		fmt.Fprintf(&b, "%s %.4f", strings.Repeat(",", min(i, 1)), c.mean["predictor"])
	}
	return b.String() + "\n"
}

// quartiles returns the quartiles of values, of which there is at least one.
func quartiles(values []float64) (low, middle, high float64) {
	sorted := slices.Sorted(slices.Values(values))
	at := func(share float64) float64 { return sorted[int(share*float64(len(sorted)-1)+0.5)] }
	return at(0.25), at(0.5), at(0.75)
}
