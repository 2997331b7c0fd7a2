// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// Command roofline measures how much of the machine's speed each convolution of the tutorial's network
// reaches in a train step, and writes the result into docs/benchmarks.md. See 'make bench-layers'.
//
// A roofline (Williams et al. 2009) is the least time that the machine allows: the operations at its peak,
// or the bytes at the speed of its memory, whichever takes longer. The peak is that of a product of
// matrices of 1024x1024 on the same engine, and the speed of memory that of adding 1 to 256 MB.
package main

import (
	"cmp"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/srdiff/srlab/srdiff"
	"github.com/srdiff/srlab/srdiff/bench/section"
	"github.com/srdiff/srlab/srdiff/engine"
	"github.com/srdiff/srlab/srdiff/nn"
)

func main() {
	out := flag.String("out", "docs/benchmarks.md", "the file that gets the result, between its markers")
	name := flag.String("engine", "xla:cpu", "the engine: "+engine.Names)
	rounds := flag.Int("rounds", 15, "how often each operation is measured")
	flag.Parse()
	if err := run(*out, *name, *rounds); err != nil {
		fmt.Fprintln(os.Stderr, "roofline:", err)
		os.Exit(1)
	}
}

func run(out, name string, rounds int) error {
	if err := section.Check(out, "roofline"); err != nil {
		return err
	}
	e, err := engine.Open(name)
	if err != nil {
		return err
	}
	defer e.Close()
	text, err := report(e, rounds)
	if err != nil {
		return err
	}
	fmt.Print(text)
	return section.Write(out, "roofline", text)
}

// layer is a convolution, or one of its gradients, that a train step has count times.
type layer struct {
	kind           string // forward, input gradient, kernel gradient
	xDims, kDims   []int  // of the picture [batch, height, width, in] and the kernel [k, k, in, out]
	count          int
	operations     float64
	bytes, seconds float64
}

// layers lists the convolutions of a train step.
func layers(backend compute.Backend, c srdiff.Config) (list []*layer, err error) {
	c = c.WithDefaults()
	size, batch := c.Training.ImageSize, c.Training.BatchSize
	found := map[string]*layer{}
	_, err = nn.Declared(backend, func(g *Graph, scope *nn.Scope) {
		input := func(name string, dtype dtypes.DType, dims ...int) *Node {
			return Parameter(g, name, shapes.Make(dtype, dims...))
		}
		x0, eps := input("x0", dtypes.Float32, batch, size, size, 3), input("eps", dtypes.Float32, batch, size, size, 3)
		low := input("low", dtypes.Float32, batch, size/c.Factor, size/c.Factor, 3)
		t := input("t", dtypes.Int32, batch)
		loss := srdiff.Loss(scope, c, x0, low, t, eps)
		seen := map[*Node]bool{x0: true, eps: true, low: true, t: true}
		var weights []*Node
		visit(loss, seen, func(n *Node) {
			if n.Type() == NodeTypeParameter {
				weights = append(weights, n)
			}
		})
		seen = map[*Node]bool{}
		for _, root := range append(Gradient(loss, weights...), loss) {
			visit(root, seen, func(n *Node) {
				if n.Type() == NodeTypeConvGeneral {
					l := layerOf(n)
					key := fmt.Sprint(l.kind, l.xDims, l.kDims)
					if found[key] == nil {
						found[key] = l
						list = append(list, l)
					}
					found[key].count++
				}
			})
		}
	})
	return list, err
}

// visit calls f for each node that root depends on, once.
func visit(root *Node, seen map[*Node]bool, f func(*Node)) {
	if seen[root] {
		return
	}
	seen[root] = true
	for _, in := range root.Inputs() {
		visit(in, seen, f)
	}
	f(root)
}

// layerOf describes a convolution of the graph.
func layerOf(n *Node) *layer {
	x, w, y := n.Inputs()[0], n.Inputs()[1], n.Shape().Dimensions
	l := &layer{kind: "forward", xDims: x.Shape().Dimensions, kDims: w.Shape().Dimensions}
	switch {
	case w.Shape().Dimensions[0] == l.xDims[0]: // the second operand is a gradient of pictures
		l.kind, l.kDims = "kernel gradient", y
	case w.Type() == NodeTypeReverse:
		l.kind = "input gradient"
		l.kDims = []int{l.kDims[0], l.kDims[1], l.xDims[3], y[3]}
	}
	pixels := float64(l.xDims[0] * l.xDims[1] * l.xDims[2])
	in, out := float64(l.kDims[2]), float64(l.kDims[3])
	taps := float64(l.kDims[0] * l.kDims[1])
	l.operations = 2 * pixels * taps * in * out
	l.bytes = 4 * (pixels*(in+out) + taps*in*out)
	return l
}

// copies is how many times a program computes what it measures, so that its start counts little.
const copies = 8

// measure sets the seconds of a layer.
func (l *layer) measure(backend compute.Backend, rounds int) (err error) {
	ofKernel, second := l.kind == "kernel gradient", l.kDims
	if ofKernel {
		second = []int{l.xDims[0], l.xDims[1], l.xDims[2], l.kDims[3]}
	}
	l.seconds, err = seconds(backend, rounds, func(in []*Node) *Node {
		x, w := in[0], in[1]
		if ofKernel {
			kernel := Zeros(x.Graph(), shapes.Make(dtypes.Float32, l.kDims...))
			y := Convolve(x, kernel).Strides(1).PadSame().Done()
			return Gradient(ReduceAllSum(Mul(y, w)), kernel)[0]
		}
		return Convolve(x, w).Strides(1).PadSame().Done()
	}, l.xDims, second)
	return err
}

// seconds returns the median time of f, a function of tensors of these shapes.
func seconds(backend compute.Backend, rounds int, f func(in []*Node) *Node, dims ...[]int) (float64, error) {
	r := rand.New(rand.NewPCG(1, 2))
	var inputs []any
	for range copies {
		for _, d := range dims {
			values := make([]float32, shapes.Make(dtypes.Float32, d...).Size())
			for i := range values {
				values[i] = r.Float32() - .5
			}
			t := tensors.FromFlatDataAndDimensions(values, d...)
			if err := t.MaterializeOnDevice(backend, false, 0); err != nil {
				return 0, err
			}
			inputs = append(inputs, t)
		}
	}
	exec, err := NewExec(backend, func(in []*Node) (out []*Node) {
		for i := range copies {
			out = append(out, f(in[i*len(dims):(i+1)*len(dims)]))
		}
		return out
	})
	if err != nil {
		return 0, err
	}
	defer exec.Finalize()
	var taken []float64
	for range rounds + 2 { // the first ones compile, and warm caches
		began := time.Now()
		results, err := exec.Call(inputs...)
		if err != nil {
			return 0, err
		}
		taken = append(taken, time.Since(began).Seconds()/copies)
		for _, t := range results {
			t.MustFinalizeAll()
		}
	}
	taken = taken[2:]
	slices.Sort(taken)
	return taken[len(taken)/2], nil
}

// report measures everything and returns it as Markdown.
func report(e *engine.Engine, rounds int) (string, error) {
	const side, many = 1024, 8 << 20 // 8 copies of 32 MB
	product := func(dtype dtypes.DType) (float64, error) {
		return seconds(e.Backend, rounds, func(in []*Node) *Node {
			return Dot(ConvertDType(in[0], dtype), ConvertDType(in[1], dtype)).Product()
		}, []int{side, side}, []int{side, side})
	}
	single, err := product(dtypes.Float32)
	if err != nil {
		return "", err
	}
	half, err := product(dtypes.BFloat16)
	if err != nil {
		return "", err
	}
	addition, err := seconds(e.Backend, rounds, func(in []*Node) *Node { return AddScalar(in[0], 1) }, []int{many})
	if err != nil {
		return "", err
	}
	const operations = 2 * side * side * side
	peak, memory := operations/single, 2*4*many/addition
	list, err := layers(e.Backend, srdiff.Config{})
	if err != nil {
		return "", err
	}
	var total, least float64
	for _, l := range list {
		if err := l.measure(e.Backend, rounds); err != nil {
			return "", err
		}
		total += l.seconds * float64(l.count)
		least += l.roof(peak, memory) * float64(l.count)
	}
	slices.SortFunc(list, func(a, b *layer) int { return cmp.Compare(b.seconds*float64(b.count), a.seconds*float64(a.count)) })
	var b strings.Builder
	fmt.Fprintf(&b, "Measured on %s, medians of %d rounds, on %s. A product of matrices reaches %.0f GFLOP/s in float32\n"+
		"and %.0f in bfloat16, and memory %.0f GB/s.\n\n", time.Now().Format(time.DateOnly), rounds, e, peak/1e9, operations/half/1e9, memory/1e9)
	b.WriteString("| | pictures | kernel | times | ms each | ms | GFLOP/s | roofline, ms | reached |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, l := range list {
		n, roof := float64(l.count), l.roof(peak, memory)
		fmt.Fprintf(&b, "| %s | %s | %s | %d | %.2f | %.1f | %.0f | %.1f | %.0f %% |\n", l.kind, times(l.xDims), times(l.kDims), l.count,
			l.seconds*1e3, n*l.seconds*1e3, l.operations/l.seconds/1e9, n*roof*1e3, 100*roof/l.seconds)
	}
	fmt.Fprintf(&b, "| all | | | | | %.1f | | %.1f | %.0f %% |\n", total*1e3, least*1e3, 100*least/total)
	return b.String(), nil
}

// roof returns the least seconds that the machine allows.
func (l *layer) roof(peak, memory float64) float64 { return max(l.operations/peak, l.bytes/memory) }

// times writes dimensions as 3x3x64x64.
func times(dims []int) string {
	return strings.ReplaceAll(strings.Trim(fmt.Sprint(dims), "[]"), " ", "x")
}
