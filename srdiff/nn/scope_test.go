// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package nn

import (
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/srdiff/srlab/srdiff/internal/graphtest"
)

func declared(t *testing.T, build func(scope *Scope, x *Node)) ([]Weight, error) {
	t.Helper()
	return Declared(graphtest.Engine(t), func(g *Graph, scope *Scope) {
		build(scope, Zeros(g, shapes.Make(dtypes.Float32, 1, 4, 4, 8)))
	})
}

// The weights of layers have PyTorch's names, and what scales a scope scales their first values
// alone.
func TestDeclared(t *testing.T) {
	weights, err := declared(t, func(scope *Scope, x *Node) {
		x = Conv(scope.In("enc1").In("0"), x, 2, 3)
		Dense(scope.In("mlp.2").Scaled(0.1), GroupNorm(scope.In("norm").Scaled(0), x, 2), 3)
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []Weight{
		{Name: "enc1.0.weight", Dims: []int{3, 3, 8, 2}, TorchAxes: []int{2, 3, 1, 0}, Bound: fanIn(72)},
		{Name: "enc1.0.bias", Dims: []int{2}, Bound: fanIn(72)},
		{Name: "norm.weight", Dims: []int{2}, Middle: 1},
		{Name: "norm.bias", Dims: []int{2}},
		{Name: "mlp.2.weight", Dims: []int{2, 3}, TorchAxes: []int{1, 0}, Bound: 0.1 * fanIn(2)},
		{Name: "mlp.2.bias", Dims: []int{3}, Bound: 0.1 * fanIn(2)},
	}
	if !reflect.DeepEqual(weights, want) {
		t.Errorf("declared %+v, want %+v", weights, want)
	}
	if shape := weights[0].TorchShape(); !shape.Equal(shapes.Make(dtypes.Float32, 2, 8, 3, 3)) {
		t.Errorf("torch has %s, want [2, 8, 3, 3]", shape)
	}
	if path := weights[0].Path("unet"); path != "/unet/enc1/0/weight" {
		t.Errorf("the path is %s", path)
	}
}

// Two layers of one name would share their weights unnoticed.
func TestDeclaredTwice(t *testing.T) {
	_, err := declared(t, func(scope *Scope, x *Node) { Conv(scope.In("a"), Conv(scope.In("a"), x, 8, 3), 8, 3) })
	if err == nil || !strings.Contains(err.Error(), "two layers declare the weight a.weight") {
		t.Errorf("got %v", err)
	}
}

// A weight goes to PyTorch's layout and back.
func TestTorchLayout(t *testing.T) {
	for _, w := range []Weight{{Dims: []int{3, 1, 4, 2}, TorchAxes: []int{2, 3, 1, 0}, Bound: 1}, {Dims: []int{5}, Bound: 1}} {
		value := w.FirstValue(rand.New(rand.NewPCG(1, 2)))
		torch, err := w.ToTorch(value)
		if err != nil {
			t.Fatal(err)
		}
		if !torch.Shape().Equal(w.TorchShape()) {
			t.Errorf("torch's value is %s, want %s", torch.Shape(), w.TorchShape())
		}
		back, err := w.FromTorch(torch)
		if err != nil {
			t.Fatal(err)
		}
		if !back.Equal(value) {
			t.Errorf("%v came back as another value", w.Dims)
		}
	}
	kernel := Weight{Dims: []int{1, 1, 2, 3}, TorchAxes: []int{2, 3, 1, 0}}
	torch, err := kernel.ToTorch(tensors.FromFlatDataAndDimensions([]float32{11, 12, 13, 21, 22, 23}, 1, 1, 2, 3))
	if err != nil {
		t.Fatal(err)
	}
	if got := tensors.MustCopyFlatData[float32](torch); !reflect.DeepEqual(got, []float32{11, 21, 12, 22, 13, 23}) {
		t.Errorf("torch's kernel is %v, want the in channels last", got)
	}
}
