# Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0
"""Compiles srdiff's programs for NVIDIA GPUs on a machine without one, and lists what XLA made of them.

    make gpu-check

srdiff trains and enlarges as on a GPU, through a plugin that records its programs (recorder.c) and runs them on the processor.
XLA's compiler for CUDA then compiles each program for an A100 (sm_80) and an H100 (sm_90). It needs no GPU for that. What stays
open without one: how fast the programs are, which of cuDNN's algorithms they get, and whether the driver loads them.

The exit status is 1 if a program does not compile.
"""

import argparse
import collections
import os
import pathlib
import re
import subprocess
import tempfile
import time

# What NVIDIA states of its GPUs, in the terms of XLA's GpuTargetConfigProto.
GPUS = {
    "sm_80": dict(name="NVIDIA A100-SXM4-80GB", major=8, extension="NONE", cores=108, fpus=64, bandwidth=2039040000000,
                  l2=41943040, clock=1.41, memory=85100068864, shared=167936, optin=166912),
    "sm_90": dict(name="NVIDIA H100 80GB HBM3", major=9, extension="ACCELERATED_FEATURES", cores=132, fpus=128,
                  bandwidth=3352320000000, l2=52428800, clock=1.98, memory=84942979072, shared=233472, optin=232448),
}
TARGET = """
gpu_device_info {{
  threads_per_block_limit: 1024 threads_per_warp: 32 shared_memory_per_block: 49152 shared_memory_per_core: {shared}
  threads_per_core_limit: 2048 core_count: {cores} fpus_per_core: {fpus} memory_bandwidth: {bandwidth} l2_cache_size: {l2}
  block_dim_limit_x: 2147483647 block_dim_limit_y: 65535 block_dim_limit_z: 65535
  thread_dim_limit_x: 1024 thread_dim_limit_y: 1024 thread_dim_limit_z: 64
  clock_rate_ghz: {clock} device_memory_size: {memory} shared_memory_per_block_optin: {optin}
  cuda_compute_capability {{ major: {major} feature_extension: {extension} }}
  registers_per_core_limit: 65536 registers_per_block_limit: 65536 device_address_bits: 64
  driver_version: "13.0.0" runtime_version: "13.0.0" compile_time_toolkit_version: "13.0.0" dnn_version: "9.15.0"
}}
platform_name: "CUDA"
dnn_version_info {{ major: 9 minor: 15 patch: 0 }}
device_description_str: "{name}"
"""

# What srdiff is asked to do. {out} is a folder, {picture} a picture of 128x128.
TRAIN = ["train", "--data", "generated", "--train-steps", "1", "--out", "{out}"]
DIFFUSION = [*TRAIN, "--sampling-steps", "2", "--batch", "32"]
REGRESSION = [*TRAIN, "--network", "pixelshuffle", "--prediction", "regression", "--loss", "l1", "--size", "128", "--batch", "8"]
GPU = ["--engine", "xla:cuda"]
WORK = {
    "tutorial's network, float32": [*DIFFUSION, "--precision", "float32", *GPU],
    "the same, tf32=false": [*DIFFUSION, "--precision", "float32", "--engine", "xla:cuda,tf32=false"],
    "the same, bfloat16": [*DIFFUSION, "--precision", "bfloat16", *GPU],
    "--network small, bfloat16": [*DIFFUSION, "--network", "small", "--precision", "bfloat16", *GPU],
    "a predictor, bfloat16": [*REGRESSION, "--precision", "bfloat16", *GPU],
    "upscale --model clean": ["upscale", "{picture}", "--model", "clean", "-o", "{out}.png", *GPU],
    "upscale --model detail": ["upscale", "{picture}", "--model", "detail", "-o", "{out}.png", *GPU],
}


def record(options, folder):
    """The programs of each work, as files of StableHLO."""
    plugins, smi = folder / "cuda", folder / "bin" / "nvidia-smi"
    plugins.mkdir()
    smi.parent.mkdir()
    smi.write_text("#!/bin/sh\necho 'no GPU, 81559 MiB, 580.65.06'\n")  # srdiff asks it whether there is a GPU
    smi.chmod(0o755)
    subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-I", options.header, "-o", plugins / "pjrt_c_api_cuda_plugin.so",
                    pathlib.Path(__file__).with_name("recorder.c"), "-ldl"], check=True)
    from PIL import Image

    picture = folder / "picture.png"
    Image.effect_noise((128, 128), 60).convert("RGB").save(picture)
    for number, (name, arguments) in enumerate(WORK.items()):
        programs = folder / str(number)
        programs.mkdir()
        command = [options.srdiff, *(a.format(out=programs / "out", picture=picture) for a in arguments)]
        environment = {**os.environ, "PATH": f"{smi.parent}:{os.environ['PATH']}", "PJRT_PLUGIN_LIBRARY_PATH": str(plugins),
                       "RECORD_PLUGIN": options.plugin, "RECORD_FOLDER": str(programs),
                       "XLA_FLAGS": "--xla_backend_optimization_level=0"}
        run = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if run.returncode != 0:
            raise SystemExit(f"{' '.join(command)} failed:\n{run.stdout[-2000:]}")
        yield name, sorted(programs.glob("*.mlir"))


def client(gpu):
    from jax.experimental import topologies

    topology = topologies.get_topology_desc(gpu, "cuda", target_config=TARGET.format(**GPUS[gpu]), topology="1x1x1")
    return topology.devices[0].client, tuple(topology.devices)


def compile(program, gpu_client, devices):
    """Seconds, temporary bytes, and the compiled program as text."""
    from jax._src.interpreters import mlir
    from jax._src.lib import xla_client
    from jax._src.lib.mlir import ir

    options = xla_client.CompileOptions()
    options.num_replicas = options.num_partitions = 1
    options.compile_portable_executable = True
    with mlir.make_ir_context():
        module = ir.Module.parse(program)
        began = time.time()
        done = gpu_client.compile(module, executable_devices=xla_client.DeviceList(devices), compile_options=options)
    return time.time() - began, done.get_compiled_memory_stats().temp_size_in_bytes, done.hlo_modules()[0].to_string()


TYPES = {"f32": "float32", "bf16": "bfloat16", "f16": "float16"}


def contents(text):
    """How many convolutions of which operands, products and kernels a compiled program has."""
    count = collections.Counter()
    types = dict(re.findall(r"^\s*(?:ROOT )?%?([\w.-]+) = \(?(\w+)\[", text, re.M))
    for line in text.splitlines():
        call = re.search(r"custom-call\(%?([\w.-]+).*custom_call_target=\"([^\"]*)\"", line)
        if call and "__cudnn$conv" in call[2]:
            kind = types.get(call[1], "?")
            count[f"convolutions {TYPES.get(kind, kind)}" + (" highest" if "operand_precision={highest" in line else "")] += 1
        elif call and "gemm" in call[2] or call and "cublas" in call[2]:
            count["products by cuBLAS"] += 1
        elif re.search(r"kind=kCustom", line):
            count["kernels by Triton" if "triton" in line else "other custom fusions"] += 1
        elif re.search(r" fusion\(", line):
            count["fusions"] += 1
        elif re.search(r" while\(", line):
            count["loops"] += 1
    return ", ".join(f"{n} {what}" for what, n in sorted(count.items()))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--srdiff", required=True, help="the program")
    parser.add_argument("--plugin", required=True, help="the processor's PJRT plugin")
    parser.add_argument("--header", required=True, help="the folder with pjrt_c_api.h")
    options = parser.parse_args()
    os.environ["JAX_SKIP_CUDA_CONSTRAINTS_CHECK"] = "1"  # of the versions of libraries that are not needed here
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        clients = {gpu: client(gpu) for gpu in GPUS}
        print("| work | program | GPU | compiled in, s | temporary memory, MB | contents |\n|---|---|---|---|---|---|", flush=True)
        known = set()
        for name, programs in record(options, pathlib.Path(folder)):
            for program in (p.read_bytes() for p in programs):
                if program in known:
                    continue
                known.add(program)
                module = re.match(r"module @(?:Store_Exec_\w+?_ml_model_)?(\w+)", program.decode())
                for gpu in GPUS:
                    row = f"| {name} | {module[1] if module else '?'} | {gpu} |"
                    try:
                        seconds, temporary, text = compile(program, *clients[gpu])
                        print(f"{row} {seconds:.1f} | {temporary / 1e6:.1f} | {contents(text)} |", flush=True)
                    except Exception as error:  # XLA's errors have no class of their own
                        failed += 1
                        print(f"{row} FAILED | | {' '.join(str(error).split())[:500]} |", flush=True)
    if failed:
        raise SystemExit(f"{failed} programs do not compile")


main()
