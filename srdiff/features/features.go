// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// Package features measures the distance between two sets of pictures: see Distance. It compares
// the features of a small embedded classifier of picture damage: see Damage.
package features

import (
	_ "embed"
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/layers"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/nlpodyssey/safetensors"
	"github.com/srdiff/srlab/srdiff"
	"github.com/srdiff/srlab/srdiff/imaging"
)

// Dimensions is the number of features of a picture.
const Dimensions = 32

// minSide is the least side of a picture in pixels: three poolings reduce it to one pixel.
const minSide = 8

// Network is the classifier: three times a 3x3 convolution, a ReLU and a mean over 2x2 pixels, and
// then the mean over all pixels, so that the network takes pictures of any size.
//
//	x [batch, height, width, 3] -> 24 -> 48 -> 64 channels -> mean
//	  -> features [batch, Dimensions] -> logits [batch, classes]
//
// The features are those of the last hidden layer. Its activation is swish, x / (1 + e^-x), because
// some features of a ReLU would always be 0.
func Network(scope *model.Scope, x *Node) (features, logits *Node) {
	for i, channels := range []int{24, 48, 64} {
		x = layers.Convolution(scope.In("layer%d", i+1), x).Channels(channels).KernelSize(3).PadSame().Done()
		x = MeanPool(activation.Relu(x)).Window(2).Done()
	}
	features = activation.Swish(layers.DenseWithBias(scope.In("features"), ReduceMean(x, 1, 2), Dimensions))
	return features, layers.DenseWithBias(scope.In("classes"), features, len(Classes))
}

//go:embed classifier.safetensors
var weights []byte // written by features/train

// Classifier is the trained network on an engine. It is for one goroutine at a time.
type Classifier struct{ program *model.Exec }

// New loads the trained network on an engine.
func New(backend compute.Backend) (*Classifier, error) {
	store := model.NewStore()
	file, err := safetensors.Deserialize(weights)
	if err != nil {
		return nil, fmt.Errorf("the classifier's weights: %w", err)
	}
	for _, named := range file.Tensors() {
		var dims []int
		for _, d := range named.TensorView.Shape() {
			dims = append(dims, int(d))
		}
		value := tensors.FromShape(shapes.Make(dtypes.Float32, dims...))
		err := value.MutableBytes(func(to []byte) { copy(to, named.TensorView.Data()) })
		if err == nil {
			_, err = store.CreateVariable(named.Name, value)
		}
		if err != nil {
			return nil, fmt.Errorf("the classifier's weight %s: %w", named.Name, err)
		}
	}
	return Of(backend, store)
}

// Of returns the classifier with the weights of a store after training.
func Of(backend compute.Backend, store *model.Store) (*Classifier, error) {
	program, err := model.NewExec(backend, store, func(scope *model.Scope, x *Node) (features, logits *Node) {
		return Network(scope, x)
	})
	return &Classifier{program}, err
}

// Features returns the Dimensions features of every picture. The pictures have one size, of at
// least 8 pixels a side, and are clamped and rounded to 8 bits first, as they would be in a file.
func (c *Classifier) Features(pictures ...imaging.Picture) ([][]float64, error) {
	features, _, err := c.call(pictures)
	return features, err
}

// Classify returns the index in Classes of the most likely class of every picture: see Features.
func (c *Classifier) Classify(pictures ...imaging.Picture) ([]int, error) {
	_, logits, err := c.call(pictures)
	classes := make([]int, len(logits))
	for i, row := range logits {
		for k, v := range row {
			if v > row[classes[i]] {
				classes[i] = k
			}
		}
	}
	return classes, err
}

func (c *Classifier) call(pictures []imaging.Picture) (features, logits [][]float64, err error) {
	rounded := make([]imaging.Picture, len(pictures))
	for i, p := range pictures {
		if p.Width < minSide || p.Height < minSide {
			return nil, nil, fmt.Errorf("a picture of %dx%d is too small for features: want at least %d pixels a side",
				p.Width, p.Height, minSide)
		}
		rounded[i] = imaging.FromImage(p.Image())
	}
	x, err := srdiff.Tensor(rounded...)
	if err != nil {
		return nil, nil, err
	}
	out, err := c.program.Call(x)
	if err != nil {
		return nil, nil, fmt.Errorf("working out features: %w", err)
	}
	return rows(out[0]), rows(out[1]), nil
}

// rows returns the rows of a float32 matrix.
func rows(t *tensors.Tensor) [][]float64 {
	var list [][]float64
	for _, row := range t.Value().([][]float32) {
		wide := make([]float64, len(row))
		for i, v := range row {
			wide[i] = float64(v)
		}
		list = append(list, wide)
	}
	return list
}
