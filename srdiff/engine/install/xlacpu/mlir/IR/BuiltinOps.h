// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// Stands in for MLIR's header of this name. The wheel has it, but not the headers of LLVM that it needs. XLA's headers only
// pass a ModuleOp on, and plugin.cc only parses a module into a context and drops both; so these classes have the names,
// sizes, calling conventions and symbols of the wheel's own, in external/llvm-project/mlir/include/mlir/IR, and no more.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>

namespace mlir {

class Operation {
 public:
  void erase();  // in libtensorflow_framework
};

// One pointer, trivially copyable.
class ModuleOp {
 public:
  ModuleOp(std::nullptr_t = nullptr) {}
  explicit operator bool() const { return operation != nullptr; }
  void erase() { operation->erase(); }

 private:
  Operation* operation = nullptr;
};
static_assert(sizeof(ModuleOp) == sizeof(void*), "ModuleOp is one pointer in MLIR");

template <typename Op>
class OwningOpRef {
 public:
  OwningOpRef(std::nullptr_t = nullptr) {}
  OwningOpRef(OwningOpRef&& other) { std::swap(op, other.op); }
  OwningOpRef& operator=(OwningOpRef&& other) {
    std::swap(op, other.op);
    return *this;
  }
  ~OwningOpRef() {
    if (op) op.erase();
  }
  Op get() const { return op; }

 private:
  Op op;
};

class MLIRContext {
 public:
  enum class Threading { DISABLED, ENABLED };
  explicit MLIRContext(Threading = Threading::ENABLED);  // in libtensorflow_framework
  ~MLIRContext();
  MLIRContext(const MLIRContext&) = delete;
  MLIRContext& operator=(const MLIRContext&) = delete;

 private:
  void* impl;  // a unique_ptr in MLIR, made and freed by the two above
};
static_assert(sizeof(MLIRContext) == sizeof(void*), "MLIRContext is one pointer in MLIR");

}  // namespace mlir
