// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute-onnx/support/protos"
	"github.com/srdiff/srlab/srdiff/internal/graphtest"
	"github.com/srdiff/srlab/srdiff/networks"
	"google.golang.org/protobuf/proto"
)

// Exported files have free sizes, the documented names, and each weight of the model once. What they
// compute is tested in TestONNXRuntime.
func TestExportONNX(t *testing.T) {
	m, err := NewModel(graphtest.Engine(t), tinyRefiner(2))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "x2.onnx")
	files, err := m.ExportONNX(path, 3)
	if err != nil || len(files) != 2 || files[0] != path || !strings.HasSuffix(files[1], "x2-refiner.onnx") {
		t.Fatalf("wrote %v: %v", files, err)
	}
	describe := func(values []*protos.ValueInfoProto) (list []string) {
		for _, v := range values {
			text := v.Name
			for _, d := range v.Type.GetTensorType().Shape.Dim {
				text += fmt.Sprintf(" %s%d", d.GetDimParam(), d.GetDimValue())
			}
			list = append(list, text)
		}
		return list
	}
	image, large := "image batch0 3 height0 width0", " batch0 3 result_height0 result_width0"
	for i, inputs := range [][]string{{image}, {image, "noise" + large, "strength 1"}} {
		data, err := os.ReadFile(files[i])
		if err != nil {
			t.Fatal(err)
		}
		var got protos.ModelProto
		if err := proto.Unmarshal(data, &got); err != nil {
			t.Fatal(err)
		}
		if in := describe(got.Graph.Input); !slices.Equal(in, inputs) {
			t.Errorf("inputs are %q, want %q", in, inputs)
		}
		if out := describe(got.Graph.Output); !slices.Equal(out, []string{"result" + large}) {
			t.Errorf("outputs are %q", out)
		}
		count := map[string]int{}
		for _, initializer := range got.Graph.Initializer {
			count[initializer.Name]++
		}
		for _, w := range m.weights {
			want := 1
			if i == 0 && !strings.HasPrefix(w.Name, predictorScope+".") {
				want = 0
			}
			if count[w.Name] != want {
				t.Errorf("%s has weight %s %d times, want %d", files[i], w.Name, count[w.Name], want)
			}
		}
	}
}

func TestExportONNXRefuses(t *testing.T) {
	refinerOf := tinyRefiner(4)
	refinerOf.Network = networks.Config{Name: networks.Tiny}
	for name, test := range map[string]struct {
		c     Config
		file  string
		steps int
		want  string
	}{
		"tutorial":    {Config{}, "a.onnx", 0, "the network tutorial and predicts eps, which has no ONNX form"},
		"other":       {refinerOf, "a.onnx", 0, "refiner is of the network tiny, which has no ONNX form"},
		"ending":      {tinyPredictor(4), "a.pb", 0, "want one that ends in .onnx"},
		"name":        {tinyPredictor(4), ".onnx", 0, "want one that ends in .onnx"},
		"no steps":    {tinyPredictor(4), "a.onnx", 4, "takes no sampling steps"},
		"many steps":  {tinyRefiner(4), "a.onnx", 101, "want 1 to 100"},
		"minus steps": {tinyRefiner(4), "a.onnx", -1, "want 1 to 100"},
	} {
		m, err := NewModel(graphtest.Engine(t), test.c)
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		_, err = m.ExportONNX(filepath.Join(dir, test.file), test.steps)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", name, err, test.want)
		}
		if entries, _ := os.ReadDir(dir); len(entries) > 0 {
			t.Errorf("%s: %s was written", name, entries[0].Name())
		}
	}
}
