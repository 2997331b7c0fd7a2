// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// Command train trains the classifier of package features on generated pictures, and says how often
// it is right about pictures that it has not seen. From the repository root:
//
//	go run ./srdiff/features/train
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"os/signal"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"
	"github.com/gomlx/gomlx/ml/train/loss"
	"github.com/gomlx/gomlx/ml/train/optimizer"
	"github.com/gomlx/gomlx/ml/train/optimizer/cosineschedule"
	"github.com/srdiff/srlab/srdiff"
	"github.com/srdiff/srlab/srdiff/dataset"
	"github.com/srdiff/srlab/srdiff/engine"
	"github.com/srdiff/srlab/srdiff/features"
	"github.com/srdiff/srlab/srdiff/imaging"
	"github.com/srdiff/srlab/srdiff/internal/checkpoint"
)

const (
	batch        = 64
	learningRate = 3e-3
	tests        = 8192 // held-out pictures
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop)
	steps := flag.Int("steps", 4000, "batches of 64 pictures")
	seed := flag.Int64("seed", 1, "seed of all that is random")
	out := flag.String("out", "srdiff/features/classifier.safetensors", "where the weights go")
	engineName := flag.String("engine", "auto", "engine for the computation: "+engine.Names)
	flag.Parse()
	if err := run(ctx, *steps, *seed, *out, *engineName); err != nil {
		fmt.Fprintln(os.Stderr, "train:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, steps int, seed int64, out, engineName string) error {
	if steps < 1 {
		return errors.New("-steps: want a number greater than 0")
	}
	eng, err := engine.Open(engineName)
	if err != nil {
		return err
	}
	fmt.Println(eng)
	store := model.NewStore()
	if err := store.SetRNGStateFromSeed(seed); err != nil {
		return err
	}
	src, err := open(ctx, dataset.Options{Seed: uint64(seed)})
	if err != nil {
		return err
	}
	if err := learn(eng.Backend, store, steps, src); err != nil {
		return err
	}
	if err := save(store, out); err != nil {
		return err
	}
	return test(ctx, eng.Backend, store, seed)
}

// damaged are the pictures of one of dataset's generated sources, each with a class that follows
// from the seed.
type damaged struct {
	ctx  context.Context
	src  dataset.Source
	seed uint64 // of classes and damage
}

func open(ctx context.Context, o dataset.Options) (damaged, error) {
	src, err := dataset.Open(ctx, "generated", o)
	d := damaged{ctx, src, o.Seed}
	if o.HeldOut { // what is held out shares no noise with what was learnt
		d.seed = ^d.seed
	}
	return d, err
}

// batch returns some pictures and their classes.
func (d damaged) batch(n int) (pictures []imaging.Picture, classes [][]int32, err error) {
	x, err := dataset.Batch(d.src, batch, int64(n))
	if err != nil {
		return nil, nil, err
	}
	if pictures, err = srdiff.Pictures(x); err != nil {
		return nil, nil, err
	}
	for i, p := range pictures {
		rng := rand.New(rand.NewPCG(d.seed, uint64(n*batch+i)))
		class := rng.IntN(len(features.Classes))
		pictures[i] = imaging.FromImage(features.Damage(class, rng, p).Image()) // in 8 bits
		classes = append(classes, []int32{int32(class)})
	}
	return pictures, classes, nil
}

// Name and Iter implement train.Dataset.
func (d damaged) Name() string { return d.src.Name() }

func (d damaged) Iter() iter.Seq2[train.Batch, error] {
	return func(yield func(train.Batch, error) bool) {
		for n := 0; ; n++ {
			if err := d.ctx.Err(); err != nil {
				yield(train.Batch{}, err)
				return
			}
			pictures, classes, err := d.batch(n)
			if err != nil {
				yield(train.Batch{}, err)
				return
			}
			x, err := srdiff.Tensor(pictures...)
			if !yield(train.Batch{Inputs: []*tensors.Tensor{x}, Labels: []*tensors.Tensor{tensors.FromValue(classes)}}, err) {
				return
			}
		}
	}
}

// learn trains the network with Adam, whose learning rate falls to 0 along a cosine.
func learn(backend compute.Backend, store *model.Store, steps int, src damaged) error {
	started, mean := time.Now(), 0.0
	done := 0
	trainer := train.NewTrainer(backend, store, func(scope *model.Scope, x *Node) *Node {
		warmUp := steps / 20
		cosineschedule.New(scope, x.Graph(), dtypes.Float32).LearningRate(learningRate).
			WarmUpSteps(warmUp).PeriodSteps(steps - warmUp).Done()
		_, logits := features.Network(scope, x)
		return logits
	}, loss.SparseCategoricalCrossEntropyLogits, optimizer.Adam().LearningRate(learningRate).Done(), nil, nil)
	loop := train.NewLoop(trainer)
	loop.OnStep("progress", 0, func(_ *train.Loop, metrics []*tensors.Tensor) error {
		done++
		mean += float64(tensors.ToScalar[float32](metrics[0]))
		if done%100 == 0 {
			fmt.Printf("step %d of %d, loss %.3f, %s\n", done, steps, mean/100, time.Since(started).Round(time.Second))
			mean = 0
		}
		return nil
	})
	_, err := loop.RunSteps(src, steps)
	return err
}

// save writes the weights under their names in the store.
func save(store *model.Store, path string) error {
	file := checkpoint.File{Tensors: map[string]*tensors.Tensor{}}
	for v := range store.IterVariables() {
		if !v.Trainable { // the optimizer's
			continue
		}
		value, err := v.Value()
		if err != nil {
			return err
		}
		file.Tensors[v.Path()] = value
	}
	return checkpoint.Write(path, file)
}

// test prints how often the classifier is right about held-out pictures.
func test(ctx context.Context, backend compute.Backend, store *model.Store, seed int64) error {
	c, err := features.Of(backend, store)
	if err != nil {
		return err
	}
	src, err := open(ctx, dataset.Options{Seed: uint64(seed), HeldOut: true})
	if err != nil {
		return err
	}
	n := len(features.Classes)
	right, all := make([]int, n), make([]int, n)
	total := 0
	for k := range tests / batch {
		pictures, classes, err := src.batch(k)
		if err != nil {
			return err
		}
		guesses, err := c.Classify(pictures...)
		if err != nil {
			return err
		}
		for i, guess := range guesses {
			class := int(classes[i][0])
			all[class]++
			if guess == class {
				right[class]++
				total++
			}
		}
	}
	for k, name := range features.Classes {
		fmt.Printf("%-10s %5.1f %%\n", name, 100*float64(right[k])/float64(all[k]))
	}
	fmt.Printf("%-10s %5.1f %% of %d held-out pictures\n", "all", 100*float64(total)/tests, tests)
	return nil
}
