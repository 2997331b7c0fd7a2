// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

#include "channel_sums.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace srdiff {
namespace {

// Each group of a picture's pixels has a sum of its own, so that groups can be added up at the same time. All pictures have about so
// many groups, each of at least so many values.
constexpr int64_t kGroups = 16, kValues = 1 << 13;
// Channels whose sum is in the processor's registers while the pixels pass by.
constexpr int kChannels = 64;

typedef float Vector16 __attribute__((vector_size(64)));

// Adds up n channels of some pixels, or kChannels if there are more.
template <int n>
inline __attribute__((always_inline)) void AddChannels(const float* x, int64_t pixels, int64_t step, float* sum) {
  constexpr int lanes = 16;
  Vector16 sums[n / lanes] = {};
  for (int64_t pixel = 0; pixel < pixels; pixel++, x += step) {
#pragma GCC unroll 4
    for (int i = 0; i < n / lanes; i++) {
      Vector16 v;
      std::memcpy(&v, x + i * lanes, sizeof v);
      sums[i] += v;
    }
  }
  std::memcpy(sum, sums, sizeof sums);
}

inline __attribute__((always_inline)) void AddAll(const float* x, int64_t pixels, int64_t step, int64_t channels, float* sum) {
  int64_t c = 0;
  for (; c + kChannels <= channels; c += kChannels) AddChannels<kChannels>(x + c, pixels, step, sum + c);
  for (; c < channels; c += 16) AddChannels<16>(x + c, pixels, step, sum + c);
}

// The same for each kind of processor. The compiler divides a vector that is too large for its registers.
using AddFunction = void (*)(const float* x, int64_t pixels, int64_t step, int64_t channels, float* sum);

__attribute__((target("avx512f"))) void AddAvx512(const float* x, int64_t pixels, int64_t step, int64_t channels, float* sum) {
  AddAll(x, pixels, step, channels, sum);
}

__attribute__((target("avx2"))) void AddAvx2(const float* x, int64_t pixels, int64_t step, int64_t channels, float* sum) {
  AddAll(x, pixels, step, channels, sum);
}

void AddSse(const float* x, int64_t pixels, int64_t step, int64_t channels, float* sum) {
  AddAll(x, pixels, step, channels, sum);
}

AddFunction ForThisProcessor() {
  if (__builtin_cpu_supports("avx512f")) return AddAvx512;
  if (__builtin_cpu_supports("avx2")) return AddAvx2;
  return AddSse;
}

}  // namespace

void ChannelSums(const Channels& c, const float* x, float* sums, const ParallelFor& parallel) {
  static const AddFunction add = ForThisProcessor();
  const int64_t wanted = std::min((kGroups + c.pictures - 1) / c.pictures, c.pixels * c.channels / kValues);
  const int64_t groups = std::clamp<int64_t>(wanted, 1, c.pixels);
  std::vector<float> of_groups(c.pictures * groups * c.channels);
  auto add_group = [&](int64_t item) {
    const int64_t picture = item / groups, group = item % groups;
    const int64_t begin = c.pixels * group / groups, end = c.pixels * (group + 1) / groups;
    add(x + (picture * c.pixels + begin) * c.step + c.first, end - begin, c.step, c.channels, of_groups.data() + item * c.channels);
  };
  if (c.pictures * c.pixels * c.channels < 2 * kValues) {
    for (int64_t item = 0; item < c.pictures * groups; item++) add_group(item);
  } else {
    parallel(c.pictures * groups, add_group);
  }
  for (int64_t picture = 0; picture < c.pictures; picture++, sums += c.channels) {
    const float* from = of_groups.data() + picture * groups * c.channels;
    std::copy_n(from, c.channels, sums);
    for (int64_t group = 1; group < groups; group++) {
      for (int64_t i = 0; i < c.channels; i++) sums[i] += from[group * c.channels + i];
    }
  }
}

}  // namespace srdiff
