// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

#include "convolution.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/types/span.h"
#include "channel_sums.h"
#include "weight_gradient.h"
#include "weight_gradient_bf16.h"
#include "winograd.h"
#include "xla/ffi/api/ffi.h"

namespace xla::ffi {
const XLA_FFI_Api* GetXlaFfiApi();  // as in xla/ffi/ffi_api.h, which needs headers of MLIR
}

namespace srdiff {
namespace {

using xla::HloInstructionProto;
using xla::ShapeProto;

constexpr char kConvolution[] = "__onednn$convolution";
constexpr char kWeightGradient[] = "srdiff$weight_gradient";
constexpr char kChannelSums[] = "srdiff$channel_sums";
constexpr char kWinograd[] = "srdiff$winograd";
// Kernels have at most so many rows and columns. What is larger is no layer of a network, but a gradient written as a
// convolution in an order of dimensions that is not known here.
constexpr int64_t kTaps = 7;
// Winograd takes pictures of so many rows and columns or more.
constexpr int64_t kWinogradSide = 8;
// Winograd and ChannelSums take channels that are multiples of a vector.
constexpr int64_t kLanes = 16;

// --- What a convolution is. ---

bool IsPictures(const ShapeProto& shape, xla::PrimitiveType type) {
  auto positive = [](int64_t size) { return size > 0; };
  return shape.element_type() == type && shape.dimensions_size() == 4 &&
         std::all_of(shape.dimensions().begin(), shape.dimensions().end(), positive);
}

// The places of a convolution's dimensions, in HLO's notation: b01f_01io->01bf, where 0 and 1 are rows and columns.
std::string Dimensions(const xla::ConvolutionDimensionNumbers& n) {
  std::string input(4, ' '), kernel(4, ' '), output(4, ' ');
  input[n.input_batch_dimension()] = 'b';
  input[n.input_feature_dimension()] = 'f';
  kernel[n.kernel_input_feature_dimension()] = 'i';
  kernel[n.kernel_output_feature_dimension()] = 'o';
  output[n.output_batch_dimension()] = 'b';
  output[n.output_feature_dimension()] = 'f';
  for (int axis = 0; axis < 2; axis++) {
    input[n.input_spatial_dimensions(axis)] = kernel[n.kernel_spatial_dimensions(axis)] =
        output[n.output_spatial_dimensions(axis)] = static_cast<char>('0' + axis);
  }
  return absl::StrCat(input, "_", kernel, "->", output);
}

// --- Calls of oneDNN's convolution, which this XLA has, but not the compiler's pass that would use it. ---

template <typename Get>
std::string List(const xla::Window& window, Get get) {
  return absl::StrCat("[\"", get(window.dimensions(0)), "\",\"", get(window.dimensions(1)), "\"]");
}

// As JSON, the OneDnnConvolutionConfig of xla/service/cpu/onednn_config.pb.h. In JSON, protobuf has numbers as strings.
std::string OneDnnConfig(const HloInstructionProto& convolution) {
  const auto& n = convolution.convolution_dimension_numbers();
  const xla::Window& w = convolution.window();
  auto spatial = [](const auto& dimensions) { return absl::StrCat("[\"", absl::StrJoin(dimensions, "\",\""), "\"]"); };
  auto data = [&](int64_t batch, int64_t feature, const auto& dimensions) {
    return absl::StrCat(R"({"data":{"batch_dim":")", batch, R"(","feature_dim":")", feature, R"(","spatial_dims":)",
                        spatial(dimensions), "}}");
  };
  return absl::StrCat(
      R"({"onednn_conv_config":{"dims":"4","feature_groups":"1","input":)",
      data(n.input_batch_dimension(), n.input_feature_dimension(), n.input_spatial_dimensions()),
      R"(,"kernel":{"filter":{"input_feature_dim":")", n.kernel_input_feature_dimension(), R"(","output_feature_dim":")",
      n.kernel_output_feature_dimension(), R"(","spatial_dims":)", spatial(n.kernel_spatial_dimensions()), R"(}},"output":)",
      data(n.output_batch_dimension(), n.output_feature_dimension(), n.output_spatial_dimensions()),
      R"(,"window":{"pad_left":)", List(w, [](const auto& d) { return d.padding_low(); }),
      R"(,"pad_right":)", List(w, [](const auto& d) { return d.padding_high(); }),
      R"(,"strides":)", List(w, [](const auto& d) { return d.stride(); }),
      R"(,"window_dilations":)", List(w, [](const auto& d) { return d.window_dilation(); }), "}}}");
}

// --- Calls of WeightGradient. ---

// As a dictionary of MLIR's attributes. The convolution is the gradient's: what it calls a stride is the dilation of the
// one whose gradient this is, and the other way round.
std::string WeightGradientConfig(const xla::Window& w) {
  auto list = [&](auto get) { return absl::StrCat("array<i64: ", get(w.dimensions(0)), ", ", get(w.dimensions(1)), ">"); };
  return absl::StrCat("{pad = ", list([](const auto& d) { return d.padding_low(); }),
                      ", stride = ", list([](const auto& d) { return d.window_dilation(); }),
                      ", dilation = ", list([](const auto& d) { return d.stride(); }), "}");
}

namespace ffi = xla::ffi;

// Calls f with 0 to n-1 on this thread and on those of the pool that have time. As this thread may be one of the pool's, it
// waits only for what others have begun, not for what they may never begin.
void OnPool(ffi::ThreadPool& pool, int64_t n, const std::function<void(int64_t)>& f) {
  struct State {
    std::function<void(int64_t)> f;
    int64_t n;
    std::atomic<int64_t> next{0};
    std::mutex mutex;
    std::condition_variable finished;
    int64_t done = 0;

    void Work() {
      int64_t mine = 0;
      for (int64_t i; (i = next.fetch_add(1)) < n; mine++) f(i);
      if (mine == 0) return;
      std::lock_guard<std::mutex> lock(mutex);
      if ((done += mine) == n) finished.notify_all();
    }
  };
  auto state = std::make_shared<State>();  // which tasks that come too late find still there
  state->f = f;
  state->n = n;
  for (int64_t helpers = std::min(pool.num_threads(), n) - 1; helpers > 0; helpers--) {
    pool.Schedule([state] { state->Work(); });
  }
  state->Work();
  std::unique_lock<std::mutex> lock(state->mutex);
  state->finished.wait(lock, [&] { return state->done == state->n; });
}

ParallelFor On(ffi::ThreadPool& pool) {
  return [&pool](int64_t n, const std::function<void(int64_t)>& f) { OnPool(pool, n, f); };
}

using Pair = ffi::Span<const int64_t>;

// Whether Winograd computes a gradient. It has 36 numbers for each pair of channels, which must be few beside the pixels.
bool IsWinogradGradient(const Convolution& c) {
  if (!HasWinograd() || c.in % kLanes != 0 || c.out % kLanes != 0) return false;
  for (int axis = 0; axis < 2; axis++) {
    if (c.taps[axis] != 3 || c.pad[axis] != 1 || c.stride[axis] != 1 || c.dilation[axis] != 1 || c.size[axis] < kWinogradSide ||
        c.out_size[axis] != c.size[axis]) {
      return false;
    }
  }
  return c.batch * c.size[0] * c.size[1] >= c.in * c.out;
}

ffi::Error CallWeightGradient(ffi::ThreadPool pool, ffi::AnyBuffer x, ffi::AnyBuffer dy, ffi::Result<ffi::AnyBuffer> dw,
                              Pair pad, Pair stride, Pair dilation) {
  Convolution c;
  c.batch = x.dimensions()[0];
  c.in = x.dimensions()[3];
  c.out = dy.dimensions()[3];
  for (int axis = 0; axis < 2; axis++) {
    c.size[axis] = x.dimensions()[axis + 1];
    c.out_size[axis] = dy.dimensions()[axis + 1];
    c.taps[axis] = dw->dimensions()[axis];
    c.pad[axis] = pad[axis];
    c.stride[axis] = stride[axis];
    c.dilation[axis] = dilation[axis];
  }
  const ParallelFor parallel = On(pool);
  if (x.element_type() == ffi::BF16) {
    WeightGradientBf16(c, static_cast<const uint16_t*>(x.untyped_data()), static_cast<const uint16_t*>(dy.untyped_data()),
                       static_cast<uint16_t*>(dw->untyped_data()), parallel);
  } else if (IsWinogradGradient(c)) {
    SamePictures p = {};
    p.batch = c.batch;
    p.height = c.size[0];
    p.width = c.size[1];
    p.in = c.in;
    p.out = c.out;
    p.x = static_cast<const float*>(x.untyped_data());
    WinogradWeightGradient(p, static_cast<const float*>(dy.untyped_data()), static_cast<float*>(dw->untyped_data()), parallel);
  } else {
    WeightGradient(c, static_cast<const float*>(x.untyped_data()), static_cast<const float*>(dy.untyped_data()),
                   static_cast<float*>(dw->untyped_data()), parallel);
  }
  return ffi::Error::Success();
}

XLA_FFI_DEFINE_HANDLER(kHandler, CallWeightGradient,
                       ffi::Ffi::Bind()
                           .Ctx<ffi::ThreadPool>()
                           .Arg<ffi::AnyBuffer>()
                           .Arg<ffi::AnyBuffer>()
                           .Ret<ffi::AnyBuffer>()
                           .Attr<Pair>("pad")
                           .Attr<Pair>("stride")
                           .Attr<Pair>("dilation"));
XLA_FFI_REGISTER_HANDLER(ffi::GetXlaFfiApi(), kWeightGradient, "Host", kHandler);

// --- Calls of ChannelSums. ---

// The sums are of each picture if they have two dimensions, and else of all.
ffi::Error CallChannelSums(ffi::ThreadPool pool, ffi::Buffer<ffi::F32> x, ffi::Result<ffi::Buffer<ffi::F32>> sums, int64_t first) {
  const auto sizes = x.dimensions();
  Channels c = {sizes[0], sizes[1] * sizes[2], sizes[3], first, sums->dimensions().back()};
  if (sums->dimensions().size() == 1) {
    c.pixels *= c.pictures;
    c.pictures = 1;
  }
  ChannelSums(c, x.typed_data(), sums->typed_data(), On(pool));
  return ffi::Error::Success();
}

XLA_FFI_DEFINE_HANDLER(kSumsHandler, CallChannelSums,
                       ffi::Ffi::Bind()
                           .Ctx<ffi::ThreadPool>()
                           .Arg<ffi::Buffer<ffi::F32>>()
                           .Ret<ffi::Buffer<ffi::F32>>()
                           .Attr<int64_t>("first"));
XLA_FFI_REGISTER_HANDLER(ffi::GetXlaFfiApi(), kChannelSums, "Host", kSumsHandler);

// --- Calls of Winograd. ---

// Whether Winograd can take a convolution.
bool IsWinograd(const HloInstructionProto& convolution, const ShapeProto& input, const ShapeProto& kernel) {
  if (!HasWinograd() || input.element_type() != xla::F32) return false;
  for (int axis = 0; axis < 2; axis++) {
    const auto& w = convolution.window().dimensions(axis);
    if (w.size() != 3 || w.stride() > 1 || w.window_dilation() > 1 || w.padding_low() != 1 || w.padding_high() != 1 ||
        input.dimensions(axis + 1) < kWinogradSide || kernel.dimensions(axis + 2) % kLanes != 0) {
      return false;
    }
  }
  return true;
}

std::string WinogradConfig(bool transposed, Activation activation) {
  return absl::StrCat("{transposed = ", transposed ? "true" : "false", ", activation = ", static_cast<int>(activation), " : i64}");
}

// The arguments after the weights are the bias and the sum, as far as there are any.
ffi::Error CallWinograd(ffi::ThreadPool pool, ffi::Buffer<ffi::F32> x, ffi::Buffer<ffi::F32> weights, ffi::RemainingArgs more,
                        ffi::Result<ffi::Buffer<ffi::F32>> y, bool transposed, int64_t activation) {
  auto optional = [&](size_t i) { return i < more.size() ? more.get<ffi::Buffer<ffi::F32>>(i)->typed_data() : nullptr; };
  SamePictures p;
  p.batch = x.dimensions()[0];
  p.height = x.dimensions()[1];
  p.width = x.dimensions()[2];
  p.in = x.dimensions()[3];
  p.out = y->dimensions()[3];
  p.x = x.typed_data();
  p.weights = weights.typed_data();
  p.bias = optional(0);
  p.sum = optional(1);
  p.transposed = transposed;
  p.activation = static_cast<Activation>(activation);
  p.y = y->typed_data();
  Winograd(p, On(pool));
  return ffi::Error::Success();
}

XLA_FFI_DEFINE_HANDLER(kWinogradHandler, CallWinograd,
                       ffi::Ffi::Bind()
                           .Ctx<ffi::ThreadPool>()
                           .Arg<ffi::Buffer<ffi::F32>>()
                           .Arg<ffi::Buffer<ffi::F32>>()
                           .RemainingArgs()
                           .Ret<ffi::Buffer<ffi::F32>>()
                           .Attr<bool>("transposed")
                           .Attr<int64_t>("activation"));
XLA_FFI_REGISTER_HANDLER(ffi::GetXlaFfiApi(), kWinograd, "Host", kWinogradHandler);

// Has XLA keep a shape in memory row by row.
void RowByRow(ShapeProto& shape) {
  xla::LayoutProto& layout = *shape.mutable_layout();
  layout.clear_minor_to_major();
  for (int64_t i = shape.dimensions_size() - 1; i >= 0; i--) layout.add_minor_to_major(i);
}

// --- What follows a convolution, as part of oneDNN's call. ---

// The instructions of a computation, and who uses what they compute.
class Uses {
 public:
  explicit Uses(xla::HloComputationProto& computation) {
    for (HloInstructionProto& i : *computation.mutable_instructions()) {
      instructions_[i.id()] = &i;
      for (int64_t operand : i.operand_ids()) users_[operand].push_back(&i);
    }
    users_[computation.root_id()].push_back(nullptr);  // the caller
  }

  HloInstructionProto& Get(int64_t id) const { return *instructions_.at(id); }

  const std::vector<HloInstructionProto*>& Of(const HloInstructionProto& i) { return users_[i.id()]; }

  // The only use of i if it is of the given kind, or null.
  HloInstructionProto* Only(const HloInstructionProto& i, const char* opcode) {
    const auto& all = Of(i);
    return all.size() == 1 && all[0] != nullptr && all[0]->opcode() == opcode ? all[0] : nullptr;
  }

 private:
  std::map<int64_t, HloInstructionProto*> instructions_;
  std::map<int64_t, std::vector<HloInstructionProto*>> users_;
};

// The operand of an instruction with two that is not i.
int64_t Other(const HloInstructionProto& of, const HloInstructionProto& i) {
  return of.operand_ids(of.operand_ids(0) == i.id() ? 1 : 0);
}

// The vector of the channels that an instruction repeats for every pixel, or null.
const HloInstructionProto* Bias(const Uses& uses, const HloInstructionProto& repeated) {
  const int64_t channels = repeated.shape().dimensions(3);
  const HloInstructionProto* i = &repeated;
  if (i->opcode() != "broadcast" || i->dimensions_size() == 0 || i->dimensions(i->dimensions_size() - 1) != 3) return nullptr;
  do {
    i = &uses.Get(i->operand_ids(0));
    int64_t values = 1;
    for (int64_t size : i->shape().dimensions()) values *= size;
    if (values != channels) return nullptr;
    if (i->shape().dimensions_size() == 1) return i->shape().element_type() == repeated.shape().element_type() ? i : nullptr;
  } while (i->opcode() == "reshape" || i->opcode() == "broadcast");  // neither moves the values of a vector
  return nullptr;
}

bool IsZero(const Uses& uses, const HloInstructionProto& i) {
  if (i.opcode() == "broadcast") return IsZero(uses, uses.Get(i.operand_ids(0)));
  return i.opcode() == "constant" && i.literal().f32s_size() == 1 && i.literal().f32s(0) == 0;
}

// The product x sigmoid(x), if nothing else is made of x, or null.
HloInstructionProto* SiLU(Uses& uses, const HloInstructionProto& x) {
  const auto& users = uses.Of(x);
  if (users.size() != 2 || users[0] == nullptr || users[1] == nullptr) return nullptr;
  HloInstructionProto *sigmoid = users[0], *product = users[1];
  if (sigmoid->opcode() != "logistic") std::swap(sigmoid, product);
  return sigmoid->opcode() == "logistic" && uses.Only(*sigmoid, "multiply") == product ? product : nullptr;
}

// Makes a bias, and then a ReLU, a SiLU or the addition of other pictures, part of the calls of oneDNN's convolution and of
// Winograd. Each would be a pass of its own over the result. What is replaced stays in the program unused, and XLA removes it.
void FuseWhatFollows(xla::HloComputationProto& computation) {
  Uses uses(computation);
  for (HloInstructionProto& convolution : *computation.mutable_instructions()) {
    const bool winograd = convolution.custom_call_target() == kWinograd;
    if (!winograd && convolution.custom_call_target() != kConvolution) continue;
    if (convolution.operand_ids_size() > 2) continue;  // it was made here
    HloInstructionProto call = convolution;
    auto add_operand = [&](const HloInstructionProto& i) {
      call.add_operand_ids(i.id());
      RowByRow(*call.add_operand_shapes_with_layout() = i.shape());
    };
    HloInstructionProto* last = uses.Only(convolution, "add");
    if (last == nullptr) continue;
    const HloInstructionProto* bias = Bias(uses, uses.Get(Other(*last, convolution)));
    if (bias == nullptr) continue;
    add_operand(*bias);
    std::string ops = R"("BIAS")";
    Activation activation = Activation::kNone;
    if (HloInstructionProto* max = uses.Only(*last, "maximum"); max != nullptr && IsZero(uses, uses.Get(Other(*max, *last)))) {
      ops += R"(,"RELU")";
      activation = Activation::kRelu;
      last = max;
    } else if (HloInstructionProto* sum = uses.Only(*last, "add");
               sum != nullptr && Other(*sum, *last) != last->id() && uses.Get(Other(*sum, *last)).opcode() != "broadcast") {
      ops += R"(,"BINARY_ADD")";
      add_operand(uses.Get(Other(*sum, *last)));
      last = sum;
    } else if (HloInstructionProto* product = SiLU(uses, *last); product != nullptr) {
      ops += R"(,"SWISH")";
      activation = Activation::kSilu;
      last = product;
    }
    call.set_id(last->id());
    call.set_name(last->name());
    const std::string config = call.backend_config();
    if (winograd) {
      call.set_backend_config(WinogradConfig(config == WinogradConfig(true, Activation::kNone), activation));
    } else {
      call.set_backend_config(absl::StrCat(config.substr(0, config.size() - 2), R"(,"fusions":{"ops":[)", ops, "]}}}"));
    }
    *last = call;
  }
}

// --- Sums of channels. ---

// Whether a computation adds its two parameters.
bool IsSum(const xla::HloComputationProto& computation) {
  std::map<int64_t, const HloInstructionProto*> instructions;
  for (const auto& i : computation.instructions()) instructions[i.id()] = &i;
  const HloInstructionProto& root = *instructions.at(computation.root_id());
  return root.opcode() == "add" && instructions.at(root.operand_ids(0))->opcode() == "parameter" &&
         instructions.at(root.operand_ids(1))->opcode() == "parameter" && root.operand_ids(0) != root.operand_ids(1);
}

// Whether an instruction takes some channels of every pixel.
bool IsSliceOfChannels(const Uses& uses, const HloInstructionProto& i) {
  if (i.opcode() != "slice" || i.slice_dimensions(3).stride() != 1) return false;
  const ShapeProto& whole = uses.Get(i.operand_ids(0)).shape();
  return absl::c_equal(absl::MakeSpan(whole.dimensions()).first(3), absl::MakeSpan(i.shape().dimensions()).first(3));
}

// Makes calls of ChannelSums of sums of pictures over the pixels of each or of all, and returns how many. XLA's own go through memory
// once for each channel.
int RewriteChannelSums(xla::HloModuleProto& program) {
  int calls = 0;
  const std::vector<int64_t> of_each = {1, 2}, of_all = {0, 1, 2};
  std::map<int64_t, const xla::HloComputationProto*> computations;
  for (const auto& computation : program.computations()) computations[computation.id()] = &computation;
  for (auto& computation : *program.mutable_computations()) {
    Uses uses(computation);
    for (HloInstructionProto& i : *computation.mutable_instructions()) {
      if (i.opcode() != "reduce" || i.operand_ids_size() != 2 || !IsZero(uses, uses.Get(i.operand_ids(1))) ||
          (!absl::c_equal(i.dimensions(), of_each) && !absl::c_equal(i.dimensions(), of_all)) ||
          !IsSum(*computations.at(i.called_computation_ids(0)))) {
        continue;
      }
      const HloInstructionProto* x = &uses.Get(i.operand_ids(0));
      if (!IsPictures(x->shape(), xla::F32) || x->shape().dimensions(3) % kLanes != 0) continue;
      int64_t first = 0;
      if (IsSliceOfChannels(uses, *x)) {
        first = x->slice_dimensions(3).start();
        x = &uses.Get(x->operand_ids(0));
      }
      i.set_opcode("custom-call");
      i.set_custom_call_target(kChannelSums);
      i.set_custom_call_api_version(xla::API_VERSION_TYPED_FFI);
      i.set_backend_config(absl::StrCat("{first = ", first, " : i64}"));
      i.clear_dimensions();
      i.clear_called_computation_ids();
      i.clear_operand_ids();
      i.add_operand_ids(x->id());
      i.set_constrain_layout(true);
      RowByRow(*i.add_operand_shapes_with_layout() = x->shape());
      RowByRow(*i.mutable_shape());
      calls++;
    }
  }
  return calls;
}

// --- The program. ---

}  // namespace

Rewritten RewriteConvolutions(xla::HloModuleProto& program) {
  Rewritten calls;
  for (auto& computation : *program.mutable_computations()) {
    std::map<int64_t, const ShapeProto*> shapes;
    for (const auto& i : computation.instructions()) shapes[i.id()] = &i.shape();
    for (HloInstructionProto& i : *computation.mutable_instructions()) {
      if (i.opcode() != "convolution" || i.window().dimensions_size() != 2 || i.feature_group_count() > 1 ||
          i.batch_group_count() > 1) {
        continue;
      }
      const ShapeProto &input = *shapes.at(i.operand_ids(0)), &kernel = *shapes.at(i.operand_ids(1));
      const xla::PrimitiveType type = input.element_type();
      if (type != xla::F32 && type != xla::BF16) continue;
      if (!IsPictures(input, type) || !IsPictures(kernel, type) || !IsPictures(i.shape(), type)) continue;
      bool plain = true, padded = true, small_kernel = true, small_output = true;
      for (int axis = 0; axis < 2; axis++) {
        const auto& w = i.window().dimensions(axis);
        plain = plain && w.base_dilation() <= 1 && !w.window_reversal();
        padded = padded && w.padding_low() >= 0 && w.padding_high() >= 0;
        small_kernel = small_kernel && w.size() <= kTaps;
        small_output =
            small_output && i.shape().dimensions(i.convolution_dimension_numbers().output_spatial_dimensions(axis)) <= kTaps;
      }
      if (!plain) continue;
      const std::string dimensions = Dimensions(i.convolution_dimension_numbers());
      if (dimensions == "f01b_i01o->01bf" && small_output) {  // GoMLX's gradient of b01f_01io->b01f
        i.set_backend_config(WeightGradientConfig(i.window()));
        i.set_custom_call_target(kWeightGradient);
        i.set_custom_call_api_version(xla::API_VERSION_TYPED_FFI);
        calls.weight_gradients++;
      } else if ((dimensions == "b01f_01io->b01f" || dimensions == "b01f_01oi->b01f") && small_kernel && padded) {
        const bool winograd = IsWinograd(i, input, kernel);
        i.set_backend_config(winograd ? WinogradConfig(dimensions == "b01f_01oi->b01f", Activation::kNone) : OneDnnConfig(i));
        i.set_custom_call_target(winograd ? kWinograd : kConvolution);
        i.set_custom_call_api_version(winograd ? xla::API_VERSION_TYPED_FFI : xla::API_VERSION_ORIGINAL);
        calls.convolutions++;
      } else {
        continue;
      }
      i.set_opcode("custom-call");
      i.clear_window();
      i.clear_convolution_dimension_numbers();
      i.clear_feature_group_count();
      i.clear_batch_group_count();
      i.clear_precision_config();
      // The calls do not see the order in memory.
      i.set_constrain_layout(true);
      *i.add_operand_shapes_with_layout() = input;
      *i.add_operand_shapes_with_layout() = kernel;
      for (ShapeProto& shape : *i.mutable_operand_shapes_with_layout()) RowByRow(shape);
      RowByRow(*i.mutable_shape());
    }
  }
  if (calls.convolutions + calls.weight_gradients > 0) calls.channel_sums = RewriteChannelSums(program);
  if (calls.weight_gradients == 0) {
    for (auto& computation : *program.mutable_computations()) FuseWhatFollows(computation);
  }
  return calls;
}

}  // namespace srdiff
