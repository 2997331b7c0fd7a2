// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

#include "weight_gradient.h"

#include <algorithm>
#include <cstring>
#include <vector>

// For each tap, dw is a matrix product: x, shifted by the tap, transposed, times dy. A tile of it stays in the processor's
// registers while the pixels of some rows pass by: for each pixel, a few channels of x, one at a time, times two vectors of
// channels of dy. Nothing is copied or transposed first.

namespace srdiff {
namespace {

// The largest vector; the sum of a tile of dw is kept in a multiple of it, so that all of a vector can be written.
constexpr int64_t kLanes = 16;
// Pixels to add up in registers before the sum goes to memory. As many as the fastest cache holds.
constexpr int64_t kPixels = 64;
// Each group of pixels has a sum of its own, so that groups can be added up at the same time. There are at most so many
// groups, and, but for a single one, so many numbers in all sums.
constexpr int64_t kGroups = 16, kSums = 1 << 19;

typedef float Vector16 __attribute__((vector_size(64)));
typedef float Vector8 __attribute__((vector_size(32)));
typedef float Vector4 __attribute__((vector_size(16)));

template <typename Vector>
inline __attribute__((always_inline)) void Load(Vector& v, const float* from) {
  std::memcpy(&v, from, sizeof v);
}

// A part of the sum: the outer product of pixels of x and dy, added up. The pixels are row by row; steps are from one to the
// next, in floats.
struct Pixels {
  const float *x, *dy;
  int64_t rows, columns, x_row, x_column, dy_row, dy_column;
};

// Adds the first n <= height channels of x by width vectors of channels of dy to the sum, which has one row of dw every step
// floats.
template <typename Vector, int height, int width>
inline __attribute__((always_inline)) void AddTile(const Pixels& p, int64_t n, float* sum, int64_t step) {
  if constexpr (height > 1) {
    if (n < height) return AddTile<Vector, height - 1, width>(p, n, sum, step);
  }
  constexpr int lanes = sizeof(Vector) / sizeof(float);
  Vector tile[height][width] = {};
  for (int64_t row = 0; row < p.rows; row++) {
    const float* x = p.x + row * p.x_row;
    const float* dy = p.dy + row * p.dy_row;
    for (int64_t column = 0; column < p.columns; column++, x += p.x_column, dy += p.dy_column) {
      Vector d[width];
#pragma GCC unroll 8
      for (int w = 0; w < width; w++) Load(d[w], dy + w * lanes);
#pragma GCC unroll 8
      for (int h = 0; h < height; h++) {
#pragma GCC unroll 8
        for (int w = 0; w < width; w++) tile[h][w] += x[h] * d[w];
      }
    }
  }
#pragma GCC unroll 8
  for (int h = 0; h < height; h++) {
#pragma GCC unroll 8
    for (int w = 0; w < width; w++) {
      Vector v;
      Load(v, sum + h * step + w * lanes);
      v += tile[h][w];
      std::memcpy(sum + h * step + w * lanes, &v, sizeof v);
    }
  }
}

// Adds all tiles of one tap.
template <typename Vector, int height>
inline __attribute__((always_inline)) void AddTap(Pixels p, int64_t in, int64_t out, float* sum, int64_t step) {
  constexpr int lanes = sizeof(Vector) / sizeof(float);
  const float* x = p.x;
  for (int64_t o = 0; o < out; o += 2 * lanes, p.dy += 2 * lanes) {
    p.x = x;
    for (int64_t i = 0; i < in; i += height, p.x += height) {
      if (o + lanes < out) {
        AddTile<Vector, height, 2>(p, in - i, sum + i * step + o, step);
      } else {
        AddTile<Vector, height, 1>(p, in - i, sum + i * step + o, step);
      }
    }
  }
}

// The same for each kind of processor, by the number and size of its registers.
using AddTapFunction = void (*)(const Pixels&, int64_t in, int64_t out, float* sum, int64_t step);

__attribute__((target("avx512f,fma")))
void AddTapAvx512(const Pixels& p, int64_t in, int64_t out, float* sum, int64_t step) {
  AddTap<Vector16, 8>(p, in, out, sum, step);
}

__attribute__((target("avx2,fma")))
void AddTapAvx2(const Pixels& p, int64_t in, int64_t out, float* sum, int64_t step) {
  AddTap<Vector8, 4>(p, in, out, sum, step);
}

void AddTapSse(const Pixels& p, int64_t in, int64_t out, float* sum, int64_t step) {
  AddTap<Vector4, 4>(p, in, out, sum, step);
}

AddTapFunction ForThisProcessor() {
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("fma")) return AddTapAvx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return AddTapAvx2;
  return AddTapSse;
}

// The result's rows (axis 0) or columns (1) from first up to end whose x a tap meets.
struct Range {
  int64_t first, end;
};

Range Meets(const Convolution& c, int axis, int64_t tap, Range range) {
  const int64_t offset = tap * c.dilation[axis] - c.pad[axis], stride = c.stride[axis];
  auto at_least = [&](int64_t position) {  // the first y with y * stride + offset >= position
    return position <= offset ? 0 : (position - offset + stride - 1) / stride;
  };
  return {std::max(range.first, at_least(0)), std::min(range.end, at_least(c.size[axis]))};
}

}  // namespace

void WeightGradient(const Convolution& c, const float* x, const float* dy, float* dw, const ParallelFor& parallel) {
  static const AddTapFunction add_tap = ForThisProcessor();

  // The pixels are added up in blocks of rows, and the blocks in groups, which do not depend on how many threads there are.
  const int64_t taps = c.taps[0] * c.taps[1];
  const int64_t rows = std::clamp<int64_t>(kPixels / c.out_size[1], 1, c.out_size[0]);
  const int64_t blocks_per_picture = (c.out_size[0] + rows - 1) / rows;
  const int64_t blocks = c.batch * blocks_per_picture;
  const int64_t step = (c.out + kLanes - 1) / kLanes * kLanes, tap_size = c.in * step;
  const int64_t groups = std::clamp<int64_t>(kSums / (taps * tap_size), 1, std::min<int64_t>(blocks, kGroups));
  std::vector<float> sums(groups * taps * tap_size);

  // A vector of dy may reach past its pixel, into the next one. What comes of that is not used, but it must be there: the
  // last pictures are copied to where it is.
  const int64_t picture = c.out_size[0] * c.out_size[1] * c.out;
  const int64_t copied = c.out % kLanes == 0 ? 0 : std::min(c.batch, 1 + kLanes / picture), first_copied = c.batch - copied;
  std::vector<float> copy(copied * picture + kLanes);
  std::copy_n(dy + first_copied * picture, copied * picture, copy.begin());

  parallel(groups * taps, [&](int64_t item) {
    const int64_t group = item / taps, ty = item % taps / c.taps[1], tx = item % c.taps[1];
    const Range columns = Meets(c, 1, tx, {0, c.out_size[1]});
    if (columns.first >= columns.end) return;
    for (int64_t block = blocks * group / groups; block < blocks * (group + 1) / groups; block++) {
      const int64_t b = block / blocks_per_picture, row = block % blocks_per_picture * rows;
      const Range range = Meets(c, 0, ty, {row, std::min(row + rows, c.out_size[0])});
      if (range.first >= range.end) continue;
      const int64_t y = range.first * c.stride[0] + ty * c.dilation[0] - c.pad[0];
      const int64_t x0 = columns.first * c.stride[1] + tx * c.dilation[1] - c.pad[1];
      const float* of_picture = b < first_copied ? dy + b * picture : copy.data() + (b - first_copied) * picture;
      Pixels p;
      p.x = x + ((b * c.size[0] + y) * c.size[1] + x0) * c.in;
      p.dy = of_picture + (range.first * c.out_size[1] + columns.first) * c.out;
      p.rows = range.end - range.first;
      p.columns = columns.end - columns.first;
      p.x_column = c.stride[1] * c.in;
      p.x_row = c.stride[0] * c.size[1] * c.in;
      p.dy_column = c.out;
      p.dy_row = c.out_size[1] * c.out;
      add_tap(p, c.in, c.out, sums.data() + item * tap_size, step);
    }
  });
  parallel(taps, [&](int64_t tap) {
    for (int64_t i = 0; i < c.in; i++) {
      float* row = dw + (tap * c.in + i) * c.out;
      const float* sum = sums.data() + tap * tap_size + i * step;
      std::copy_n(sum, c.out, row);
      for (int64_t group = 1; group < groups; group++) {
        sum += taps * tap_size;
        for (int64_t o = 0; o < c.out; o++) row[o] += sum[o];
      }
    }
  });
}

}  // namespace srdiff
