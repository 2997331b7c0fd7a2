// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strings"
	"time"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/srdiff/srlab/srdiff"
	"github.com/srdiff/srlab/srdiff/dataset"
	"github.com/srdiff/srlab/srdiff/engine"
	"github.com/srdiff/srlab/srdiff/imaging"
	"github.com/srdiff/srlab/srdiff/nn"
)

// answer is a contestant's line of JSON. It sends its description when it is loaded, the loss of
// its first train step, and then one answer for each request:
//
//	train N    N train steps at the tutorial's settings, the loss read after each
//	forward N  N passes of the network for 16 pictures, each on the result of the one before
//	sample     16 pictures from noise, over all timesteps
type answer struct {
	About   string  `json:"about,omitempty"`
	Seconds float64 `json:"seconds"`
	Loss    float64 `json:"loss"` // the mean of the steps
}

// samplePictures is how many pictures the network sees in a forward pass and in sampling.
const samplePictures = 16

// pictures is a source of smooth pictures in memory, each with a phase of its own: reference.py has
// the same ones.
type pictures [][]float32

func newPictures(count, size int) pictures {
	all := make(pictures, count)
	for i := range all {
		all[i] = make([]float32, size*size*3)
		for n := range all[i] {
			row, column, channel := n/3/size, n/3%size, n%3
			all[i][n] = float32(0.8 * math.Sin(1.7*float64(i)+0.4*float64(row)+0.3*float64(column)+float64(channel)))
		}
	}
	return all
}

func (p pictures) Name() string { return "smooth pictures" }
func (p pictures) Size() int    { return int(math.Sqrt(float64(len(p[0]) / 3))) }
func (p pictures) Picture(i uint64, dst []float32) error {
	copy(dst, p[i%uint64(len(p))])
	return nil
}

// unlimitedSteps exceeds the number of train steps of any request. (GoMLX reserves 8 bytes for the
// time of each step.)
const unlimitedSteps = 1_000_000

// work runs the contestant of an engine: it answers the requests on in until in ends.
func work(engineName string, config srdiff.Config, in io.Reader, out io.Writer) error {
	eng, err := engine.Open(engineName)
	if err != nil {
		return err
	}
	m, err := srdiff.NewModel(eng.Backend, config)
	if err != nil {
		return err
	}
	forward, err := forwardPass(eng.Backend, m.Config)
	if err != nil {
		return err
	}
	about := eng.Why
	if eng.Plugin != "" {
		about += ", " + filepath.Base(eng.Plugin)
	}
	answers := json.NewEncoder(out)
	if err := answers.Encode(answer{About: about}); err != nil {
		return err
	}

	// Every call of Train compiles anew. So there is one call, and its listener serves the other
	// requests.
	ctx, stop := context.WithCancelCause(context.Background())
	defer stop(nil)
	lines := bufio.NewScanner(in)
	started, losses, left := time.Now(), 0.0, 1
	steps := 1
	next := func() error { // answers, and serves requests until one asks for train steps
		for {
			a := answer{Seconds: time.Since(started).Seconds(), Loss: losses / float64(max(steps, 1))}
			if err := answers.Encode(a); err != nil {
				return err
			}
			if !lines.Scan() {
				return errors.Join(lines.Err(), io.EOF)
			}
			started, losses, steps = time.Now(), 0, 0
			command, count, _ := strings.Cut(lines.Text(), " ")
			n := 1
			if count != "" {
				if _, err := fmt.Sscan(count, &n); err != nil || n < 1 {
					return fmt.Errorf("command %q: want a number from 1 on", lines.Text())
				}
			}
			switch command {
			case "train":
				steps, left = n, n
				return nil
			case "forward":
				if err := forward(n); err != nil {
					return err
				}
			case "sample":
				if err := sample(m); err != nil {
					return err
				}
			default:
				return fmt.Errorf("command %q is not known", lines.Text())
			}
		}
	}
	src := newPictures(8*m.Config.Training.BatchSize, m.Config.Training.ImageSize)
	err = m.Train(ctx, src, unlimitedSteps, "", func(p srdiff.Progress) {
		losses += p.Loss
		if left--; left > 0 || ctx.Err() != nil { // Train ends one step after it is stopped
			return
		}
		if err := next(); err != nil {
			stop(err)
		}
	})
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// forwardPass makes the program of the network's forward pass. Its weights are drawn by GoMLX:
// their values cost no time.
func forwardPass(backend compute.Backend, c srdiff.Config) (func(n int) error, error) {
	pass, err := model.NewExec(backend, model.NewStore(), func(scope *model.Scope, xt, low, t *Node) *Node {
		return srdiff.Predict(nn.NewScope(scope).Computing(c.Training.Precision), c, xt, low, t)
	})
	if err != nil {
		return nil, err
	}
	xt, err := dataset.Batch(newPictures(samplePictures, c.Training.ImageSize), samplePictures, 0)
	if err != nil {
		return nil, err
	}
	low, err := dataset.Batch(newPictures(samplePictures, c.Training.ImageSize/c.Factor), samplePictures, 0)
	if err != nil {
		return nil, err
	}
	t := tensors.FromScalar(int32(c.Diffusion.Timesteps / 2))
	return func(n int) error {
		x := xt
		for range n {
			eps, err := pass.Call1(x, low, t)
			if err != nil {
				return err
			}
			if x != xt {
				if err := x.FinalizeAll(); err != nil {
					return err
				}
			}
			x = eps
		}
		defer x.FinalizeAll()
		return tensors.ConstFlatData(x, func([]float32) {}) // waits for it
	}, nil
}

// sample enlarges small pictures.
func sample(m *srdiff.Model) error {
	size := m.Config.Training.ImageSize / m.Config.Factor
	var low []imaging.Picture
	for _, pix := range newPictures(samplePictures, size) {
		low = append(low, imaging.Picture{Width: size, Height: size, Pix: pix})
	}
	_, err := m.Sample(context.Background(), srdiff.SampleOptions{Seed: 1, Precision: m.Config.Training.Precision}, low...)
	return err
}
