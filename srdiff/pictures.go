// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

package srdiff

import (
	"fmt"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/srdiff/srlab/srdiff/imaging"
)

// Tensor stacks pictures of one size as float32 [batch, height, width, 3] in [-1, 1]. It returns an
// error when there are none or their sizes differ.
func Tensor(pictures ...imaging.Picture) (*tensors.Tensor, error) {
	if len(pictures) == 0 {
		return nil, fmt.Errorf("no pictures: want at least one")
	}
	width, height := pictures[0].Width, pictures[0].Height
	values := make([]float32, 0, len(pictures)*height*width*3)
	for i, p := range pictures {
		if p.Width != width || p.Height != height {
			return nil, fmt.Errorf("picture %d is %dx%d and the first one %dx%d: want one size for all",
				i, p.Width, p.Height, width, height)
		}
		values = append(values, p.Pix...)
	}
	return tensors.FromFlatDataAndDimensions(values, len(pictures), height, width, 3), nil
}

// Pictures splits a float32 tensor [batch, height, width, 3] into pictures. Any other tensor is an
// error.
func Pictures(t *tensors.Tensor) ([]imaging.Picture, error) {
	dims := t.Shape().Dimensions
	if t.Rank() != 4 || dims[3] != 3 {
		return nil, fmt.Errorf("tensor is %s: want float32 [batch, height, width, 3]", t.Shape())
	}
	values, err := tensors.CopyFlatData[float32](t)
	if err != nil {
		return nil, fmt.Errorf("tensor is %s: want float32 [batch, height, width, 3]: %w", t.Shape(), err)
	}
	size := dims[1] * dims[2] * 3
	pictures := make([]imaging.Picture, dims[0])
	for i := range pictures {
		pictures[i] = imaging.Picture{Width: dims[2], Height: dims[1], Pix: values[i*size : (i+1)*size]}
	}
	return pictures, nil
}
