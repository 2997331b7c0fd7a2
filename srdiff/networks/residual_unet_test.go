// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package networks

import (
	"path/filepath"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/srdiff/srlab/srdiff/internal/checkpoint"
	"github.com/srdiff/srlab/srdiff/internal/graphtest"
	"github.com/srdiff/srlab/srdiff/nn"
)

// The network, its blocks, attention and norms against PyTorch's: outputs, and gradients of inputs
// and of every weight. See srdiff/testdata/residual.py.
func TestResidualUNetIsTorchs(t *testing.T) {
	file, err := checkpoint.Read(filepath.Join("..", "testdata", "residual.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	c := Config{Name: Tiny, Attention: 2, Transformers: 1}.WithDefaults()
	for prefix, f := range map[string]func(scope *nn.Scope, x *Node, more []*Node) *Node{
		"": func(scope *nn.Scope, x *Node, more []*Node) *Node { return ResidualUNet(scope, c, x, more[0]) },
		"added.": func(scope *nn.Scope, x *Node, more []*Node) *Node {
			return nn.ResBlock(scope, x, more[0], 32, nn.ResBlockOptions{Groups: 8, AddTime: true})
		},
		"heads.": func(scope *nn.Scope, x *Node, _ []*Node) *Node { return nn.Attention(scope, x, 8, 32) },
	} {
		t.Run(strings.TrimSuffix(prefix, "."), func(t *testing.T) {
			golden := func(name string) *tensors.Tensor {
				if file.Tensors[prefix+name] == nil {
					t.Fatalf("there is no golden %s%s", prefix, name)
				}
				return file.Tensors[prefix+name]
			}
			inputs := []any{golden("x"), golden("factor")}
			switch prefix {
			case "":
				inputs = append(inputs, golden("t"))
			case "added.":
				inputs = append(inputs, golden("emb"))
			}
			weights, err := nn.Declared(graphtest.Engine(t), func(g *Graph, scope *nn.Scope) {
				var nodes []*Node
				for _, in := range inputs {
					nodes = append(nodes, Zeros(g, in.(*tensors.Tensor).Shape()))
				}
				f(scope, nodes[0], nodes[2:])
			})
			if err != nil {
				t.Fatal(err)
			}
			store := model.NewStore()
			for _, w := range weights {
				value, err := w.FromTorch(golden("weight." + w.Name))
				if err != nil {
					t.Fatal(err)
				}
				if _, err := store.CreateVariable(w.Path("network"), value); err != nil {
					t.Fatal(err)
				}
			}
			exec, err := model.NewExec(graphtest.Engine(t), store, func(scope *model.Scope, in []*Node) []*Node {
				x, factor := in[0], in[1]
				y := f(nn.NewScope(scope.In("network")), x, in[2:])
				if prefix == "heads." { // torch's module is without the residual
					y = Sub(y, x)
				}
				nodes := []*Node{x}
				for _, w := range weights {
					nodes = append(nodes, store.GetVariable(w.Path("network")).NodeValue(x))
				}
				return append([]*Node{y}, Gradient(ReduceAllSum(Mul(y, factor)), nodes...)...)
			})
			if err != nil {
				t.Fatal(err)
			}
			out, err := exec.Call(inputs...)
			if err != nil {
				t.Fatal(err)
			}
			graphtest.Same(t, "output", out[0], golden("y"), 1e-4)
			graphtest.Same(t, "gradient of x", out[1], golden("grad.x"), 1e-4)
			for i, w := range weights {
				grad, err := w.ToTorch(out[i+2])
				if err != nil {
					t.Fatal(err)
				}
				graphtest.Same(t, "gradient of "+w.Name, grad, golden("grad."+w.Name), 1e-4)
			}
			n := 0
			for range store.IterVariables() {
				n++
			}
			if n != len(weights) {
				t.Errorf("the graph made %d weights, and %d are declared", n, len(weights))
			}
		})
	}
}
