// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// Faster convolutions than XLA's own on the CPU.
#pragma once

#include "xla/service/hlo.pb.h"

namespace srdiff {

// How many calls RewriteConvolutions made.
struct Rewritten {
  int convolutions = 0, weight_gradients = 0, channel_sums = 0;
};

// RewriteConvolutions makes custom calls of a program's convolutions of pictures in float32 and bfloat16: of those with a
// small kernel to Winograd or oneDNN's, of gradients of such kernels to WinogradWeightGradient, WeightGradient or
// WeightGradientBf16, and of sums over the pixels of pictures beside these to ChannelSums. All others are left to XLA.
Rewritten RewriteConvolutions(xla::HloModuleProto& program);

}  // namespace srdiff
