// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package nn

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
)

// Weight describes a weight of a network: its name and layout in PyTorch's state_dict, its
// dimensions here, and its first values.
type Weight struct {
	Name string // "enc1.0.weight"
	Dims []int  // here: a kernel is [height, width, in, out], a dense layer's weight [in, out]

	// TorchAxes gives, for each axis here, PyTorch's axis: its kernel is [out, in, height, width].
	// Nil stands for the same layout.
	TorchAxes []int

	// First values are uniform in Middle - Bound to Middle + Bound.
	Middle, Bound float64
}

// Shape returns the weight's shape here, of float32.
func (w Weight) Shape() shapes.Shape { return shapes.Make(dtypes.Float32, w.Dims...) }

// TorchShape returns the weight's shape in PyTorch.
func (w Weight) TorchShape() shapes.Shape {
	dims := slices.Clone(w.Dims)
	for here, there := range w.TorchAxes {
		dims[there] = w.Dims[here]
	}
	return shapes.Make(dtypes.Float32, dims...)
}

// Path returns where a weight is in a GoMLX store, given the scope of its network. Each of the
// name's dots starts a scope.
func (w Weight) Path(network string) string {
	return "/" + strings.Trim(network, "/") + "/" + strings.ReplaceAll(w.Name, ".", "/")
}

// FirstValue draws the weight's first value.
func (w Weight) FirstValue(rng *rand.Rand) *tensors.Tensor {
	values := make([]float32, w.Shape().Size())
	for i := range values {
		values[i] = float32(w.Middle + w.Bound*(2*rng.Float64()-1))
	}
	return tensors.FromFlatDataAndDimensions(values, w.Dims...)
}

// ToTorch returns a value of the weight in PyTorch's layout.
func (w Weight) ToTorch(value *tensors.Tensor) (*tensors.Tensor, error) {
	axes := make([]int, len(w.TorchAxes))
	for here, there := range w.TorchAxes {
		axes[there] = here
	}
	return transpose(value, axes)
}

// FromTorch returns a value of the weight that is in PyTorch's layout. A value that holds a NaN or
// an infinity is an error.
func (w Weight) FromTorch(value *tensors.Tensor) (*tensors.Tensor, error) {
	if finite, err := Finite(value); err != nil {
		return nil, err
	} else if !finite {
		return nil, errors.New("it holds values that are not finite numbers: the training that made it diverged")
	}
	return transpose(value, w.TorchAxes)
}

// Finite reports whether a float32 tensor holds no NaN and no infinity.
func Finite(t *tensors.Tensor) (finite bool, err error) {
	err = tensors.ConstFlatData(t, func(flat []float32) {
		finite = !slices.ContainsFunc(flat, func(v float32) bool { return v-v != 0 })
	})
	return finite, err
}

// transpose returns a float32 tensor whose axis i is axis axes[i] of t. It works on the host, since
// an engine would compile a program for each shape.
func transpose(t *tensors.Tensor, axes []int) (*tensors.Tensor, error) {
	if axes == nil || slices.IsSorted(axes) {
		return t.LocalClone()
	}
	old, err := tensors.CopyFlatData[float32](t)
	if err != nil {
		return nil, err
	}
	strides := t.LayoutStrides()
	dims := make([]int, len(axes))
	for i, axis := range axes {
		dims[i] = t.Shape().Dimensions[axis]
	}
	values := make([]float32, len(old))
	index := make([]int, len(axes)) // of values, counted up like an odometer
	for n := range values {
		from := 0
		for i, axis := range axes {
			from += index[i] * strides[axis]
		}
		values[n] = old[from]
		for i := len(index) - 1; i >= 0; i-- {
			if index[i]++; index[i] < dims[i] {
				break
			}
			index[i] = 0
		}
	}
	return tensors.FromFlatDataAndDimensions(values, dims...), nil
}

// fanIn is PyTorch's default for first values: uniform in +-1/sqrt(fan in), for a layer's weight
// and its bias alike.
func fanIn(n int) float64 { return 1 / math.Sqrt(float64(n)) }
