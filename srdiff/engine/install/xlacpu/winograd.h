// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// A convolution of 3x3 with a quarter of the multiplications.
#pragma once

#include <cstdint>

#include "weight_gradient.h"

namespace srdiff {

enum class Activation { kNone, kRelu, kSilu };

// One convolution of pictures x [batch, height, width, in], row by row, with weights [3, 3, in, out], or [3, 3, out, in] if they
// are transposed, and a border of zeros, to pictures of the same size with out channels. in and out are multiples of 16. bias and
// sum may be null.
struct SamePictures {
  int64_t batch, height, width, in, out;
  const float *x, *weights, *bias, *sum;
  bool transposed;
  Activation activation;
  float* y;
};

// Whether this processor has the vectors that Winograd needs.
bool HasWinograd();

// Winograd computes activation(x * weights + bias) + sum by F(4x4, 3x3) (Lavin and Gray 2016). It takes 36 multiplications for
// 16 pixels in place of 144. Its rounding errors are some ten times those of the plain sum. The result is the same to the bit
// each time, on any number of threads, of one kind of processor.
void Winograd(const SamePictures& p, const ParallelFor& parallel);

// WinogradWeightGradient computes dw [3, 3, in, out], the gradient of the weights, from x and the gradient dy of the convolution's
// result, in the same way. Of p, only the sizes and x count.
void WinogradWeightGradient(const SamePictures& p, const float* dy, float* dw, const ParallelFor& parallel);

}  // namespace srdiff
