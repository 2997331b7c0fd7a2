// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// The sum of each channel of pictures.
#pragma once

#include <cstdint>

#include "weight_gradient.h"

namespace srdiff {

// Pictures whose channels are summed: each has so many pixels, and each pixel step values, of which channels, a multiple of 16,
// follow first.
struct Channels {
  int64_t pictures, pixels, step, first, channels;
};

// ChannelSums computes sums[picture][c] = sum of x[picture][pixel][first + c] over all pixels. The gradient of a bias is that of
// all pictures as one.
//
// The result is the same to the bit each time, on any number of threads, of one kind of processor.
void ChannelSums(const Channels& c, const float* x, float* sums, const ParallelFor& parallel);

}  // namespace srdiff
