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
// each of the 36 is a matrix product: squares by channels in, times channels in by channels out. The gradient of g is
//
//	dg = G^T [sum of (A dY A^T) * (B^T d B) over all squares] G

namespace srdiff {
namespace {

constexpr int64_t kSide = 4, kReach = 6, kValues = kReach * kReach;
// Squares whose values are in the processor's second cache at the same time, with the transformed kernel.
constexpr int64_t kSquares = 24;
// Pairs of channels whose kernels are transformed together, a multiple of 16.
constexpr int64_t kPairs = 1024;
// Groups of squares whose products are added up at the same time in a weights' gradient.
constexpr int64_t kGroups = 8;

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

// A y.
template <typename Vector>
SRDIFF_INLINE void TransformGradient(const Vector (&y)[4], Vector (&t)[6]) {
  const Vector a = y[0] + y[2], b = y[1] + y[3], c = y[0] + 4 * y[2], d = 2 * y[1] + 8 * y[3];
  t[0] = y[0];
  t[1] = a + b;
  t[2] = a - b;
  t[3] = c + d;
  t[4] = c - d;
  t[5] = y[3];
}

// G^T u.
template <typename Vector>
SRDIFF_INLINE void TransformWeights(const Vector (&u)[6], Vector (&g)[3]) {
  const Vector a = u[1] + u[2], b = u[2] - u[1], c = u[3] + u[4], d = u[3] - u[4];
  g[0] = u[0] * 0.25f - a * (1.f / 6) + c * (1.f / 24);
  g[1] = b * (1.f / 6) + d * (1.f / 12);
  g[2] = (c - a) * (1.f / 6) + u[5];
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

// A product m = v u, or with add m += v u: value [row][i] of v is at row * v_row + i * v_column, and u and m have width channels.
struct Product {
  int64_t rows, depth, v_row, v_column, width;
};

// n <= height rows of a product, for width vectors of channels.
template <typename Vector, bool add, int height, int width>
SRDIFF_INLINE void Multiply(const Product& p, int64_t n, const float* v, const float* u, float* m) {
  if constexpr (height > 1) {
    if (n < height) return Multiply<Vector, add, height - 1, width>(p, n, v, u, m);
  }
  constexpr int lanes = sizeof(Vector) / sizeof(float);
  Vector tile[height][width] = {};
  for (int64_t i = 0; i < p.depth; i++, u += p.width, v += p.v_column) {
    Vector row[width];
#pragma GCC unroll 8
    for (int w = 0; w < width; w++) Load(row[w], u + w * lanes);
#pragma GCC unroll 8
    for (int h = 0; h < height; h++) {
#pragma GCC unroll 8
      for (int w = 0; w < width; w++) tile[h][w] += v[h * p.v_row] * row[w];
    }
  }
#pragma GCC unroll 8
  for (int h = 0; h < height; h++) {
#pragma GCC unroll 8
    for (int w = 0; w < width; w++) {
      float* to = m + h * p.width + w * lanes;
      if (add) {
        Vector sum;
        Load(sum, to);
        tile[h][w] += sum;
      }
      Store(to, tile[h][w]);
    }
  }
}

// A product for all channels.
template <typename Vector, bool add, int height, int width>
SRDIFF_INLINE void MultiplyAll(const Product& p, const float* v, const float* u, float* m) {
  constexpr int64_t lanes = sizeof(Vector) / sizeof(float);
  for (int64_t o = 0; o < p.width;) {
    const int64_t left = (p.width - o) / lanes;
    for (int64_t row = 0; row < p.rows; row += height) {
      const int64_t n = p.rows - row;
      const float* from = v + row * p.v_row;
      float* to = m + row * p.width + o;
      if (left >= width) {
        Multiply<Vector, add, height, width>(p, n, from, u + o, to);
      } else if (width > 2 && left == 3) {
        Multiply<Vector, add, height, 3>(p, n, from, u + o, to);
      } else if (width > 2 && left == 2) {
        Multiply<Vector, add, height, 2>(p, n, from, u + o, to);
      } else {
        Multiply<Vector, add, height, 1>(p, n, from, u + o, to);
      }
    }
    o += std::min<int64_t>(left, width) * lanes;
  }
}

// Where a square is: the picture and its first row and column.
struct Place {
  int64_t picture, y, x;
};

// The places of n squares from the first on, in the order of pictures, rows and columns.
void Places(const SamePictures& p, int64_t first, int64_t n, Place* places) {
  const int64_t rows = (p.height + kSide - 1) / kSide, columns = (p.width + kSide - 1) / kSide;
  for (int64_t s = 0; s < n; s++) {
    const int64_t i = first + s;
    places[s] = {i / columns / rows, i / columns % rows * kSide, i % columns * kSide};
  }
}

// The values of n squares: T d T^T, where T is transform and d the side x side pixels from border before the place on. v is
// [36][n][channels].
template <typename Vector, int side, int border, typename Transform>
SRDIFF_INLINE void TransformSquares(const SamePictures& p, const float* pixels, int64_t channels, const Place* places, int64_t n,
                                    float* v, const Transform& transform) {
  for (int64_t s = 0; s < n; s++) {
    const Place& at = places[s];
    for (int64_t channel = 0; channel < channels; channel += sizeof(Vector) / sizeof(float)) {
      Vector half[side][6];  // T d, by columns
      for (int c = 0; c < side; c++) {
        const int64_t column = at.x + c - border;
        Vector d[side] = {};
        if (column >= 0 && column < p.width) {
          for (int r = 0; r < side; r++) {
            const int64_t row = at.y + r - border;
            if (row < 0 || row >= p.height) continue;
            Load(d[r], pixels + ((at.picture * p.height + row) * p.width + column) * channels + channel);
          }
        }
        transform(d, half[c]);
      }
      for (int r = 0; r < 6; r++) {
        Vector row[side], t[6];
        for (int c = 0; c < side; c++) row[c] = half[c][r];
        transform(row, t);
        for (int c = 0; c < 6; c++) Store(v + ((r * 6 + c) * n + s) * channels + channel, t[c]);
      }
    }
  }
}

template <typename Vector>
SRDIFF_INLINE void TransformInputs(const SamePictures& p, const Place* places, int64_t n, float* v) {
  TransformSquares<Vector, kReach, 1>(p, p.x, p.in, places, n, v,
                                      [](const Vector(&d)[6], Vector(&t)[6]) { TransformInput(d, t); });
}

// n squares of the result, from the first on.
template <typename Vector, int height, int width>
SRDIFF_INLINE void Squares(const SamePictures& p, const float* u, int64_t first, int64_t n, float* v, float* m) {
  constexpr int64_t lanes = sizeof(Vector) / sizeof(float);
  Place places[kSquares];
  Places(p, first, n, places);
  TransformInputs<Vector>(p, places, n, v);
  for (int64_t k = 0; k < kValues; k++) {
    MultiplyAll<Vector, false, height, width>({n, p.in, p.in, 1, p.out}, v + k * n * p.in, u + k * p.in * p.out, m + k * n * p.out);
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

// Adds the products of n squares, from the first on, to the transformed gradient of the weights: [36][in][out].
template <typename Vector, int height, int width>
SRDIFF_INLINE void AddSquares(const SamePictures& p, const float* dy, int64_t first, int64_t n, float* v, float* m, float* du) {
  Place places[kSquares];
  Places(p, first, n, places);
  TransformInputs<Vector>(p, places, n, v);
  TransformSquares<Vector, kSide, 0>(p, dy, p.out, places, n, m,
                                     [](const Vector(&y)[4], Vector(&t)[6]) { TransformGradient(y, t); });
  for (int64_t k = 0; k < kValues; k++) {
    MultiplyAll<Vector, true, height, width>({p.in, n, 1, p.in, p.out}, v + k * n * p.in, m + k * n * p.out, du + k * p.in * p.out);
  }
}

// dw = G^T du G of the pairs of channels from first, where du is the sum of so many groups.
template <typename Vector>
SRDIFF_INLINE void FinishGradient(const float* du, int64_t groups, int64_t pairs, int64_t first, int64_t end, float* dw) {
  for (int64_t i = first; i < end; i += sizeof(Vector) / sizeof(float)) {
    Vector half[6][3];  // G^T du, by columns
    for (int c = 0; c < 6; c++) {
      Vector sum[6] = {};
      for (int64_t group = 0; group < groups; group++) {
        for (int r = 0; r < 6; r++) {
          Vector value;
          Load(value, du + (group * kValues + r * 6 + c) * pairs + i);
          sum[r] += value;
        }
      }
      TransformWeights(sum, half[c]);
    }
    for (int r = 0; r < 3; r++) {
      Vector row[6], g[3];
      for (int c = 0; c < 6; c++) row[c] = half[c][r];
      TransformWeights(row, g);
      for (int c = 0; c < 3; c++) Store(dw + (r * 3 + c) * pairs + i, g[c]);
    }
  }
}

// The same for each kind of processor, by the number and size of its registers.
struct Functions {
  void (*transform_kernel)(const float* w, int64_t pairs, int64_t first, int64_t end, float* u);
  void (*squares)(const SamePictures& p, const float* u, int64_t first, int64_t n, float* v, float* m);
  void (*add_squares)(const SamePictures& p, const float* dy, int64_t first, int64_t n, float* v, float* m, float* du);
  void (*finish_gradient)(const float* du, int64_t groups, int64_t pairs, int64_t first, int64_t end, float* dw);
};

#define SRDIFF_FUNCTIONS(name, features, Vector, height, width)                                                                \
  __attribute__((target(features))) void TransformKernel##name(const float* w, int64_t pairs, int64_t first, int64_t end,      \
                                                               float* u) {                                                     \
    TransformKernel<Vector>(w, pairs, first, end, u);                                                                          \
  }                                                                                                                            \
  __attribute__((target(features))) void Squares##name(const SamePictures& p, const float* u, int64_t first, int64_t n,        \
                                                       float* v, float* m) {                                                   \
    Squares<Vector, height, width>(p, u, first, n, v, m);                                                                      \
  }                                                                                                                            \
  __attribute__((target(features))) void AddSquares##name(const SamePictures& p, const float* dy, int64_t first, int64_t n,    \
                                                          float* v, float* m, float* du) {                                     \
    AddSquares<Vector, height, width>(p, dy, first, n, v, m, du);                                                              \
  }                                                                                                                            \
  __attribute__((target(features))) void FinishGradient##name(const float* du, int64_t groups, int64_t pairs, int64_t first,   \
                                                              int64_t end, float* dw) {                                        \
    FinishGradient<Vector>(du, groups, pairs, first, end, dw);                                                                 \
  }                                                                                                                            \
  const Functions k##name = {TransformKernel##name, Squares##name, AddSquares##name, FinishGradient##name};

SRDIFF_FUNCTIONS(Avx512, "avx512f,fma", Vector16, 6, 4)
SRDIFF_FUNCTIONS(Avx2, "avx2,fma", Vector8, 6, 2)

// Null where the processor has no such vectors.
const Functions* ForThisProcessor() {
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("fma")) return &kAvx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return &kAvx2;
  return nullptr;
}

int64_t CountSquares(const SamePictures& p) {
  return p.batch * ((p.height + kSide - 1) / kSide) * ((p.width + kSide - 1) / kSide);
}

// Calls a function for each kSquares squares in the range, with memory for their values.
template <typename F>
void InBlocks(const SamePictures& p, int64_t first, int64_t end, const F& f) {
  thread_local std::vector<float> v, m;
  v.resize(std::max<size_t>(v.size(), kValues * kSquares * p.in));
  m.resize(std::max<size_t>(m.size(), kValues * kSquares * p.out));
  for (; first < end; first += kSquares) f(first, std::min(kSquares, end - first), v.data(), m.data());
}

}  // namespace

bool HasWinograd() { return ForThisProcessor() != nullptr; }

void Winograd(const SamePictures& p, const ParallelFor& parallel) {
  static const Functions& functions = *ForThisProcessor();
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
  const int64_t squares = CountSquares(p);
  parallel((squares + kSquares - 1) / kSquares, [&](int64_t item) {
    InBlocks(p, item * kSquares, std::min(squares, (item + 1) * kSquares), [&](int64_t first, int64_t n, float* v, float* m) {
      functions.squares(p, u.data(), first, n, v, m);
    });
  });
}

void WinogradWeightGradient(const SamePictures& p, const float* dy, float* dw, const ParallelFor& parallel) {
  static const Functions& functions = *ForThisProcessor();
  const int64_t pairs = p.in * p.out, squares = CountSquares(p);
  const int64_t groups = std::min(kGroups, (squares + kSquares - 1) / kSquares);
  std::vector<float> du(groups * kValues * pairs);
  parallel(groups, [&](int64_t group) {
    InBlocks(p, squares * group / groups, squares * (group + 1) / groups, [&](int64_t first, int64_t n, float* v, float* m) {
      functions.add_squares(p, dy, first, n, v, m, du.data() + group * kValues * pairs);
    });
  });
  parallel((pairs + kPairs - 1) / kPairs, [&](int64_t item) {
    functions.finish_gradient(du.data(), groups, pairs, item * kPairs, std::min(pairs, (item + 1) * kPairs), dw);
  });
}

}  // namespace srdiff
