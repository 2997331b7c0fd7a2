// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/srdiff/srlab/srdiff/diffusion"
	"github.com/srdiff/srlab/srdiff/internal/atomicfile"
	"github.com/srdiff/srlab/srdiff/internal/onnx"
	"github.com/srdiff/srlab/srdiff/networks"
)

// maxExportedSteps bounds the steps in an exported file, which holds the refiner's nodes for each.
const maxExportedSteps = 100

// ONNXFiles returns the names of the files that ExportONNX writes for a model of the given
// configuration: the path itself, and for a model that refines the same with "-refiner" before its
// ending. It returns an error for a path that does not end in .onnx, and for a model that has no ONNX
// form.
func ONNXFiles(c Config, path string) ([]string, error) {
	c = c.WithDefaults()
	name, ok := strings.CutSuffix(path, ".onnx")
	switch {
	case !ok || name == "" || strings.HasSuffix(name, "/"):
		return nil, fmt.Errorf("%q is no name for an ONNX file: want one that ends in .onnx, such as x4.onnx", path)
	case c.refines() && c.Network.Name == networks.Residual:
		return []string{path, name + "-refiner.onnx"}, nil
	case c.refines():
		return nil, fmt.Errorf("the model's refiner is of the network %s, which has no ONNX form: want %s", c.Network.Name, networks.Residual)
	case c.Network.Name != networks.PixelShuffle || c.Diffusion.Prediction != diffusion.Regression:
		return nil, fmt.Errorf("the model is of the network %s and predicts %s, which has no ONNX form: want a regression of the network %s, "+
			"or a model that refines one", c.Network.Name, c.Diffusion.Prediction, networks.PixelShuffle)
	}
	return []string{path}, nil
}

// ExportONNX writes the model as ONNX files (operator set 13), and returns their names: see ONNXFiles.
// Pictures are float32 [batch, 3, height, width], red, green and blue from 0 to 1, of any size:
//
//	FILE          image -> result                    the predictor, or the model's only network
//	FILE-refiner  image, noise, strength -> result   a whole sample of a model that refines
//
// result is factor times as high and wide as image. noise has the shape of result and is standard
// normal; the same noise gives the same result. strength is a list of one number, 1 -
// SampleOptions.Fidelity. The sampler is DDIM with the given number of steps, 0 for the model's
// default, at most 100. Both files compute in float32, and each holds all weights that it needs.
//
// A file is written whole or not at all. One that was there is replaced.
func (m *Model) ExportONNX(path string, steps int) (written []string, err error) {
	files, err := ONNXFiles(m.Config, path)
	if err != nil {
		return nil, err
	}
	exported, err := m.onnxModel(steps)
	if err != nil {
		return nil, err
	}
	for i, encode := range []func() ([]byte, error){exported.Predictor, exported.Refiner}[:len(files)] {
		data, err := encode()
		if err != nil {
			return written, fmt.Errorf("%s: %w", files[i], err)
		}
		err = atomicfile.Write(files[i], func(w io.Writer) error { _, err := w.Write(data); return err })
		if err != nil {
			return written, err
		}
		written = append(written, files[i])
	}
	return written, nil
}

// onnxModel gathers what the files are made of.
func (m *Model) onnxModel(steps int) (o onnx.Model, err error) {
	o.Factor, o.Blocks = m.Config.Factor, m.Config.Network.Blocks
	o.About = onnx.About{Version: Version(), Metadata: map[string]string{"factor": strconv.Itoa(o.Factor)},
		Text: "Enlarges RGB pictures [batch, 3, height, width] with values from 0 to 1. Noise is standard normal, strength from 0 to 1."}
	if m.Config.refines() {
		o.Blocks, o.RefinerBlocks, o.MaxDetail = m.Config.Predictor.Blocks, m.Config.Network.Blocks, maxDetail
		if o.Steps, err = m.onnxSteps(steps); err != nil {
			return o, err
		}
		o.About.Metadata["steps"] = strconv.Itoa(len(o.Steps))
	} else if steps != 0 {
		return o, errors.New("this model is a predictor alone, which takes no sampling steps: omit their number")
	}
	o.Weights, err = m.torchWeights()
	return o, err
}

// onnxSteps returns the steps of DDIM, 0 for the model's default number of them.
func (m *Model) onnxSteps(steps int) ([]onnx.Step, error) {
	if steps < 0 || steps > maxExportedSteps {
		return nil, fmt.Errorf("the number of steps is %d: want 1 to %d, or 0 for the model's default", steps, maxExportedSteps)
	}
	_, list, err := m.prepare(SampleOptions{Steps: steps, Sampler: diffusion.DDIM})
	if err != nil {
		return nil, err
	}
	// x_0 = OfX x_t + OfF f, by the model's own Prediction.X0.
	coefficients, err := NewExec(m.backend, func(rows *Node) *Node {
		ofX, ofF := []*Node{}, []*Node{}
		for k := range list {
			at := rowOf(Reshape(Slice(rows, AxisElem(k)), -1)).at
			zero, one := ZerosLike(at.Signal), OnesLike(at.Signal)
			ofX = append(ofX, m.Config.Diffusion.Prediction.X0(at, one, zero))
			ofF = append(ofF, m.Config.Diffusion.Prediction.X0(at, zero, one))
		}
		return Reshape(Concatenate(append(ofX, ofF...), 0), 2, -1)
	})
	if err != nil {
		return nil, plain("computing the steps", err)
	}
	defer coefficients.Finalize()
	out, err := coefficients.Call(table(list, SampleOptions{}))
	if err != nil {
		return nil, plain("computing the steps", err)
	}
	of := tensors.MustCopyFlatData[float32](out[0])
	exported := make([]onnx.Step, len(list))
	for k, s := range list {
		exported[k] = onnx.Step{T: s.T, OfX: float64(of[k]), OfF: float64(of[len(list)+k]), OfXt: s.OfXt, OfX0: s.OfX0}
	}
	return exported, nil
}

// torchWeights returns the weights that Sample uses, named and laid out as in PyTorch.
func (m *Model) torchWeights() (map[string]*tensors.Tensor, error) {
	list := map[string]*tensors.Tensor{}
	for _, w := range m.weights {
		value, err := m.variable(w, m.inUse()).Value()
		if err == nil {
			list[w.Name], err = w.ToTorch(value)
		}
		if err != nil {
			return nil, fmt.Errorf("weight %s: %w", w.Name, err)
		}
	}
	return list, nil
}
