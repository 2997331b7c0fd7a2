// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

#include "memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <list>
#include <mutex>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace srdiff {
namespace {

constexpr size_t kHugePage = 2 << 20;
constexpr size_t kKept = size_t{1} << 30;  // free blocks hold this much at most

size_t RoundUp(size_t n, size_t unit) { return (n + unit - 1) / unit * unit; }

struct Block {
  void* base;
  size_t size;
};

// Free blocks, the one freed last in front.
class FreeBlocks {
 public:
  void* Take(size_t size) {
    std::lock_guard<std::mutex> lock(mu);
    auto it = std::find_if(blocks.begin(), blocks.end(), [&](const Block& b) { return b.size == size; });
    if (it == blocks.end()) return nullptr;
    void* base = it->base;
    total -= size;
    blocks.erase(it);
    return base;
  }

  void Give(void* base, size_t size) {
    std::lock_guard<std::mutex> lock(mu);
    blocks.push_front({base, size});
    total += size;
    Shrink(kKept);
  }

  void Clear() {
    std::lock_guard<std::mutex> lock(mu);
    Shrink(0);
  }

 private:
  void Shrink(size_t most) {
    while (total > most) {
      std::free(blocks.back().base);
      total -= blocks.back().size;
      blocks.pop_back();
    }
  }

  std::mutex mu;
  std::list<Block> blocks;
  size_t total = 0;
};

FreeBlocks& Free() {
  static auto* free_blocks = new FreeBlocks;  // never destroyed: blocks may be given back at the very end
  return *free_blocks;
}

class Memory : public xla::CpuMemory {
 public:
  Memory(void* base, size_t size, size_t capacity) : base_(base), size_(size), capacity_(capacity) {}
  ~Memory() override {
    if (capacity_ < kHugePage) {
      std::free(base_);
    } else {
      Free().Give(base_, capacity_);
    }
  }
  void* base() const override { return base_; }
  size_t size_bytes() const override { return size_; }

 private:
  void* base_;
  size_t size_, capacity_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<xla::CpuMemory>> Allocate(size_t size, size_t alignment) {
  bool large = size >= kHugePage / 2;
  size_t unit = large ? kHugePage : std::max(alignment, sizeof(void*));
  size_t capacity = RoundUp(std::max<size_t>(size, 1), unit);
  void* base = large ? Free().Take(capacity) : nullptr;
  if (base == nullptr) {
    base = std::aligned_alloc(unit, capacity);
    if (base == nullptr) {
      Free().Clear();
      base = std::aligned_alloc(unit, capacity);
    }
    if (base == nullptr) {
      return absl::ResourceExhaustedError(absl::StrCat("out of memory: ", size, " bytes are not to be had"));
    }
    if (large) madvise(base, capacity, MADV_HUGEPAGE);
  }
  return std::make_unique<Memory>(base, size, capacity);
}

}  // namespace srdiff
