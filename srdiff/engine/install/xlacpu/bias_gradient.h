// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// The gradient of a convolution's bias.
#pragma once

#include <cstdint>

#include "weight_gradient.h"

namespace srdiff {

// BiasGradient computes db[c] = sum of dy[pixel][first + c] over all pixels, for a bias of channels values. Each pixel of dy has
// step values, of which channels, a multiple of 16, follow first.
//
// The result is the same to the bit each time, on any number of threads, of one kind of processor.
void BiasGradient(const float* dy, int64_t pixels, int64_t step, int64_t first, int64_t channels, float* db,
                  const ParallelFor& parallel);

}  // namespace srdiff
