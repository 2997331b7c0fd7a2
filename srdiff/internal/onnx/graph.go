// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// Package onnx writes a predictor and a refiner as ONNX models, which ONNX Runtime and other programs
// run without srdiff. Pictures are [batch, 3, height, width], and every size but the 3 is free.
//
// ONNX has no form for a GoMLX graph whose sizes are free, so the networks are built here once more,
// of ONNX's own operators. The tests compare what both give.
package onnx

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/gomlx/compute-onnx/support/protos"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"google.golang.org/protobuf/proto"
)

// The version of ONNX's operators, and of the file that holds them. Runtimes since 2021 have both.
const (
	opset     = 13
	irVersion = 7
)

// value is the name of a node's output, an input or a constant.
type value string

// graph is a model under construction. Its weights are named and laid out as in PyTorch, whose layout
// is ONNX's too.
type graph struct {
	protos.GraphProto
	weights map[string]*tensors.Tensor
	used    map[string]bool
	err     error // the first one
}

func newGraph(name string, weights map[string]*tensors.Tensor) *graph {
	return &graph{GraphProto: protos.GraphProto{Name: name}, weights: weights, used: map[string]bool{}}
}

// encode returns the model as the content of a file. It is an error if a weight has no place in it: the
// network that it belongs to would be another one.
func (g *graph) encode(about About) ([]byte, error) {
	for _, name := range slices.Sorted(maps.Keys(g.weights)) {
		if !g.used[name] {
			g.fail(fmt.Errorf("weight %s has no place in the network", name))
		}
	}
	if g.err != nil {
		return nil, g.err
	}
	g.DocString = about.Text
	m := &protos.ModelProto{
		IrVersion:       irVersion,
		OpsetImport:     []*protos.OperatorSetIdProto{{Version: opset}},
		ProducerName:    "srdiff",
		ProducerVersion: about.Version,
		DocString:       about.Text,
		Graph:           &g.GraphProto,
	}
	for _, key := range slices.Sorted(maps.Keys(about.Metadata)) {
		m.MetadataProps = append(m.MetadataProps, &protos.StringStringEntryProto{Key: key, Value: about.Metadata[key]})
	}
	return proto.MarshalOptions{Deterministic: true}.Marshal(m)
}

// About describes a model to whoever opens its file.
type About struct {
	Version  string            // of srdiff
	Text     string            // what the inputs and outputs are
	Metadata map[string]string // for programs
}

func (g *graph) fail(err error) {
	if g.err == nil {
		g.err = err
	}
}

// input adds an input of float32. A dimension is a number, or the name of one that is free.
func (g *graph) input(name string, dims ...any) value {
	g.Input = append(g.Input, describe(name, dims))
	return value(name)
}

// output makes a value an output under a name of its own.
func (g *graph) output(name string, v value, dims ...any) {
	g.Node = append(g.Node, &protos.NodeProto{OpType: "Identity", Input: []string{string(v)}, Output: []string{name}})
	g.Output = append(g.Output, describe(name, dims))
}

func describe(name string, dims []any) *protos.ValueInfoProto {
	shape := &protos.TensorShapeProto{}
	for _, d := range dims {
		dim := &protos.TensorShapeProto_Dimension{}
		switch d := d.(type) {
		case int:
			dim.Value = &protos.TensorShapeProto_Dimension_DimValue{DimValue: int64(d)}
		case string:
			dim.Value = &protos.TensorShapeProto_Dimension_DimParam{DimParam: d}
		}
		shape.Dim = append(shape.Dim, dim)
	}
	tensor := &protos.TypeProto_Tensor{ElemType: int32(protos.TensorProto_FLOAT), Shape: shape}
	return &protos.ValueInfoProto{Name: name, Type: &protos.TypeProto{Value: &protos.TypeProto_TensorType{TensorType: tensor}}}
}

// node adds a node with one output.
func (g *graph) node(op string, inputs []value, attributes ...*protos.AttributeProto) value {
	return g.nodes(op, 1, inputs, attributes...)[0]
}

// nodes adds a node with several outputs.
func (g *graph) nodes(op string, outputs int, inputs []value, attributes ...*protos.AttributeProto) []value {
	n := &protos.NodeProto{OpType: op, Name: fmt.Sprintf("%s_%d", op, len(g.Node)), Attribute: attributes}
	for _, in := range inputs {
		n.Input = append(n.Input, string(in))
	}
	var out []value
	for i := range outputs {
		n.Output = append(n.Output, fmt.Sprintf("%s_%d", n.Name, i))
		out = append(out, value(n.Output[i]))
	}
	g.Node = append(g.Node, n)
	return out
}

func ints(name string, values ...int64) *protos.AttributeProto {
	return &protos.AttributeProto{Name: name, Type: protos.AttributeProto_INTS, Ints: values}
}

func integer(name string, v int64) *protos.AttributeProto {
	return &protos.AttributeProto{Name: name, Type: protos.AttributeProto_INT, I: v}
}

func text(name, v string) *protos.AttributeProto {
	return &protos.AttributeProto{Name: name, Type: protos.AttributeProto_STRING, S: []byte(v)}
}

// weight returns a weight and its dimensions. A weight that is used twice is in the file once.
func (g *graph) weight(name string) (v value, dims []int) {
	t := g.weights[name]
	if t == nil || t.DType() != dtypes.Float32 {
		g.fail(fmt.Errorf("weight %s of float32 is missing", name))
		return value(name), make([]int, 4)
	}
	if !g.used[name] {
		g.used[name] = true
		g.initializer(name, tensors.MustCopyFlatData[float32](t), t.Shape().Dimensions...)
	}
	return value(name), t.Shape().Dimensions
}

// constant adds numbers.
func (g *graph) constant(values []float32, dims ...int) value {
	return g.initializer(fmt.Sprintf("constant_%d", len(g.Initializer)), values, dims...)
}

// scalar adds a number.
func (g *graph) scalar(v float64) value { return g.constant([]float32{float32(v)}) }

func (g *graph) initializer(name string, values []float32, dims ...int) value {
	data := make([]byte, 0, 4*len(values))
	for _, v := range values {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
	}
	return g.raw(name, protos.TensorProto_FLOAT, data, dims)
}

// integers adds a list of whole numbers.
func (g *graph) integers(values ...int64) value {
	var data []byte
	for _, v := range values {
		data = binary.LittleEndian.AppendUint64(data, uint64(v))
	}
	return g.raw(fmt.Sprintf("constant_%d", len(g.Initializer)), protos.TensorProto_INT64, data, []int{len(values)})
}

func (g *graph) raw(name string, dtype protos.TensorProto_DataType, data []byte, dims []int) value {
	t := &protos.TensorProto{Name: name, DataType: int32(dtype), RawData: data}
	for _, d := range dims {
		t.Dims = append(t.Dims, int64(d))
	}
	g.Initializer = append(g.Initializer, t)
	return value(name)
}
