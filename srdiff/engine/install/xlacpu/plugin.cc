// Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0

// A PJRT plugin for XLA on the CPU: PJRT's C API over the C++ classes of XLA that the Python package tensorflow-cpu carries
// in libtensorflow_cc.so.2. It takes the place of XLA's own C wrapper, whose symbols that library does not export. See
// README.md.

#ifndef NDEBUG
#error "build with -DNDEBUG: some classes of XLA have another layout without it than in the wheel's libraries"
#endif
#ifndef WHEEL
#error "build with -DWHEEL='\"name and version of the wheel\"'"
#endif

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "convolution.h"
#include "memory.h"
#include "xla/future.h"
#include "xla/hlo/builder/xla_computation.h"
#include "xla/layout_util.h"
#include "xla/literal.h"
#include "xla/pjrt/c/pjrt_c_api.h"
#include "xla/pjrt/pjrt_client.h"
#include "xla/pjrt/pjrt_executable.h"
#include "xla/pjrt/plugin/xla_cpu/xla_cpu_pjrt_client.h"
#include "xla/pjrt/proto/compile_options.pb.h"
#include "xla/primitive_util.h"
#include "xla/service/computation_placer.h"
#include "xla/shape_util.h"

namespace xla {
// As in xla/pjrt/mlir_to_hlo.h, which needs headers of LLVM. They read text and bytecode, versioned or not.
absl::StatusOr<mlir::OwningOpRef<mlir::ModuleOp>> ParseMlirModuleString(absl::string_view module, mlir::MLIRContext&);
absl::Status ParseMlirModuleStringAndConvertToXlaComputation(absl::string_view module, XlaComputation&, bool use_tuple_args,
                                                             bool return_tuple);
}  // namespace xla

// --- What the C API's opaque pointers point to. ---

struct PJRT_Error {
  absl::Status status;
};

struct PJRT_Event {
  xla::Future<> future;
};

struct PJRT_DeviceDescription {
  xla::PjRtDevice* device;
};

struct PJRT_Device {
  xla::PjRtDevice* device;
  PJRT_DeviceDescription description;
};

// A client with its devices. What it makes keeps it alive, because a garbage collector, such as Go's, destroys things in any
// order.
struct Client {
  std::unique_ptr<xla::PjRtClient> xla;
  std::vector<std::unique_ptr<PJRT_Device>> owned;
  std::vector<PJRT_Device*> devices, addressable;

  PJRT_Device* Find(const xla::PjRtDevice* device) const {
    for (PJRT_Device* d : devices) {
      if (d->device == device) return d;
    }
    return nullptr;
  }
};

struct PJRT_Client {
  std::shared_ptr<Client> client;
  std::string version;
};

// Members are destroyed from the last to the first: the client goes after what it made.

struct PJRT_LoadedExecutable {
  std::shared_ptr<Client> client;
  std::shared_ptr<xla::PjRtLoadedExecutable> executable;
  bool portable;  // compiled for no device in particular
};

struct PJRT_Executable {
  std::shared_ptr<Client> client;
  std::shared_ptr<xla::PjRtLoadedExecutable> executable;
};

struct PJRT_Buffer {
  std::shared_ptr<Client> client;
  std::unique_ptr<xla::PjRtBuffer> buffer;
};

namespace {

PJRT_Error* Error(absl::Status status) { return status.ok() ? nullptr : new PJRT_Error{std::move(status)}; }

// ASSIGN_OR_RETURN(x, f()) is x = f(), or returns f's error.
#define ASSIGN_OR_RETURN(target, expression) ASSIGN_OR_RETURN_(JOIN(result_, __LINE__), target, expression)
#define ASSIGN_OR_RETURN_(result, target, expression) \
  auto result = (expression);                         \
  if (!result.ok()) return Error(result.status());    \
  target = *std::move(result)
#define JOIN(a, b) JOIN_(a, b)
#define JOIN_(a, b) a##b

// --- Element types and shapes. ---

#define TYPES(T)                                                                        \
  T(PRED) T(S2) T(S4) T(S8) T(S16) T(S32) T(S64) T(U2) T(U4) T(U8) T(U16) T(U32) T(U64) \
  T(F16) T(F32) T(F64) T(BF16) T(C64) T(C128)                                           \
  T(F8E5M2) T(F8E4M3FN) T(F8E4M3B11FNUZ) T(F8E5M2FNUZ) T(F8E4M3FNUZ) T(F8E4M3) T(F8E3M4) T(F8E8M0FNU) T(F4E2M1FN)

xla::PrimitiveType FromC(PJRT_Buffer_Type type) {
  switch (type) {
#define T(name) \
  case PJRT_Buffer_Type_##name: return xla::name;
    TYPES(T)
#undef T
    default: return xla::PRIMITIVE_TYPE_INVALID;
  }
}

PJRT_Buffer_Type ToC(xla::PrimitiveType type) {
  switch (type) {
#define T(name) \
  case xla::name: return PJRT_Buffer_Type_##name;
    TYPES(T)
#undef T
    default: return PJRT_Buffer_Type_INVALID;
  }
}

absl::StatusOr<xla::Shape> MakeShape(PJRT_Buffer_Type type, const int64_t* dims, size_t rank) {
  xla::PrimitiveType element = FromC(type);
  if (element == xla::PRIMITIVE_TYPE_INVALID) {
    return absl::InvalidArgumentError(absl::StrCat("element type ", static_cast<int>(type), " is not supported"));
  }
  return xla::ShapeUtil::MakeValidatedShape(element, absl::MakeConstSpan(dims, rank));
}

// --- Errors, the plugin, events. ---

void Error_Destroy(PJRT_Error_Destroy_Args* a) { delete a->error; }

void Error_Message(PJRT_Error_Message_Args* a) {
  a->message = a->error->status.message().data();
  a->message_size = a->error->status.message().size();
}

PJRT_Error* Error_GetCode(PJRT_Error_GetCode_Args* a) {
  a->code = static_cast<PJRT_Error_Code>(a->error->status.code());  // the same numbers
  return nullptr;
}

PJRT_Error* Plugin_Initialize(PJRT_Plugin_Initialize_Args*) { return nullptr; }

PJRT_Error* Plugin_Attributes(PJRT_Plugin_Attributes_Args* a) {
  a->attributes = nullptr;
  a->num_attributes = 0;
  return nullptr;
}

PJRT_Error* Event_Destroy(PJRT_Event_Destroy_Args* a) {
  delete a->event;
  return nullptr;
}

PJRT_Error* Event_IsReady(PJRT_Event_IsReady_Args* a) {
  a->is_ready = a->event->future.IsReady();
  return nullptr;
}

PJRT_Error* Event_Error(PJRT_Event_Error_Args* a) { return Error(a->event->future.Await()); }

PJRT_Error* Event_Await(PJRT_Event_Await_Args* a) { return Error(a->event->future.Await()); }

PJRT_Error* Event_OnReady(PJRT_Event_OnReady_Args* a) {
  a->event->future.OnReady(
      [callback = a->callback, arg = a->user_arg](const absl::Status& status) { callback(Error(status), arg); });
  return nullptr;
}

// --- The client and its devices. ---

PJRT_Error* Client_Create(PJRT_Client_Create_Args* a) {
  if (a->num_options > 0) {
    std::string name(a->create_options[0].name, a->create_options[0].name_size);
    return Error(absl::InvalidArgumentError(absl::StrCat("XLA on the CPU has no option ", name)));
  }
  auto client = std::make_shared<Client>();
  xla::CpuClientOptions options;
  options.allocator = srdiff::Allocate;
  ASSIGN_OR_RETURN(client->xla, xla::GetXlaPjrtCpuClient(std::move(options)));
  for (xla::PjRtDevice* device : client->xla->devices()) {
    client->owned.emplace_back(new PJRT_Device{device, {device}});
    client->devices.push_back(client->owned.back().get());
    if (device->IsAddressable()) client->addressable.push_back(client->devices.back());
  }
  std::string version = absl::StrCat(client->xla->platform_version(), " from " WHEEL);
  a->client = new PJRT_Client{std::move(client), std::move(version)};
  return nullptr;
}

PJRT_Error* Client_Destroy(PJRT_Client_Destroy_Args* a) {
  delete a->client;
  return nullptr;
}

PJRT_Error* Client_PlatformName(PJRT_Client_PlatformName_Args* a) {
  absl::string_view name = a->client->client->xla->platform_name();
  a->platform_name = name.data();
  a->platform_name_size = name.size();
  return nullptr;
}

PJRT_Error* Client_PlatformVersion(PJRT_Client_PlatformVersion_Args* a) {
  a->platform_version = a->client->version.data();
  a->platform_version_size = a->client->version.size();
  return nullptr;
}

PJRT_Error* Client_ProcessIndex(PJRT_Client_ProcessIndex_Args* a) {
  a->process_index = a->client->client->xla->process_index();
  return nullptr;
}

PJRT_Error* Client_Devices(PJRT_Client_Devices_Args* a) {
  a->devices = a->client->client->devices.data();
  a->num_devices = a->client->client->devices.size();
  return nullptr;
}

PJRT_Error* Client_AddressableDevices(PJRT_Client_AddressableDevices_Args* a) {
  a->addressable_devices = a->client->client->addressable.data();
  a->num_addressable_devices = a->client->client->addressable.size();
  return nullptr;
}

PJRT_Error* Client_DefaultDeviceAssignment(PJRT_Client_DefaultDeviceAssignment_Args* a) {
  ASSIGN_OR_RETURN(xla::DeviceAssignment assignment,
                   a->client->client->xla->GetDefaultDeviceAssignment(a->num_replicas, a->num_partitions));
  size_t n = 0;
  for (int replica = 0; replica < a->num_replicas; replica++) {
    for (int partition = 0; partition < a->num_partitions; partition++) {
      if (n == a->default_assignment_size) {
        return Error(absl::FailedPreconditionError("default_assignment_size is too small"));
      }
      a->default_assignment[n++] = static_cast<int>(assignment(replica, partition));
    }
  }
  return nullptr;
}

PJRT_Error* Device_GetDescription(PJRT_Device_GetDescription_Args* a) {
  a->device_description = &a->device->description;
  return nullptr;
}

PJRT_Error* Device_IsAddressable(PJRT_Device_IsAddressable_Args* a) {
  a->is_addressable = a->device->device->IsAddressable();
  return nullptr;
}

PJRT_Error* Device_LocalHardwareId(PJRT_Device_LocalHardwareId_Args* a) {
  a->local_hardware_id = a->device->device->local_hardware_id().value();
  return nullptr;
}

PJRT_Error* DeviceDescription_ProcessIndex(PJRT_DeviceDescription_ProcessIndex_Args* a) {
  a->process_index = a->device_description->device->description().process_index();
  return nullptr;
}

PJRT_Error* DeviceDescription_DebugString(PJRT_DeviceDescription_DebugString_Args* a) {
  absl::string_view text = a->device_description->device->description().DebugString();
  a->debug_string = text.data();
  a->debug_string_size = text.size();
  return nullptr;
}

// --- Programs. ---

absl::StatusOr<std::unique_ptr<xla::PjRtLoadedExecutable>> CompileAndLoad(xla::PjRtClient& client, absl::string_view code,
                                                                          xla::CompileOptions options) {
  // XLA does not know how to divide our convolutions among devices.
  if (absl::StrContains(code, "convolution") && options.executable_build_options.num_partitions() == 1) {
    xla::XlaComputation program;
    absl::Status status = xla::ParseMlirModuleStringAndConvertToXlaComputation(
        code, program, options.parameter_is_tupled_arguments, /*return_tuple=*/false);
    if (!status.ok()) return status;
    const srdiff::Rewritten calls = srdiff::RewriteConvolutions(*program.mutable_proto());
    if (calls.convolutions + calls.weight_gradients > 0) {
      // What lies between convolutions XLA's older code generator makes faster in a forward pass without norms, the newer one in
      // all else.
      if (calls.weight_gradients + calls.channel_sums == 0) options.env_option_overrides.emplace_back("xla_cpu_use_fusion_emitters", false);
      return client.CompileAndLoad(program, std::move(options));
    }
  }
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  absl::StatusOr<mlir::OwningOpRef<mlir::ModuleOp>> module = xla::ParseMlirModuleString(code, context);
  if (!module.ok()) return module.status();
  options.allow_in_place_mlir_modification = true;  // the module is read for this compilation alone
  return client.CompileAndLoad(module->get(), std::move(options));
}

PJRT_Error* Client_Compile(PJRT_Client_Compile_Args* a) {
  absl::string_view format(a->program->format, a->program->format_size);
  if (format != "mlir") {
    return Error(absl::UnimplementedError(absl::StrCat("programs must be in format mlir, not ", format)));
  }
  xla::CompileOptionsProto proto;
  if (!proto.ParseFromArray(a->compile_options, static_cast<int>(a->compile_options_size))) {
    return Error(absl::InvalidArgumentError("compile_options is not a CompileOptionsProto"));
  }
  ASSIGN_OR_RETURN(xla::CompileOptions options, xla::CompileOptions::FromProto(proto));
  bool portable = options.compile_portable_executable;

  ASSIGN_OR_RETURN(std::shared_ptr<xla::PjRtLoadedExecutable> executable,
                   CompileAndLoad(*a->client->client->xla, {a->program->code, a->program->code_size}, std::move(options)));
  a->executable = new PJRT_LoadedExecutable{a->client->client, std::move(executable), portable};
  return nullptr;
}

PJRT_Error* LoadedExecutable_Destroy(PJRT_LoadedExecutable_Destroy_Args* a) {
  delete a->executable;
  return nullptr;
}

PJRT_Error* LoadedExecutable_GetExecutable(PJRT_LoadedExecutable_GetExecutable_Args* a) {
  a->executable = new PJRT_Executable{a->loaded_executable->client, a->loaded_executable->executable};
  return nullptr;
}

PJRT_Error* Executable_Destroy(PJRT_Executable_Destroy_Args* a) {
  delete a->executable;
  return nullptr;
}

PJRT_Error* Executable_Name(PJRT_Executable_Name_Args* a) {
  absl::string_view name = a->executable->executable->name();
  a->executable_name = name.data();
  a->executable_name_size = name.size();
  return nullptr;
}

PJRT_Error* Executable_NumOutputs(PJRT_Executable_NumOutputs_Args* a) {
  ASSIGN_OR_RETURN(std::vector<xla::Shape> shapes, a->executable->executable->GetOutputShapes());
  if (shapes.size() != 1) {
    return Error(absl::UnimplementedError(absl::StrCat("the executable has ", shapes.size(), " programs, expected 1")));
  }
  a->num_outputs = shapes[0].IsTuple() ? shapes[0].tuple_shapes().size() : 1;
  return nullptr;
}

PJRT_Error* Executable_GetCompiledMemoryStats(PJRT_Executable_GetCompiledMemoryStats_Args* a) {
  ASSIGN_OR_RETURN(xla::CompiledMemoryStats stats, a->executable->executable->GetCompiledMemoryStats());
  a->generated_code_size_in_bytes = stats.generated_code_size_in_bytes;
  a->argument_size_in_bytes = stats.argument_size_in_bytes;
  a->output_size_in_bytes = stats.output_size_in_bytes;
  a->alias_size_in_bytes = stats.alias_size_in_bytes;
  a->temp_size_in_bytes = stats.temp_size_in_bytes;
  a->host_generated_code_size_in_bytes = stats.host_generated_code_size_in_bytes;
  a->host_argument_size_in_bytes = stats.host_argument_size_in_bytes;
  a->host_output_size_in_bytes = stats.host_output_size_in_bytes;
  a->host_alias_size_in_bytes = stats.host_alias_size_in_bytes;
  a->host_temp_size_in_bytes = stats.host_temp_size_in_bytes;
  a->peak_memory_in_bytes = stats.peak_memory_in_bytes;
  a->total_size_in_bytes = stats.total_size_in_bytes;
  return nullptr;
}

PJRT_Error* LoadedExecutable_Execute(PJRT_LoadedExecutable_Execute_Args* a) {
  if (a->options->num_send_ops != 0 || a->options->num_recv_ops != 0) {
    return Error(absl::UnimplementedError("send and receive callbacks are not supported"));
  }
  if (a->execute_device != nullptr && a->num_devices != 1) {
    return Error(absl::InvalidArgumentError("num_devices must be 1 where execute_device is given"));
  }
  xla::ExecuteOptions options;
  options.launch_id = a->options->launch_id;
  options.strict_shape_checking = true;
  for (size_t i = 0; i < a->options->num_non_donatable_input_indices; i++) {
    options.non_donatable_input_indices.insert(static_cast<int>(a->options->non_donatable_input_indices[i]));
  }
  std::vector<std::vector<xla::PjRtBuffer*>> arguments(a->num_devices);
  for (size_t d = 0; d < a->num_devices; d++) {
    for (size_t i = 0; i < a->num_args; i++) arguments[d].push_back(a->argument_lists[d][i]->buffer.get());
  }

  const xla::PjRtLoadedExecutable& executable = *a->executable->executable;
  const bool want_events = a->device_complete_events != nullptr;
  std::vector<std::vector<std::unique_ptr<xla::PjRtBuffer>>> outputs(a->num_devices);
  std::vector<xla::Future<>> done;
  if (a->execute_device == nullptr) {
    std::optional<std::vector<xla::Future<>>> futures;
    if (want_events) futures.emplace();
    ASSIGN_OR_RETURN(outputs, executable.Execute(arguments, options, futures));
    if (want_events) done = *std::move(futures);
  } else {
    std::optional<xla::Future<>> future;
    xla::PjRtDevice* device = a->execute_device->device;
    auto result = a->executable->portable
                      ? executable.ExecutePortable(arguments[0], device, options, future, want_events)
                      : executable.ExecuteSharded(arguments[0], device, options, future, want_events);
    ASSIGN_OR_RETURN(outputs[0], std::move(result));
    if (want_events) done.push_back(*std::move(future));
  }
  for (size_t d = 0; d < outputs.size(); d++) {
    for (size_t i = 0; i < outputs[d].size(); i++) {
      a->output_lists[d][i] = new PJRT_Buffer{a->executable->client, std::move(outputs[d][i])};
    }
    if (want_events) a->device_complete_events[d] = new PJRT_Event{std::move(done[d])};
  }
  return nullptr;
}

// --- Buffers. ---

PJRT_Error* Client_BufferFromHostBuffer(PJRT_Client_BufferFromHostBuffer_Args* a) {
  if (a->num_byte_strides != 0 || a->memory != nullptr || a->device_layout != nullptr) {
    return Error(absl::UnimplementedError("strides, memories and layouts are not supported"));
  }
  ASSIGN_OR_RETURN(xla::Shape shape, MakeShape(a->type, a->dims, a->num_dims));
  ASSIGN_OR_RETURN(xla::PjRtMemorySpace * memory, a->device->device->default_memory_space());
  // The C and the C++ names of what may be done with the host's data when have the same numbers.
  auto semantics = static_cast<xla::PjRtClient::HostBufferSemantics>(a->host_buffer_semantics);
  auto [promise, future] = xla::MakePromise<>();
  auto done = [promise = std::move(promise)]() mutable { promise.Set(); };
  ASSIGN_OR_RETURN(std::unique_ptr<xla::PjRtBuffer> buffer,
                   a->client->client->xla->BufferFromHostBuffer(a->data, shape.element_type(), shape.dimensions(),
                                                                std::nullopt, semantics, std::move(done), memory, nullptr));
  a->buffer = new PJRT_Buffer{a->client->client, std::move(buffer)};
  a->done_with_host_buffer = new PJRT_Event{std::move(future)};
  return nullptr;
}

PJRT_Error* Client_CreateViewOfDeviceBuffer(PJRT_Client_CreateViewOfDeviceBuffer_Args* a) {
  if (a->layout != nullptr || a->memory != nullptr) {
    return Error(absl::UnimplementedError("memories and layouts are not supported"));
  }
  ASSIGN_OR_RETURN(xla::Shape shape, MakeShape(a->element_type, a->dims, a->num_dims));
  if (xla::primitive_util::IsSubByteNonPredType(shape.element_type())) {  // XLA packs these
    shape.mutable_layout()->set_element_size_in_bits(xla::primitive_util::BitWidth(shape.element_type()));
  }
  ASSIGN_OR_RETURN(xla::PjRtMemorySpace * memory, a->device->device->default_memory_space());
  std::function<void()> on_delete = [] {};
  if (a->on_delete_callback != nullptr) {
    on_delete = [callback = a->on_delete_callback, data = a->device_buffer_ptr, arg = a->on_delete_callback_arg] {
      callback(data, arg);
    };
  }
  ASSIGN_OR_RETURN(
      std::unique_ptr<xla::PjRtBuffer> buffer,
      a->client->client->xla->CreateViewOfDeviceBuffer(a->device_buffer_ptr, shape, memory, std::move(on_delete)));
  a->buffer = new PJRT_Buffer{a->client->client, std::move(buffer)};
  return nullptr;
}

PJRT_Error* Buffer_Destroy(PJRT_Buffer_Destroy_Args* a) {
  delete a->buffer;
  return nullptr;
}

PJRT_Error* Buffer_ElementType(PJRT_Buffer_ElementType_Args* a) {
  a->type = ToC(a->buffer->buffer->element_type());
  return nullptr;
}

PJRT_Error* Buffer_Dimensions(PJRT_Buffer_Dimensions_Args* a) {
  a->dims = a->buffer->buffer->dimensions().data();
  a->num_dims = a->buffer->buffer->dimensions().size();
  return nullptr;
}

PJRT_Error* Buffer_Device(PJRT_Buffer_Device_Args* a) {
  a->device = a->buffer->client->Find(a->buffer->buffer->device());
  return nullptr;
}

PJRT_Error* Buffer_UnsafePointer(PJRT_Buffer_UnsafePointer_Args* a) {
  ASSIGN_OR_RETURN(a->buffer_pointer, a->buffer->client->xla->UnsafeBufferPointer(a->buffer->buffer.get()));
  return nullptr;
}

PJRT_Error* Buffer_CopyToDevice(PJRT_Buffer_CopyToDevice_Args* a) {
  ASSIGN_OR_RETURN(xla::PjRtMemorySpace * memory, a->dst_device->device->default_memory_space());
  ASSIGN_OR_RETURN(std::unique_ptr<xla::PjRtBuffer> buffer, a->buffer->buffer->CopyToMemorySpace(memory));
  a->dst_buffer = new PJRT_Buffer{a->buffer->client, std::move(buffer)};
  return nullptr;
}

PJRT_Error* Buffer_ToHostBuffer(PJRT_Buffer_ToHostBuffer_Args* a) {
  xla::PjRtBuffer& buffer = *a->src->buffer;
  if (!buffer.on_device_shape().IsArray() || buffer.has_dynamic_dimensions()) {
    return Error(absl::UnimplementedError("only arrays of fixed dimensions can be copied to the host"));
  }
  xla::Shape shape = xla::ShapeUtil::MakeShape(buffer.element_type(), buffer.dimensions());  // row by row
  if (const PJRT_Buffer_MemoryLayout* layout = a->host_layout) {
    if (layout->type != PJRT_Buffer_MemoryLayout_Type_Tiled || layout->tiled.num_tiles != 0 ||
        layout->tiled.minor_to_major_size != static_cast<size_t>(buffer.dimensions().size())) {
      return Error(absl::UnimplementedError("a layout must be an order of all dimensions, without tiles or strides"));
    }
    *shape.mutable_layout() = xla::LayoutUtil::MakeLayout(
        absl::MakeConstSpan(layout->tiled.minor_to_major, layout->tiled.minor_to_major_size));
  }
  const size_t size = xla::ShapeUtil::ByteSizeOfElements(shape);
  if (a->dst == nullptr) {
    a->dst_size = size;
    return nullptr;
  }
  if (a->dst_size < size) {
    return Error(absl::InvalidArgumentError(absl::StrCat("dst has ", a->dst_size, " bytes, needs ", size)));
  }
  auto literal = std::make_unique<xla::MutableBorrowingLiteral>(static_cast<char*>(a->dst), shape);
  xla::Future<> future = buffer.ToLiteral(literal.get());
  future.OnReady([literal = std::move(literal)](const absl::Status&) {});  // which the copy needs until then
  a->event = new PJRT_Event{std::move(future)};
  return nullptr;
}

// --- The table. ---

// No C++ exception may reach C. XLA throws none, but C++'s library does when memory is short.
template <auto function, typename Args>
PJRT_Error* Guarded(Args* args) {
  try {
    return function(args);
  } catch (const std::exception& e) {
    return Error(absl::InternalError(e.what()));
  }
}

struct Table {
  PJRT_Api api = {};
  // A caller that knows a later version of the API finds null, not garbage, where its table is longer.
  void* later[64] = {};
};

Table MakeTable() {
  Table table;
  PJRT_Api& api = table.api;
  api.struct_size = PJRT_Api_STRUCT_SIZE;
  api.pjrt_api_version.struct_size = PJRT_Api_Version_STRUCT_SIZE;
  api.pjrt_api_version.major_version = PJRT_API_MAJOR;
  api.pjrt_api_version.minor_version = PJRT_API_MINOR;
  api.PJRT_Error_Destroy = Error_Destroy;
  api.PJRT_Error_Message = Error_Message;

#define HAS(name) api.PJRT_##name = Guarded<name, PJRT_##name##_Args>;
  HAS(Error_GetCode) HAS(Plugin_Initialize) HAS(Plugin_Attributes)
  HAS(Event_Destroy) HAS(Event_IsReady) HAS(Event_Error) HAS(Event_Await) HAS(Event_OnReady)
  HAS(Client_Create) HAS(Client_Destroy) HAS(Client_PlatformName) HAS(Client_PlatformVersion) HAS(Client_ProcessIndex)
  HAS(Client_Devices) HAS(Client_AddressableDevices) HAS(Client_DefaultDeviceAssignment) HAS(Client_Compile)
  HAS(Client_BufferFromHostBuffer) HAS(Client_CreateViewOfDeviceBuffer)
  HAS(Device_GetDescription) HAS(Device_IsAddressable) HAS(Device_LocalHardwareId)
  HAS(DeviceDescription_ProcessIndex) HAS(DeviceDescription_DebugString)
  HAS(Executable_Destroy) HAS(Executable_Name) HAS(Executable_NumOutputs) HAS(Executable_GetCompiledMemoryStats)
  HAS(LoadedExecutable_Destroy) HAS(LoadedExecutable_GetExecutable) HAS(LoadedExecutable_Execute)
  HAS(Buffer_Destroy) HAS(Buffer_ElementType) HAS(Buffer_Dimensions) HAS(Buffer_Device) HAS(Buffer_UnsafePointer)
  HAS(Buffer_CopyToDevice) HAS(Buffer_ToHostBuffer)
#undef HAS

#define LACKS(name)                                                                          \
  api.PJRT_##name = [](PJRT_##name##_Args*) {                                                \
    return Error(absl::UnimplementedError("PJRT_" #name " is not part of this CPU plugin")); \
  };
  LACKS(Event_Create) LACKS(Event_Set)
  LACKS(Client_TopologyDescription) LACKS(Client_LookupDevice) LACKS(Client_LookupAddressableDevice)
  LACKS(Client_AddressableMemories) LACKS(Client_CreateUninitializedBuffer) LACKS(Client_UpdateGlobalProcessInfo)
  LACKS(Client_DmaMap) LACKS(Client_DmaUnmap) LACKS(Client_CreateErrorBuffer) LACKS(Client_CreateAliasBuffer)
  LACKS(Client_FulfillAliasBuffer) LACKS(Client_CreateBuffersForAsyncHostToDevice)
  LACKS(AsyncHostToDeviceTransferManager_Destroy) LACKS(AsyncHostToDeviceTransferManager_TransferData)
  LACKS(AsyncHostToDeviceTransferManager_RetrieveBuffer) LACKS(AsyncHostToDeviceTransferManager_Device)
  LACKS(AsyncHostToDeviceTransferManager_BufferCount) LACKS(AsyncHostToDeviceTransferManager_BufferSize)
  LACKS(AsyncHostToDeviceTransferManager_SetBufferError) LACKS(AsyncHostToDeviceTransferManager_AddMetadata)
  LACKS(AsyncHostToDeviceTransferManager_TransferLiteral)
  LACKS(Device_AddressableMemories) LACKS(Device_DefaultMemory) LACKS(Device_MemoryStats) LACKS(Device_PoisonExecution)
  LACKS(Device_CreateAsyncTrackingEvent) LACKS(AsyncTrackingEvent_Destroy)
  LACKS(DeviceDescription_Id) LACKS(DeviceDescription_Attributes) LACKS(DeviceDescription_Kind)
  LACKS(DeviceDescription_ToString)
  LACKS(Memory_Id) LACKS(Memory_Kind) LACKS(Memory_Kind_Id) LACKS(Memory_DebugString) LACKS(Memory_ToString)
  LACKS(Memory_AddressableByDevices)
  LACKS(ExecuteContext_Create) LACKS(ExecuteContext_Destroy)
  LACKS(Executable_NumReplicas) LACKS(Executable_NumPartitions) LACKS(Executable_OutputElementTypes)
  LACKS(Executable_OutputDimensions) LACKS(Executable_OutputMemoryKinds) LACKS(Executable_SizeOfGeneratedCodeInBytes)
  LACKS(Executable_GetCostAnalysis) LACKS(Executable_Fingerprint) LACKS(Executable_OptimizedProgram)
  LACKS(Executable_Serialize) LACKS(Executable_DeserializeAndLoad) LACKS(Executable_GetCompileOptions)
  LACKS(LoadedExecutable_AddressableDevices) LACKS(LoadedExecutable_Delete) LACKS(LoadedExecutable_IsDeleted)
  LACKS(LoadedExecutable_Fingerprint) LACKS(LoadedExecutable_GetDeviceAssignment)
  LACKS(Buffer_UnpaddedDimensions) LACKS(Buffer_DynamicDimensionIndices) LACKS(Buffer_GetMemoryLayout)
  LACKS(Buffer_OnDeviceSizeInBytes) LACKS(Buffer_Memory) LACKS(Buffer_Delete) LACKS(Buffer_IsDeleted)
  LACKS(Buffer_CopyRawToHost) LACKS(Buffer_CopyRawToHostFuture) LACKS(Buffer_CopyToMemory) LACKS(Buffer_IsOnCpu)
  LACKS(Buffer_ReadyEvent) LACKS(Buffer_IncreaseExternalReferenceCount) LACKS(Buffer_DecreaseExternalReferenceCount)
  LACKS(Buffer_OpaqueDeviceMemoryDataPointer) LACKS(Buffer_DonateWithControlDependency)
  LACKS(CopyToDeviceStream_Destroy) LACKS(CopyToDeviceStream_AddChunk) LACKS(CopyToDeviceStream_TotalBytes)
  LACKS(CopyToDeviceStream_GranuleSize) LACKS(CopyToDeviceStream_CurrentBytes)
  LACKS(TopologyDescription_Create) LACKS(TopologyDescription_Destroy) LACKS(TopologyDescription_PlatformName)
  LACKS(TopologyDescription_PlatformVersion) LACKS(TopologyDescription_GetDeviceDescriptions)
  LACKS(TopologyDescription_Serialize) LACKS(TopologyDescription_Deserialize) LACKS(TopologyDescription_Attributes)
  LACKS(Compile)
#undef LACKS
  return table;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) const PJRT_Api* GetPjrtApi() {
  static const Table table = MakeTable();
  return &table.api;
}
