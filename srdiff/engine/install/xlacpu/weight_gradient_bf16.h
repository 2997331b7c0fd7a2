// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// The gradient of a convolution in bfloat16 with respect to its weights.
#pragma once

#include <cstdint>

#include "weight_gradient.h"

namespace srdiff {

// WeightGradientBf16 is WeightGradient of numbers in bfloat16, which are kept as their 16 bits. Sums are in float32, and the
// result is rounded once.
void WeightGradientBf16(const Convolution& c, const uint16_t* x, const uint16_t* dy, uint16_t* dw, const ParallelFor& parallel);

}  // namespace srdiff
