// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// The gradient of a convolution with respect to its weights.
#pragma once

#include <cstdint>
#include <functional>

namespace srdiff {

// One convolution of pictures x [batch, height, width, in], row by row, with weights [taps_y, taps_x, in, out], to pictures
// [batch, out_height, out_width, out]. Tap t of the weights meets row y * stride + t * dilation - pad of x to make row y,
// and zero where x has no such row; so along the columns. Index 0 is for rows, 1 for columns. No size is 0.
struct Convolution {
  int64_t batch, in, out;
  int64_t size[2], out_size[2], taps[2], pad[2], stride[2], dilation[2];
};

// Calls a function with 0 to n-1, at the same time where it can, and returns when all is done.
using ParallelFor = std::function<void(int64_t n, const std::function<void(int64_t)>&)>;

// WeightGradient computes dw, with the shape of the weights, from x and the gradient dy of the convolution's result:
//
//     dw[ty][tx][i][o] = sum of x[b][y * stride + ty * dilation - pad][...][i] * dy[b][y][x][o] over b, y and x
//
// The result is the same to the bit each time, on any number of threads, of one kind of processor.
void WeightGradient(const Convolution& c, const float* x, const float* dy, float* dw, const ParallelFor& parallel);

}  // namespace srdiff
