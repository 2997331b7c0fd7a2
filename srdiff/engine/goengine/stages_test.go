// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package goengine

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// silu is x sigmoid(x), as the networks have it.
func siluNode(x *Node) *Node { return Mul(x, Sigmoid(x)) }

func conv(x, w *Node) *Node { return Convolve(x, w).Strides(1).PadSame().Done() }

// graphs are functions of a picture [2, 20, 22, 8], a kernel [3, 3, 8, 8], and a vector [8].
var graphs = map[string]func(x, w, b *Node) []*Node{
	"a convolution": func(x, w, _ *Node) []*Node { return []*Node{conv(x, w)} },
	"nothing":       func(x, w, b *Node) []*Node { return []*Node{x, Add(b, b)} },
	"bias, ReLU": func(x, w, b *Node) []*Node {
		y := Add(conv(x, w), Reshape(b, 1, 1, 1, 8))
		return []*Node{Max(y, ZerosLike(y))}
	},
	"SiLU and sum": func(x, w, b *Node) []*Node { return []*Node{Add(x, siluNode(Add(conv(x, w), Reshape(b, 1, 1, 1, 8))))} },
	"a scale and a shift of each picture": func(x, w, b *Node) []*Node {
		perPicture := Reshape(ReduceSum(x, 1, 2), 2, 1, 1, 8)
		return []*Node{siluNode(Sub(Mul(conv(x, w), perPicture), Reshape(b, 1, 1, 1, 8)))}
	},
	"what is used twice is kept": func(x, w, b *Node) []*Node {
		y := conv(x, w)
		z := Add(y, Reshape(b, 1, 1, 1, 8))
		return []*Node{y, z, z, conv(Mul(z, y), w)}
	},
	"parameters as results": func(x, w, b *Node) []*Node { return []*Node{x, x, conv(x, w), b} },
	"operands in both orders": func(x, w, b *Node) []*Node {
		y, z := conv(x, w), conv(x, Neg(w))
		return []*Node{Sub(Const(x.Graph(), float32(1)), y), Div(Const(x.Graph(), float32(1)), AddScalar(Mul(z, z), 1)), Sub(y, z), Min(z, y)}
	},
	"a large sum, exp and sign": func(x, w, b *Node) []*Node {
		big := Concatenate([]*Node{x, x, x, x, x, x, x, x, x, x}, 0) // more than leastValues
		big = Exp(Sub(Mul(big, Reshape(b, 1, 1, 1, 8)), ConstAs(x, 0.5)))
		return []*Node{big, Sign(SubScalar(big, 1)), Sigmoid(big), Div(big, AddScalar(big, 1))}
	},
	"transpositions": func(x, w, b *Node) []*Node {
		big := Concatenate([]*Node{x, x, x, x, x, x, x, x, x, x}, 0)
		y := TransposeAllDims(Reshape(big, 20, 10, 2, 11, 2, 8), 0, 1, 3, 2, 4, 5)
		return []*Node{Reshape(y, 20, 10, 11, 32), TransposeAllDims(big, 3, 2, 1, 0), TransposeAllDims(big, 0, 1, 2, 3)}
	},
	"reductions": func(x, w, b *Node) []*Node {
		big := Concatenate([]*Node{x, Neg(x), x, MulScalar(x, 2), x, x, x, x, x, x}, 0)
		parts := Reshape(big, 20, 10, 2, 11, 2, 8)
		return []*Node{
			ReduceAllSum(big), ReduceSum(big, 0, 1, 2), ReduceSum(big, 3), ReduceSum(big, 1, 3), ReduceSum(big, 0), ReduceSum(Reshape(big, -1), 0),
			ReduceMax(parts, 2, 4), ReduceAllMax(parts), ReduceMax(parts, 0), ReduceMax(parts, 5), ReduceSum(parts, 1, 3, 5), ReduceSum(big, 0, 1, 2, 3),
			Concatenate([]*Node{ReduceMax(Reshape(big, 1, -1), 0), ReduceSum(Reshape(big, -1, 1), 1)}, 0),
		}
	},
	"products": func(x, w, b *Node) []*Node {
		rows := Reshape(Concatenate([]*Node{x, x, x, x, x, x, x, x}, 0), -1, 8)
		m := Reshape(Slice(w, AxisRange(0, 3), AxisRange(), AxisRange(), AxisRange()), -1, 8) // [72, 8]
		y := Dot(rows, TransposeAllDims(m, 1, 0)).Product()
		y = Add(Reshape(y, 16, 20, 22, 72), Reshape(Concatenate([]*Node{b, b, b, b, b, b, b, b, b}, 0), 1, 1, 1, 72))
		z := Einsum("nk,nm->km", rows, rows)
		return []*Node{y, z, Einsum("nk,mk->nm", rows, m)}
	},
	"gradients": func(x, w, b *Node) []*Node {
		y := siluNode(Add(conv(x, w), Reshape(b, 1, 1, 1, 8)))
		y = ReduceMax(Reshape(conv(y, w), 2, 10, 2, 11, 2, 8), 2, 4)
		return Gradient(ReduceAllSum(Mul(y, y)), x, w, b)
	},
	"a loop": func(x, w, b *Node) []*Node {
		state := []*Node{x, w, Const(x.Graph(), int32(0)), x}
		received := func(g *Graph) (list []*Node) {
			for i, s := range state {
				list = append(list, Parameter(g, fmt.Sprint("state", i), s.Shape()))
			}
			return list
		}
		more := NewClosure(x.Graph(), func(g *Graph) []*Node { return []*Node{LessThan(received(g)[2], Const(g, int32(3)))} })
		turn := NewClosure(x.Graph(), func(g *Graph) []*Node {
			s := received(g)
			return []*Node{siluNode(conv(s[0], s[1])), s[1], AddScalar(s[2], 1), s[3]}
		})
		return While(more, turn, state...)
	},
	"a loop that uses what is around it": func(x, w, b *Node) []*Node {
		more := NewClosure(x.Graph(), func(g *Graph) []*Node {
			i := Parameter(g, "i", w.Shape())
			return []*Node{LessThan(ReduceAllSum(i), Const(g, float32(100)))}
		})
		turn := NewClosure(x.Graph(), func(g *Graph) []*Node { return []*Node{AddScalar(Abs(Parameter(g, "i", w.Shape())), 1)} })
		return append(While(more, turn, w), conv(x, w))
	},
	"sorting": func(x, w, b *Node) []*Node { return []*Node{Sort(conv(x, w), -1, true)} },
	"bfloat16": func(x, w, b *Node) []*Node {
		return []*Node{ConvertDType(conv(ConvertDType(x, dtypes.BFloat16), ConvertDType(w, dtypes.BFloat16)), dtypes.Float32)}
	},
	"strides, dilation, groups": func(x, w, b *Node) []*Node {
		return []*Node{
			Convolve(x, w).Strides(2).PadSame().Done(), Convolve(x, w).Dilations(2).NoPadding().Done(),
			Convolve(x, Slice(w, AxisRange(), AxisRange(), AxisRange(0, 4), AxisRange())).ChannelGroupCount(2).NoPadding().Done(),
		}
	},
}

func inputs3() []any {
	r := rand.New(rand.NewPCG(7, 8))
	return []any{
		tensors.FromFlatDataAndDimensions(random(r, 2*20*22*8), 2, 20, 22, 8),
		tensors.FromFlatDataAndDimensions(random(r, 9*8*8), 3, 3, 8, 8),
		tensors.FromFlatDataAndDimensions(random(r, 8), 8),
	}
}

// Every graph has the results of GoMLX's engine.
func TestStages(t *testing.T) {
	plain, err := compute.NewWithConfig("go")
	if err != nil {
		t.Fatal(err)
	}
	ours, err := New()
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range graphs {
		t.Run(name, func(t *testing.T) {
			want, got := execute(t, plain, f), execute(t, ours, f)
			again := execute(t, ours, f) // with buffers that were used before
			for i := range want {
				near(t, fmt.Sprintf("result %d", i), got[i], want[i])
				near(t, fmt.Sprintf("result %d of another run", i), again[i], want[i])
			}
		})
	}
}

func execute(t *testing.T, backend compute.Backend, f func(x, w, b *Node) []*Node) []*tensors.Tensor {
	t.Helper()
	exec, err := NewExec(backend, func(in []*Node) []*Node { return f(in[0], in[1], in[2]) })
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Finalize()
	out, err := exec.Call(inputs3()...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func near(t *testing.T, name string, got, want *tensors.Tensor) {
	t.Helper()
	if !got.Shape().Equal(want.Shape()) {
		t.Fatalf("%s: shape %s, want %s", name, got.Shape(), want.Shape())
	}
	if want.DType() != dtypes.Float32 {
		if !got.Equal(want) {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
		return
	}
	largest := 0.0
	w := tensors.MustCopyFlatData[float32](want)
	for _, v := range w {
		largest = max(largest, math.Abs(float64(v)))
	}
	for i, v := range tensors.MustCopyFlatData[float32](got) {
		if !(math.Abs(float64(v-w[i])) <= 1e-5*largest) {
			t.Fatalf("%s: value %d is %v, want %v", name, i, v, w[i])
		}
	}
}

// What a call returned stays as it is when others follow, and calls can run side by side.
func TestCallsAreIndependent(t *testing.T) {
	ours, err := New()
	if err != nil {
		t.Fatal(err)
	}
	exec := MustNewExec(ours, func(x, w *Node) *Node { return siluNode(conv(siluNode(conv(x, w)), w)) })
	in := inputs3()
	w := in[1]
	r := rand.New(rand.NewPCG(9, 10))
	var x, first []*tensors.Tensor
	for range 4 {
		x = append(x, tensors.FromFlatDataAndDimensions(random(r, 20*22*8), 1, 20, 22, 8))
		first = append(first, exec.MustCall(x[len(x)-1], w)[0])
	}
	var group sync.WaitGroup
	for i := range 16 {
		group.Go(func() {
			out, err := exec.Call(x[i%4], w)
			if err != nil {
				t.Error(err)
			} else if !out[0].Equal(first[i%4]) {
				t.Errorf("call %d has another result", i)
			}
		})
	}
	group.Wait()
}

// The networks' convolutions, activations and products are this package's.
func TestOwn(t *testing.T) {
	ours, err := New()
	if err != nil {
		t.Fatal(err)
	}
	b := ours.Builder("test").(*builder)
	f := b.main
	g := func(name string, dims ...int) *value {
		v, err := f.Parameter(name, shapeOf(dims...), nil)
		if err != nil {
			t.Fatal(err)
		}
		return v.(*value)
	}
	x, w, bias := g("x", 1, 9, 9, 4), g("w", 3, 3, 4, 4), g("bias", 1, 1, 1, 4)
	y, err := f.ConvGeneral(x, w, compute.ConvolveAxesConfig{
		InputBatch: 0, InputSpatial: []int{1, 2}, InputChannels: 3, KernelSpatial: []int{0, 1}, KernelInputChannels: 2, KernelOutputChannels: 3,
		OutputBatch: 0, OutputSpatial: []int{1, 2}, OutputChannels: 3,
	}, nil, [][2]int{{1, 1}, {1, 1}}, nil, nil, 1, 1)
	must := func(v compute.Value, err error) compute.Value {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	y = must(must(y, err), nil)
	y = must(f.Add(y, bias))
	y = must(f.Mul(y, must(f.Logistic(y))))
	y = must(f.Add(x, y))
	if err := f.Return([]compute.Value{y}, nil); err != nil {
		t.Fatal(err)
	}
	operations := fuse(neededBy(f.results))
	if len(operations) != 2 {
		t.Fatalf("%d operations are left, want 2: one for all, and the result", len(operations))
	}
	own := operations[0].own.(*fused)
	want := []step{{add, 2, perChannel}, {kind: silu}, {add, 3, perValue}}
	if fmt.Sprint(own.steps) != fmt.Sprint(want) || own.convolution == nil {
		t.Errorf("steps %v, want %v", own.steps, want)
	}
}

func shapeOf(dims ...int) shapes.Shape { return shapes.Make(dtypes.Float32, dims...) }

// Many products side by side end. GoMLX's engine alone can wait forever for them.
func TestProductsSideBySide(t *testing.T) {
	ours, err := New()
	if err != nil {
		t.Fatal(err)
	}
	exec := MustNewExec(ours, func(x *Node) []*Node {
		var products []*Node
		for i := range 16 {
			y := AddScalar(x, float64(i))
			products = append(products, Einsum("bnk,bmk->bnm", y, y))
		}
		return products
	})
	r := rand.New(rand.NewPCG(11, 12))
	x := tensors.FromFlatDataAndDimensions(random(r, 4*128*64), 4, 128, 64)
	for range 20 {
		done := make(chan struct{})
		go func() {
			exec.MustCall(x)
			close(done)
		}()
		select {
		case <-done:
		case <-time.After(30 * time.Second):
			t.Fatal("the engine waits for itself")
		}
	}
}
