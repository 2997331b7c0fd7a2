// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

#include "weight_gradient_bf16.h"

#include <algorithm>
#include <cstring>
#include <vector>

#if defined(__linux__) && __has_include(<amxbf16intrin.h>) && __has_include(<avx512bf16intrin.h>)
#define SRDIFF_BF16
#include <cpuid.h>
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace srdiff {
namespace {

float ToFloat(uint16_t v) {
  const uint32_t bits = static_cast<uint32_t>(v) << 16;
  float f;
  std::memcpy(&f, &bits, sizeof f);
  return f;
}

// The nearest bfloat16; of two as near, the even one. A NaN stays a NaN.
uint16_t ToBfloat16(float f) {
  uint32_t bits;
  std::memcpy(&bits, &f, sizeof bits);
  if (f != f) return static_cast<uint16_t>(bits >> 16 | 0x40);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

// On a processor without instructions for bfloat16: in float32.
void InFloat(const Convolution& c, const uint16_t* x, const uint16_t* dy, uint16_t* dw, const ParallelFor& parallel) {
  std::vector<float> x32(c.batch * c.size[0] * c.size[1] * c.in), dy32(c.batch * c.out_size[0] * c.out_size[1] * c.out);
  std::vector<float> dw32(c.taps[0] * c.taps[1] * c.in * c.out);
  std::transform(x, x + x32.size(), x32.begin(), ToFloat);
  std::transform(dy, dy + dy32.size(), dy32.begin(), ToFloat);
  WeightGradient(c, x32.data(), dy32.data(), dw32.data(), parallel);
  std::transform(dw32.begin(), dw32.end(), dw, ToBfloat16);
}

#ifdef SRDIFF_BF16
// Advanced Matrix Extensions (Intel's manual, volume 1, chapter 18): an instruction multiplies a tile of 16 rows of 32
// bfloat16 by one of 32 rows of 16, and adds the result to a tile of 16x16 float32. The 32 are pixels of a row here. For
// each tap, dw is a matrix product: dy transposed, times x shifted by the tap. The second operand has the pixels in pairs,
// each channel's two beside each other, so x is kept in two forms: with pairs that begin at even columns and at odd ones.
//
// AVX-512's VDPBF16PS takes the same forms: it multiplies the pairs of 16 channels of x by one pair of dy, and adds both
// products of each channel to its float32.

#define AVX512 __attribute__((target("avx512f,avx512bw")))
#define DOTS __attribute__((target("avx512f,avx512bw,avx512bf16")))
#define AMX __attribute__((target("amx-tile,amx-bf16,avx512f,avx512bw")))

// Channels are filled up with zeros to a multiple of two tiles, columns to a multiple of a tile.
constexpr int64_t kTile = 16, kChannels = 2 * kTile, kColumns = 32;
// Bytes of a block of rows in the forms above: it stays in a core's second cache.
constexpr int64_t kBlockBytes = 768 << 10;
// Groups of blocks, each with a sum of its own. They do not depend on how many threads there are.
constexpr int64_t kGroups = 8;

int64_t RoundUp(int64_t n, int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

// Asks the system for the use of tiles, which it grants to a process once and for all.
bool HasTiles() {
  unsigned a, b, c, d;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(d >> 22 & 1) || !(d >> 24 & 1)) return false;
  if (!__builtin_cpu_supports("avx512bw")) return false;
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

bool HasDots() {
  unsigned a, b, c, d;
  if (!__builtin_cpu_supports("avx512bw") || !__get_cpuid_count(7, 1, &a, &b, &c, &d)) return false;
  return a >> 5 & 1;
}

// This thread's tiles: all eight have 16 rows of 64 bytes.
struct TileConfig {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t bytes_per_row[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

AMX void UseTiles() {
  static constexpr TileConfig config;  // not on the stack: the compiler does not see that all of it is read
  _tile_loadconfig(&config);
}

AMX void ReleaseTiles() { _tile_release(); }

// Transposes 16x16 numbers of 32 bits: in each step, blocks of half the size change places.
AVX512 inline void Transpose(__m512i (&v)[16]) {
  alignas(64) int32_t low[16], high[16];
#pragma GCC unroll 4
  for (int size = 8; size > 0; size /= 2) {
    for (int j = 0; j < 16; j++) {
      low[j] = j & size ? 16 + j - size : j;
      high[j] = j & size ? 16 + j : j + size;
    }
    const __m512i to_low = _mm512_load_si512(low), to_high = _mm512_load_si512(high);
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++) {
      if (i & size) continue;
      const __m512i a = v[i], b = v[i + size];
      v[i] = _mm512_permutex2var_epi32(a, to_low, b);
      v[i + size] = _mm512_permutex2var_epi32(a, to_high, b);
    }
  }
}

// How the numbers of a block lie in memory.
struct Layout {
  int64_t in, out;    // channels, filled up
  int64_t columns;    // of dy, filled up
  int64_t pairs;      // of columns of x, in one form
  int64_t DyRow() const { return out * columns; }
  int64_t XForm() const { return pairs * in * 2; }
  int64_t XRow() const { return 2 * XForm(); }
};

AVX512 __m512i LoadChannels(const uint16_t* from, int64_t n) {
  if (n >= 32) return _mm512_loadu_si512(from);
  return n <= 0 ? _mm512_setzero_si512() : _mm512_maskz_loadu_epi16((1u << n) - 1, from);
}

// Writes one row of dy, [columns, channels], as [channels, columns].
AVX512 void PackDy(const Layout& l, int64_t columns, int64_t channels, const uint16_t* dy, uint16_t* to) {
  alignas(64) uint16_t even[32], odd[32];
  for (int i = 0; i < 32; i++) {
    even[i] = 2 * i;
    odd[i] = 2 * i + 1;
  }
  const __m512i evens = _mm512_load_si512(even), odds = _mm512_load_si512(odd);
  for (int64_t column = 0; column < l.columns; column += kColumns) {
    for (int64_t channel = 0; channel < l.out; channel += kChannels) {
      __m512i half[2][16];  // two channels in each number
      for (int h = 0; h < 2; h++) {
        for (int i = 0; i < 16; i++) {
          const int64_t c = column + 16 * h + i;
          half[h][i] = LoadChannels(dy + c * channels + channel, c < columns ? channels - channel : 0);
        }
        Transpose(half[h]);
      }
      for (int i = 0; i < 16; i++) {
        uint16_t* row = to + (channel + 2 * i) * l.columns + column;
        _mm512_store_si512(row, _mm512_permutex2var_epi16(half[0][i], evens, half[1][i]));
        _mm512_store_si512(row + l.columns, _mm512_permutex2var_epi16(half[0][i], odds, half[1][i]));
      }
    }
  }
}

// Writes one row of x, [columns, channels], in both forms: [pairs, channels, 2], with pad columns of zeros before it.
AVX512 void PackX(const Layout& l, int64_t columns, int64_t channels, int64_t pad, const uint16_t* x, uint16_t* to) {
  alignas(64) uint16_t first[32], last[32];
  for (int i = 0; i < 32; i++) {
    first[i] = i / 2 + i % 2 * 32;
    last[i] = first[i] + 16;
  }
  const __m512i firsts = _mm512_load_si512(first), lasts = _mm512_load_si512(last);
  for (int64_t form = 0; form < 2; form++, to += l.XForm()) {
    for (int64_t pair = 0; pair < l.pairs; pair++) {
      for (int64_t channel = 0; channel < l.in; channel += kChannels) {
        __m512i v[2];
        for (int i = 0; i < 2; i++) {
          const int64_t column = 2 * pair + form + i - pad;
          v[i] = LoadChannels(x + column * channels + channel, column >= 0 && column < columns ? channels - channel : 0);
        }
        uint16_t* at = to + (pair * l.in + channel) * 2;
        _mm512_store_si512(at, _mm512_permutex2var_epi16(v[0], firsts, v[1]));
        _mm512_store_si512(at + 32, _mm512_permutex2var_epi16(v[0], lasts, v[1]));
      }
    }
  }
}

// Adds to a square of 2x2 tiles of the sum, [out, in], the product of some rows of dy with as many of x, for one tap.
AMX void AddTiles(const Layout& l, int64_t rows, int64_t tap, const uint16_t* dy, const uint16_t* x, float* sum) {
  const int64_t step = l.in * sizeof(float), dy_step = l.columns * sizeof(uint16_t), x_step = l.in * 2 * sizeof(uint16_t);
  float* below = sum + kTile * l.in;
  x += tap % 2 * l.XForm() + tap / 2 * l.in * 2;
  _tile_loadd(0, sum, step);
  _tile_loadd(1, sum + kTile, step);
  _tile_loadd(2, below, step);
  _tile_loadd(3, below + kTile, step);
  for (int64_t row = 0; row < rows; row++, dy += l.DyRow(), x += l.XRow()) {
    for (int64_t column = 0; column < l.columns; column += kColumns) {
      const uint16_t* pairs = x + column * l.in;
      _tile_loadd(4, dy + column, dy_step);
      _tile_loadd(5, dy + column + kTile * l.columns, dy_step);
      _tile_loadd(6, pairs, x_step);
      _tile_loadd(7, pairs + kTile * 2, x_step);
      _tile_dpbf16ps(0, 4, 6);
      _tile_dpbf16ps(1, 4, 7);
      _tile_dpbf16ps(2, 5, 6);
      _tile_dpbf16ps(3, 5, 7);
    }
  }
  _tile_stored(0, sum, step);
  _tile_stored(1, sum + kTile, step);
  _tile_stored(2, below, step);
  _tile_stored(3, below + kTile, step);
}

// AddTiles for a processor with VDPBF16PS. The sums of 8 channels of dy fill half of the registers.
DOTS void AddDots(const Layout& l, int64_t rows, int64_t tap, const uint16_t* dy, const uint16_t* x, float* sum) {
  constexpr int kAtOnce = 8;
  x += tap % 2 * l.XForm() + tap / 2 * l.in * 2;
  for (int64_t o = 0; o < kChannels; o += kAtOnce, dy += kAtOnce * l.columns, sum += kAtOnce * l.in) {
    __m512 sums[kAtOnce][2];
    for (int i = 0; i < kAtOnce; i++) {
      sums[i][0] = _mm512_load_ps(sum + i * l.in);
      sums[i][1] = _mm512_load_ps(sum + i * l.in + kTile);
    }
    for (int64_t row = 0; row < rows; row++) {
      const uint16_t *dy_row = dy + row * l.DyRow(), *x_row = x + row * l.XRow();
      for (int64_t column = 0; column < l.columns; column += 2, dy_row += 2, x_row += l.in * 2) {
        const __m512bh x0 = (__m512bh)_mm512_load_si512(x_row), x1 = (__m512bh)_mm512_load_si512(x_row + 2 * kTile);
#pragma GCC unroll 8
        for (int i = 0; i < kAtOnce; i++) {
          int32_t pair;
          std::memcpy(&pair, dy_row + i * l.columns, sizeof pair);
          const __m512bh both = (__m512bh)_mm512_set1_epi32(pair);
          sums[i][0] = _mm512_dpbf16_ps(sums[i][0], x0, both);
          sums[i][1] = _mm512_dpbf16_ps(sums[i][1], x1, both);
        }
      }
    }
    for (int i = 0; i < kAtOnce; i++) {
      _mm512_store_ps(sum + i * l.in, sums[i][0]);
      _mm512_store_ps(sum + i * l.in + kTile, sums[i][1]);
    }
  }
}

// Memory for numbers of type T at a multiple of 64 bytes, all zero.
template <typename T>
class Aligned {
 public:
  explicit Aligned(int64_t n) : memory_(n * sizeof(T) + 64) {}
  T* data() { return reinterpret_cast<T*>((reinterpret_cast<uintptr_t>(memory_.data()) + 63) / 64 * 64); }

 private:
  std::vector<char> memory_;
};

// In bfloat16, by tiles or else by dot products.
void InBfloat16(const Convolution& c, const uint16_t* x, const uint16_t* dy, uint16_t* dw, const ParallelFor& parallel, bool tiles) {
  const auto add = tiles ? AddTiles : AddDots;
  Layout l;
  l.in = RoundUp(c.in, kChannels);
  l.out = RoundUp(c.out, kChannels);
  l.columns = RoundUp(c.out_size[1], kColumns);
  l.pairs = (l.columns + c.taps[1]) / 2;
  const int64_t taps = c.taps[0] * c.taps[1], size = taps * l.in * l.out;
  const int64_t rows = std::clamp<int64_t>(
      kBlockBytes / ((l.DyRow() + l.XRow()) * sizeof(uint16_t)) - c.taps[0] + 1, 1, c.out_size[0]);
  const int64_t blocks_per_picture = (c.out_size[0] + rows - 1) / rows;
  const int64_t blocks = c.batch * blocks_per_picture, groups = std::min(blocks, kGroups);
  Aligned<float> sums(groups * size);

  parallel(groups, [&](int64_t group) {
    if (tiles) UseTiles();
    Aligned<uint16_t> dy_block(rows * l.DyRow()), x_block((rows + c.taps[0] - 1) * l.XRow());
    for (int64_t block = blocks * group / groups; block < blocks * (group + 1) / groups; block++) {
      const int64_t b = block / blocks_per_picture, begin = block % blocks_per_picture * rows;
      const int64_t end = std::min(begin + rows, c.out_size[0]);
      for (int64_t y = begin; y < end; y++) {
        PackDy(l, c.out_size[1], c.out, dy + (b * c.out_size[0] + y) * c.out_size[1] * c.out,
               dy_block.data() + (y - begin) * l.DyRow());
      }
      // The rows of x that the block meets, and their first, which may be above the picture.
      const int64_t x_begin = begin - c.pad[0], first = std::max<int64_t>(x_begin, 0);
      const int64_t last = std::min(end - 1 + c.taps[0] - 1 - c.pad[0], c.size[0] - 1);
      for (int64_t y = first; y <= last; y++) {
        PackX(l, c.size[1], c.in, c.pad[1], x + (b * c.size[0] + y) * c.size[1] * c.in,
              x_block.data() + (y - x_begin) * l.XRow());
      }
      for (int64_t tap = 0; tap < taps; tap++) {
        const int64_t ty = tap / c.taps[1];
        const int64_t from = std::max(begin, c.pad[0] - ty), to = std::min(end, c.size[0] + c.pad[0] - ty);
        if (from >= to) continue;
        for (int64_t o = 0; o < l.out; o += kChannels) {
          for (int64_t i = 0; i < l.in; i += kChannels) {
            add(l, to - from, tap % c.taps[1], dy_block.data() + (from - begin) * l.DyRow() + o * l.columns,
                x_block.data() + (from - begin + ty) * l.XRow() + i * 2,
                sums.data() + group * size + (tap * l.out + o) * l.in + i);
          }
        }
      }
    }
    if (tiles) ReleaseTiles();
  });
  parallel(taps, [&](int64_t tap) {
    float* sum = sums.data() + tap * l.out * l.in;
    for (int64_t group = 1; group < groups; group++) {
      const float* more = sum + group * size;
      for (int64_t k = 0; k < l.out * l.in; k++) sum[k] += more[k];
    }
    for (int64_t i = 0; i < c.in; i++) {
      for (int64_t o = 0; o < c.out; o++) dw[(tap * c.in + i) * c.out + o] = ToBfloat16(sum[o * l.in + i]);
    }
  });
}
#endif

}  // namespace

void WeightGradientBf16(const Convolution& c, const uint16_t* x, const uint16_t* dy, uint16_t* dw, const ParallelFor& parallel) {
#ifdef SRDIFF_BF16
  static const bool has_tiles = HasTiles(), has_dots = HasDots();
  if ((has_tiles || has_dots) && c.stride[0] == 1 && c.stride[1] == 1 && c.dilation[0] == 1 && c.dilation[1] == 1) {
    return InBfloat16(c, x, dy, dw, parallel, has_tiles);
  }
#endif
  InFloat(c, x, dy, dw, parallel);
}

}  // namespace srdiff
