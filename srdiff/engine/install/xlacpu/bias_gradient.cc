// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

#include "bias_gradient.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace srdiff {
namespace {

// Each group of pixels has a sum of its own, so that groups can be added up at the same time.
constexpr int64_t kGroups = 16;
// Channels whose sum is in the processor's registers while the pixels pass by.
constexpr int kChannels = 64;

typedef float Vector16 __attribute__((vector_size(64)));

// Adds up n channels of some pixels, or kChannels if there are more.
template <int n>
inline __attribute__((always_inline)) void AddChannels(const float* dy, int64_t pixels, int64_t step, float* sum) {
  constexpr int lanes = 16;
  Vector16 sums[n / lanes] = {};
  for (int64_t pixel = 0; pixel < pixels; pixel++, dy += step) {
#pragma GCC unroll 4
    for (int i = 0; i < n / lanes; i++) {
      Vector16 v;
      std::memcpy(&v, dy + i * lanes, sizeof v);
      sums[i] += v;
    }
  }
  std::memcpy(sum, sums, sizeof sums);
}

inline __attribute__((always_inline)) void AddAll(const float* dy, int64_t pixels, int64_t step, int64_t channels, float* sum) {
  int64_t c = 0;
  for (; c + kChannels <= channels; c += kChannels) AddChannels<kChannels>(dy + c, pixels, step, sum + c);
  for (; c < channels; c += 16) AddChannels<16>(dy + c, pixels, step, sum + c);
}

// The same for each kind of processor. The compiler divides a vector that is too large for its registers.
using AddFunction = void (*)(const float* dy, int64_t pixels, int64_t step, int64_t channels, float* sum);

__attribute__((target("avx512f"))) void AddAvx512(const float* dy, int64_t pixels, int64_t step, int64_t channels, float* sum) {
  AddAll(dy, pixels, step, channels, sum);
}

__attribute__((target("avx2"))) void AddAvx2(const float* dy, int64_t pixels, int64_t step, int64_t channels, float* sum) {
  AddAll(dy, pixels, step, channels, sum);
}

void AddSse(const float* dy, int64_t pixels, int64_t step, int64_t channels, float* sum) {
  AddAll(dy, pixels, step, channels, sum);
}

AddFunction ForThisProcessor() {
  if (__builtin_cpu_supports("avx512f")) return AddAvx512;
  if (__builtin_cpu_supports("avx2")) return AddAvx2;
  return AddSse;
}

}  // namespace

void BiasGradient(const float* dy, int64_t pixels, int64_t step, int64_t first, int64_t channels, float* db,
                  const ParallelFor& parallel) {
  static const AddFunction add = ForThisProcessor();
  const int64_t groups = std::min(kGroups, pixels);
  std::vector<float> sums(groups * channels);
  parallel(groups, [&](int64_t group) {
    const int64_t begin = pixels * group / groups, end = pixels * (group + 1) / groups;
    add(dy + begin * step + first, end - begin, step, channels, sums.data() + group * channels);
  });
  std::copy_n(sums.begin(), channels, db);
  for (int64_t group = 1; group < groups; group++) {
    for (int64_t c = 0; c < channels; c++) db[c] += sums[group * channels + c];
  }
}

}  // namespace srdiff
