// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// Package goengine is GoMLX's pure-Go engine with fast convolutions.
//
// GoMLX's own convolution is many times slower than a product of matrices, and other packages cannot give
// the engine a function for an operation. So this package divides a graph into stages:
//
//	stage 0 | own operations | stage 1 | own operations | stage 2 ...
//
// Each stage is a graph for GoMLX's engine. Between two stages, this package computes what waits for the
// first and what the second waits for: convolutions of pictures in float32 and their gradients, products of
// matrices, and large sums, transpositions and operations on each value. What follows a convolution value by
// value becomes a part of it.
//
// A loop whose functions use nothing but its state is an own operation, too, and its functions have stages of
// their own. A graph with other functions (branches, sorting) or with dynamic shapes is GoMLX's alone.
package goengine

import (
	"sync"

	"github.com/gomlx/compute"
	_ "github.com/gomlx/compute/gobackend" // the engine that computes the stages
	"github.com/gomlx/compute/shapes"
)

// Backend is GoMLX's pure-Go engine with fast convolutions.
type Backend struct {
	compute.Backend          // GoMLX's engine
	pools           sync.Map // of buffers that are not in use, a *sync.Pool for each shape
}

// New opens the engine. The errors are GoMLX's.
func New() (*Backend, error) {
	// Operations run one after the other. Several at a time that use all processors can wait for each other forever.
	inner, err := compute.NewWithConfig("go:ops_sequential")
	if err != nil {
		return nil, err
	}
	return &Backend{Backend: inner}, nil
}

// Builder returns a builder of a graph.
func (b *Backend) Builder(name string) compute.Builder {
	inner := b.Backend.Builder(name)
	graph := &builder{Builder: inner, backend: b, divisible: true}
	graph.main = &function{Function: inner.Main(), builder: graph}
	return graph
}

// BufferFromFlatData copies values, a slice, into a buffer of the engine.
func (b *Backend) BufferFromFlatData(device compute.DeviceNum, flat any, shape shapes.Shape) (compute.Buffer, error) {
	inner, err := b.Backend.BufferFromFlatData(device, flat, shape)
	if err != nil {
		return nil, err
	}
	return &buffer{inner, b}, nil
}

// NewSharedBuffer returns a buffer and its values.
func (b *Backend) NewSharedBuffer(device compute.DeviceNum, shape shapes.Shape) (compute.Buffer, any, error) {
	inner, flat, err := b.Backend.NewSharedBuffer(device, shape)
	if err != nil {
		return nil, nil, err
	}
	return &buffer{inner, b}, flat, nil
}

// newBuffer returns a buffer of GoMLX's with any values. It need not be cleared, as memory from Go has to be.
func (b *Backend) newBuffer(device compute.DeviceNum, shape shapes.Shape) (compute.Buffer, []float32, error) {
	if pool, ok := b.pools.Load(shape.String()); ok {
		if used, ok := pool.(*sync.Pool).Get().(compute.Buffer); ok {
			flat, err := used.Data()
			return used, flat.([]float32), err
		}
	}
	fresh, flat, err := b.Backend.NewSharedBuffer(device, shape)
	if err != nil {
		return nil, nil, err
	}
	return fresh, flat.([]float32), nil
}

// pool takes a buffer back that newBuffer returned.
func (b *Backend) pool(used compute.Buffer) {
	shape, err := used.Shape()
	if err != nil {
		return
	}
	pool, _ := b.pools.LoadOrStore(shape.String(), &sync.Pool{})
	pool.(*sync.Pool).Put(used)
}

// buffer is a buffer of GoMLX's engine that belongs to this one.
type buffer struct {
	compute.Buffer
	backend *Backend
}

// Backend returns the engine that the buffer belongs to.
func (b *buffer) Backend() compute.Backend { return b.backend }

// CopyToDevice copies the buffer; there is one device.
func (b *buffer) CopyToDevice(device compute.DeviceNum) (compute.Buffer, error) {
	inner, err := b.Buffer.CopyToDevice(device)
	if err != nil {
		return nil, err
	}
	return &buffer{inner, b.backend}, nil
}

// builder builds a graph twice: for GoMLX's engine as it is, which checks it and knows the shapes
// of its values, and as a list of operations, from which Compile makes stages.
type builder struct {
	compute.Builder // GoMLX's
	backend         *Backend
	main            *function
	divisible       bool // the graph can be divided into stages
}

func (b *builder) Main() compute.Function { return b.main }

func (b *builder) NewFunction(name string) (compute.Function, error) {
	inner, err := b.Builder.NewFunction(name)
	if err != nil {
		return nil, err
	}
	b.divisible = false
	return &function{Function: inner, builder: b}, nil
}

func (b *builder) OpShape(v compute.Value) (shapes.Shape, error) {
	return b.Builder.OpShape(v.(*value).inner)
}

func (b *builder) Compile() (compute.Executable, error) {
	if b.divisible && len(b.main.results) > 0 {
		return compileStages(b.backend, b.Name(), b.main)
	}
	inner, err := b.Builder.Compile()
	if err != nil {
		return nil, err
	}
	return &whole{inner, b.backend}, nil
}

// whole is a graph that GoMLX's engine computes alone.
type whole struct {
	compute.Executable
	backend *Backend
}

func (e *whole) Execute(inputs []compute.Buffer, donate []bool, device compute.DeviceNum) ([]compute.Buffer, error) {
	results, err := e.Executable.Execute(unwrap(inputs), donate, device)
	return e.backend.wrap(results), err
}

// wrap returns GoMLX's buffers as this engine's.
func (b *Backend) wrap(inner []compute.Buffer) []compute.Buffer {
	wrapped := make([]compute.Buffer, len(inner))
	for i := range inner {
		wrapped[i] = &buffer{inner[i], b}
	}
	return wrapped
}

// unwrap returns GoMLX's buffers behind this engine's.
func unwrap(wrapped []compute.Buffer) []compute.Buffer {
	inner := make([]compute.Buffer, len(wrapped))
	for i := range wrapped {
		inner[i] = wrapped[i].(*buffer).Buffer
	}
	return inner
}
