// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

#include "winograd.h"

#include <algorithm>
#include <cstring>
#include <vector>

// With the matrices of Lavin and Gray 2016 for the points 0, 1, -1, 2, -2 and infinity, a square of 4x4 pixels of the result is
//
//	Y = A^T [(G g G^T) * (B^T d B)] A
//
// where g is the kernel, d the square of 6x6 pixels that it meets, and * multiplies the 36 values one by one. Over all channels,
// each of the 36 is a matrix product: squares by channels in, times channels in by channels out.

namespace srdiff {
namespace {

constexpr int64_t kSide = 4, kReach = 6, kValues = kReach * kReach;
// Squares whose values are in the processor's second cache at the same time, with the transformed kernel.
constexpr int64_t kSquares = 24;
// Pairs of channels whose kernels are transformed together, a multiple of 16.
constexpr int64_t kPairs = 1024;

typedef float Vector16 __attribute__((vector_size(64)));
typedef float Vector8 __attribute__((vector_size(32)));
typedef int32_t Integers16 __attribute__((vector_size(64)));
typedef int32_t Integers8 __attribute__((vector_size(32)));
template <typename Vector> struct IntegersOf;
template <> struct IntegersOf<Vector16> { typedef Integers16 Type; };
template <> struct IntegersOf<Vector8> { typedef Integers8 Type; };

#define SRDIFF_INLINE inline __attribute__((always_inline))

template <typename Vector>
SRDIFF_INLINE void Load(Vector& v, const float* from) {
  std::memcpy(&v, from, sizeof v);
}

template <typename Vector>
SRDIFF_INLINE void Store(float* to, const Vector& v) {
  std::memcpy(to, &v, sizeof v);
}

// B^T d.
template <typename Vector>
SRDIFF_INLINE void TransformInput(const Vector (&d)[6], Vector (&t)[6]) {
  const Vector a = d[4] - 4 * d[2], b = d[3] - 4 * d[1], c = d[4] - d[2], e = 2 * (d[3] - d[1]);
  t[0] = 4 * d[0] - 5 * d[2] + d[4];
  t[1] = a + b;
  t[2] = a - b;
  t[3] = c + e;
  t[4] = c - e;
  t[5] = 4 * d[1] - 5 * d[3] + d[5];
}

// A^T m.
template <typename Vector>
SRDIFF_INLINE void TransformOutput(const Vector (&m)[6], Vector (&y)[4]) {
  const Vector a = m[1] + m[2], b = m[1] - m[2], c = m[3] + m[4], d = m[3] - m[4];
  y[0] = m[0] + a + c;
  y[1] = b + 2 * d;
  y[2] = a + 4 * c;
  y[3] = b + 8 * d + m[5];
}

// x becomes x / (1 + e^-x). e^-x is 2^n e^r with r of at most ln(2)/2, and e^r its Taylor series up to r^6: off by 2e-8.
template <typename Vector>
SRDIFF_INLINE void Silu(Vector& x) {
  typedef typename IntegersOf<Vector>::Type Integers;
  const Vector limit = Vector{} + 87, magic = Vector{} + 12582912;  // 1.5 * 2^23: a sum with it is rounded to an integer
  Vector z = -x;
  z = z > limit ? limit : z;
  z = z < -limit ? -limit : z;
  const Vector n = (z * 1.44269504f + magic) - magic;
  const Vector r = (z - n * 0.693145752f) - n * 1.42860677e-6f;  // ln(2) in two parts
  const Vector e = 1 + r * (1 + r * (0.5f + r * (1.f / 6 + r * (1.f / 24 + r * (1.f / 120 + r * (1.f / 720))))));
  const Integers bits = (__builtin_convertvector(n, Integers) + 127) << 23;
  Vector power;
  std::memcpy(&power, &bits, sizeof power);
  x /= 1 + e * power;
}

// G g G^T of the pairs of channels from first: [36][in][out]. w is [3, 3, in, out].
template <typename Vector>
SRDIFF_INLINE void TransformKernel(const float* w, int64_t pairs, int64_t first, int64_t end, float* u) {
  for (int64_t i = first; i < end; i += sizeof(Vector) / sizeof(float)) {
    Vector half[3][6];  // G g, by columns
    auto transform = [](const Vector& g0, const Vector& g1, const Vector& g2, Vector(&t)[6]) {
      const Vector a = (g0 + g2) * (-1.f / 6), b = g1 * (1.f / 6), c = g0 * (1.f / 24) + g2 * (1.f / 6), d = g1 * (1.f / 12);
      t[0] = g0 * 0.25f;
      t[1] = a - b;
      t[2] = a + b;
      t[3] = c + d;
      t[4] = c - d;
      t[5] = g2;
    };
    for (int c = 0; c < 3; c++) {
      Vector g[3];
      for (int r = 0; r < 3; r++) Load(g[r], w + (r * 3 + c) * pairs + i);
      transform(g[0], g[1], g[2], half[c]);
    }
    for (int r = 0; r < 6; r++) {
      Vector t[6];
      transform(half[0][r], half[1][r], half[2][r], t);
      for (int c = 0; c < 6; c++) Store(u + (r * 6 + c) * pairs + i, t[c]);
    }
  }
}

// n <= height rows of the product m = v u, for width vectors of channels out.
template <typename Vector, int height, int width>
SRDIFF_INLINE void Multiply(int64_t n, const float* v, const float* u, float* m, int64_t in, int64_t out) {
  if constexpr (height > 1) {
    if (n < height) return Multiply<Vector, height - 1, width>(n, v, u, m, in, out);
  }
  constexpr int lanes = sizeof(Vector) / sizeof(float);
  Vector tile[height][width] = {};
  for (int64_t i = 0; i < in; i++, u += out) {
    Vector row[width];
#pragma GCC unroll 8
    for (int w = 0; w < width; w++) Load(row[w], u + w * lanes);
#pragma GCC unroll 8
    for (int h = 0; h < height; h++) {
#pragma GCC unroll 8
      for (int w = 0; w < width; w++) tile[h][w] += v[h * in + i] * row[w];
    }
  }
#pragma GCC unroll 8
  for (int h = 0; h < height; h++) {
#pragma GCC unroll 8
    for (int w = 0; w < width; w++) Store(m + h * out + w * lanes, tile[h][w]);
  }
}

// n rows of the product, for all channels out.
template <typename Vector, int height, int width>
SRDIFF_INLINE void MultiplyAll(int64_t n, const float* v, const float* u, float* m, int64_t in, int64_t out) {
  constexpr int64_t lanes = sizeof(Vector) / sizeof(float);
  for (int64_t o = 0; o < out;) {
    const int64_t left = (out - o) / lanes;
    for (int64_t row = 0; row < n; row += height) {
      const float* from = v + row * in;
      float* to = m + row * out + o;
      if (left >= width) {
        Multiply<Vector, height, width>(n - row, from, u + o, to, in, out);
      } else if (width > 2 && left == 3) {
        Multiply<Vector, height, 3>(n - row, from, u + o, to, in, out);
      } else if (width > 2 && left == 2) {
        Multiply<Vector, height, 2>(n - row, from, u + o, to, in, out);
      } else {
        Multiply<Vector, height, 1>(n - row, from, u + o, to, in, out);
      }
    }
    o += std::min<int64_t>(left, width) * lanes;
  }
}

// Where a square is: the picture and its first row and column.
struct Place {
  int64_t picture, y, x;
};

// n squares from the first on, in the order of pictures, rows and columns.
template <typename Vector, int height, int width>
SRDIFF_INLINE void Squares(const SamePictures& p, const float* u, int64_t first, int64_t n, float* v, float* m) {
  constexpr int64_t lanes = sizeof(Vector) / sizeof(float);
  const int64_t rows = (p.height + kSide - 1) / kSide, columns = (p.width + kSide - 1) / kSide;
  Place places[kSquares];
  for (int64_t s = 0; s < n; s++) {
    const int64_t i = first + s;
    places[s] = {i / columns / rows, i / columns % rows * kSide, i % columns * kSide};
  }
  for (int64_t s = 0; s < n; s++) {
    const Place& at = places[s];
    for (int64_t channel = 0; channel < p.in; channel += lanes) {
      Vector half[6][6];  // B^T d, by columns
      for (int c = 0; c < 6; c++) {
        const int64_t column = at.x + c - 1;
        Vector d[6] = {};
        if (column >= 0 && column < p.width) {
          for (int r = 0; r < 6; r++) {
            const int64_t row = at.y + r - 1;
            if (row >= 0 && row < p.height) Load(d[r], p.x + ((at.picture * p.height + row) * p.width + column) * p.in + channel);
          }
        }
        TransformInput(d, half[c]);
      }
      for (int r = 0; r < 6; r++) {
        const Vector row[6] = {half[0][r], half[1][r], half[2][r], half[3][r], half[4][r], half[5][r]};
        Vector t[6];
        TransformInput(row, t);
        for (int c = 0; c < 6; c++) Store(v + ((r * 6 + c) * n + s) * p.in + channel, t[c]);
      }
    }
  }
  for (int64_t k = 0; k < kValues; k++) {
    MultiplyAll<Vector, height, width>(n, v + k * n * p.in, u + k * p.in * p.out, m + k * n * p.out, p.in, p.out);
  }
  for (int64_t s = 0; s < n; s++) {
    const Place& at = places[s];
    for (int64_t channel = 0; channel < p.out; channel += lanes) {
      Vector half[6][4];  // A^T m, by columns
      for (int c = 0; c < 6; c++) {
        Vector values[6];
        for (int r = 0; r < 6; r++) Load(values[r], m + ((r * 6 + c) * n + s) * p.out + channel);
        TransformOutput(values, half[c]);
      }
      Vector bias = {};
      if (p.bias != nullptr) Load(bias, p.bias + channel);
      for (int r = 0; r < kSide && at.y + r < p.height; r++) {
        const Vector row[6] = {half[0][r], half[1][r], half[2][r], half[3][r], half[4][r], half[5][r]};
        Vector result[4];
        TransformOutput(row, result);
        for (int c = 0; c < kSide && at.x + c < p.width; c++) {
          const int64_t pixel = ((at.picture * p.height + at.y + r) * p.width + at.x + c) * p.out + channel;
          Vector value = result[c] + bias;
          if (p.activation == Activation::kRelu) value = value < 0 ? Vector{} : value;  // which keeps a NaN
          if (p.activation == Activation::kSilu) Silu(value);
          if (p.sum != nullptr) {
            Vector sum;
            Load(sum, p.sum + pixel);
            value += sum;
          }
          Store(p.y + pixel, value);
        }
      }
    }
  }
}

// The same for each kind of processor, by the number and size of its registers.
struct Functions {
  void (*transform_kernel)(const float* w, int64_t pairs, int64_t first, int64_t end, float* u);
  void (*squares)(const SamePictures& p, const float* u, int64_t first, int64_t n, float* v, float* m);
};

__attribute__((target("avx512f,fma")))
void TransformKernelAvx512(const float* w, int64_t pairs, int64_t first, int64_t end, float* u) {
  TransformKernel<Vector16>(w, pairs, first, end, u);
}

__attribute__((target("avx512f,fma")))
void SquaresAvx512(const SamePictures& p, const float* u, int64_t first, int64_t n, float* v, float* m) {
  Squares<Vector16, 6, 4>(p, u, first, n, v, m);
}

__attribute__((target("avx2,fma")))
void TransformKernelAvx2(const float* w, int64_t pairs, int64_t first, int64_t end, float* u) {
  TransformKernel<Vector8>(w, pairs, first, end, u);
}

__attribute__((target("avx2,fma")))
void SquaresAvx2(const SamePictures& p, const float* u, int64_t first, int64_t n, float* v, float* m) {
  Squares<Vector8, 6, 2>(p, u, first, n, v, m);
}

const Functions& ForThisProcessor() {
  static const Functions functions = [] {
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("fma")) return Functions{TransformKernelAvx512, SquaresAvx512};
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return Functions{TransformKernelAvx2, SquaresAvx2};
    return Functions{};
  }();
  return functions;
}

}  // namespace

bool HasWinograd() { return ForThisProcessor().squares != nullptr; }

void Winograd(const SamePictures& p, const ParallelFor& parallel) {
  const Functions& functions = ForThisProcessor();
  const int64_t pairs = p.in * p.out;
  const float* weights = p.weights;
  std::vector<float> straight;
  if (p.transposed) {
    straight.resize(9 * pairs);
    for (int64_t tap = 0; tap < 9; tap++) {
      for (int64_t o = 0; o < p.out; o++) {
        for (int64_t i = 0; i < p.in; i++) straight[tap * pairs + i * p.out + o] = weights[tap * pairs + o * p.in + i];
      }
    }
    weights = straight.data();
  }
  std::vector<float> u(kValues * pairs);
  parallel((pairs + kPairs - 1) / kPairs, [&](int64_t item) {
    functions.transform_kernel(weights, pairs, item * kPairs, std::min(pairs, (item + 1) * kPairs), u.data());
  });
  const int64_t squares = p.batch * ((p.height + kSide - 1) / kSide) * ((p.width + kSide - 1) / kSide);
  parallel((squares + kSquares - 1) / kSquares, [&](int64_t item) {
    const int64_t first = item * kSquares, n = std::min(kSquares, squares - first);
    thread_local std::vector<float> v, m;
    v.resize(kValues * kSquares * p.in);
    m.resize(kValues * kSquares * p.out);
    functions.squares(p, u.data(), first, n, v.data(), m.data());
  });
}

}  // namespace srdiff
