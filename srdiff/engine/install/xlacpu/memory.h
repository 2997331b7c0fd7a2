// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// Memory for programs and their arrays.
#pragma once

#include <cstddef>
#include <memory>

#include "absl/status/statusor.h"
#include "xla/pjrt/plugin/xla_cpu/cpu_memory.h"

namespace srdiff {

// Allocate returns memory for XLA:CPU.
//
// A program's memory is allocated before each run and freed after it. From malloc, hundreds of megabytes would be asked of
// the system and returned to it in every train step, and it fills each page with zeros first: a tenth of the step. So large
// blocks are in huge pages, and are kept when they are freed, for the next one who wants as much.
absl::StatusOr<std::unique_ptr<xla::CpuMemory>> Allocate(size_t size, size_t alignment);

}  // namespace srdiff
