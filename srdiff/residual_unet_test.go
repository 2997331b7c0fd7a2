// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"path/filepath"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/srdiff/srlab/srdiff/checkpoint"
)

// The network, its blocks, attention and norms against PyTorch's: outputs, and gradients of inputs and of every weight. See
// testdata/residual.py.
func TestResidualUNetIsTorchs(t *testing.T) {
	file, err := checkpoint.Read(filepath.Join("testdata", "residual.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	c := Config{Network: NetworkTiny, Attention: 2, Transformers: 1}.WithDefaults()
	var added parameters
	added.block("", 16, 32, 24, true)
	var attention parameters
	attention.norm("norm", 64)
	attention.attention("", 64)
	for prefix, test := range map[string]struct {
		list parameters
		f    func(scope *model.Scope, x *Node, more []*Node) *Node
	}{
		"": {residualParameters(c), func(scope *model.Scope, x *Node, more []*Node) *Node {
			return ResidualUNet(scope, c, x, more[0])
		}},
		"added.": {added, func(scope *model.Scope, x *Node, more []*Node) *Node {
			return ResBlock(scope, Config{AddTime: true}, x, more[0], 32)
		}},
		"heads.": {attention, func(scope *model.Scope, x *Node, _ []*Node) *Node { return Attention(scope, x) }},
	} {
		t.Run(strings.TrimSuffix(prefix, "."), func(t *testing.T) {
			golden := func(name string) *tensors.Tensor {
				if file.Tensors[prefix+name] == nil {
					t.Fatalf("there is no golden %s%s", prefix, name)
				}
				return file.Tensors[prefix+name]
			}
			store := model.NewStore()
			for _, p := range test.list {
				w, err := p.fromTorch(golden("weight." + p.name))
				if err != nil {
					t.Fatal(err)
				}
				if _, err := store.CreateVariable(p.path(weights), w); err != nil {
					t.Fatal(err)
				}
			}
			exec, err := model.NewExec(openEngine(t), store, func(scope *model.Scope, in []*Node) []*Node {
				x, factor := in[0], in[1]
				y := test.f(network(scope), x, in[2:])
				if prefix == "heads." { // torch's module is without the residual
					y = Sub(y, x)
				}
				nodes := []*Node{x}
				for _, p := range test.list {
					nodes = append(nodes, store.GetVariable(p.path(weights)).NodeValue(x))
				}
				return append([]*Node{y}, Gradient(ReduceAllSum(Mul(y, factor)), nodes...)...)
			})
			if err != nil {
				t.Fatal(err)
			}
			inputs := []any{golden("x"), golden("factor")}
			switch prefix {
			case "":
				inputs = append(inputs, golden("t"))
			case "added.":
				inputs = append(inputs, golden("emb"))
			}
			out, err := exec.Call(inputs...)
			if err != nil {
				t.Fatal(err)
			}
			same(t, "output", out[0], golden("y"), 1e-4)
			same(t, "gradient of x", out[1], golden("grad.x"), 1e-4)
			for i, p := range test.list {
				grad, err := p.toTorch(out[i+2])
				if err != nil {
					t.Fatal(err)
				}
				same(t, "gradient of "+p.name, grad, golden("grad."+p.name), 1e-4)
			}
			n := 0
			for range store.IterVariables() {
				n++
			}
			if n != len(test.list) {
				t.Errorf("the graph made %d weights, and %d are listed", n, len(test.list))
			}
		})
	}
}
