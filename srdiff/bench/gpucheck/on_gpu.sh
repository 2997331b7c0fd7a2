#!/bin/bash
# Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0
#
# Tests and measures srdiff on a machine with an NVIDIA GPU, which needs neither Go nor a network: Python with PyTorch, JAX's plugin
# for CUDA and Pillow is enough. `make gpu-pack` builds the programs into .lab/gpu first. In the repository there:
#
#   bash srdiff/bench/gpucheck/on_gpu.sh REPORT
#
# REPORT is a folder: log.txt, tests.txt, benchmarks.md. The stages are in the order of their worth. Each has a limit, and all have
# LIMIT seconds (575); a stage without time is named and omitted. STAGES="probe numbers" runs these alone. ENGINE=xla:cpu rehearses
# on the processor.
set -u
cd "$(dirname "$0")/../../.." || exit 1
report=$(mkdir -p "${1:?name a folder for the report}" && cd "$1" && pwd)
export ENGINE=${ENGINE:-xla:cuda} BIN=$PWD/.lab/gpu PYTHON=${PYTHON:-$(command -v python3)} REPORT=$report
export WORK; WORK=$(mktemp -d)
LIMIT=${LIMIT:-575} STAGES=" ${STAGES:-probe float32 numbers bfloat16 pictures rest} " failed=
exec > >(tee "$REPORT/log.txt") 2>&1
trap 'rm -rf "$WORK"' EXIT

stage() { # stage NAME SECONDS: runs the function NAME
  local name=$1 limit=$2 began=$SECONDS
  case $STAGES in *" $name "*) ;; *) return 0 ;; esac
  [ $((LIMIT - SECONDS)) -lt "$limit" ] && limit=$((LIMIT - SECONDS))
  if [ "$limit" -lt 8 ]; then
    echo "### $name: omitted, no time is left"
    failed="$failed $name"
    return 1
  fi
  echo; echo "### $name, at most $limit s"
  timeout -k 3 "$limit" bash -o pipefail -c "$name"; local status=$?
  echo "### $name: status $status after $((SECONDS - began)) s"
  [ $status = 0 ] || failed="$failed $name"
  return $status
}

probe() {
  "$BIN/srdiff" doctor --engine "$ENGINE" &&
    "$BIN/srdiff" train --engine "$ENGINE" --data generated --train-steps 20 --sampling-steps 10 --out "$WORK/probe" | tail -3
}

bench() {
  "$BIN/bench" -device "${ENGINE#xla:}" -dtype "$1" -python "$PYTHON" -rounds 8 -samples 1; local status=$?
  cp docs/benchmarks.md "$REPORT"
  return $status
}
float32() { bench float32; }
bfloat16() { bench bfloat16; }

# In whole float32, since TF32 misses the tolerances. Two tests need Go.
core='Torchs|Diffusers|BFloat16|TestResumeIsExact|TestSampleLoops|TestOneTile'
without='^(TestDevices|TestImportsGoOneWay|TestLibraryImportsNoBackend)$'
run_tests() {
  local engine=$ENGINE; [ "$engine" = xla:cuda ] && engine=xla:cuda,tf32=false
  (cd srdiff && SRDIFF_ENGINE=$engine "$BIN/srdiff.test" -test.v "$@") >"$WORK/tests.txt" 2>&1; local status=$?
  cat "$WORK/tests.txt" >>"$REPORT/tests.txt"
  echo "passed $(grep -c '^--- PASS' "$WORK/tests.txt"), skipped $(grep -c '^--- SKIP' "$WORK/tests.txt"), failed:"
  grep -E -A 3 '^(--- FAIL|panic|fatal)' "$WORK/tests.txt" | head -40
  return $status
}
numbers() { run_tests -test.run "$core" -test.skip "$without"; }
rest() { run_tests -test.skip "$without|$core"; }

# A picture on both engines.
pictures() {
  local from=notebooks/photos/test/album-jesper.jpg engine model
  for model in clean "detail --strength 0"; do # without noise, which engines draw differently
    for engine in "$ENGINE" go; do
      echo "$model, $engine:"
      "$BIN/srdiff" upscale "$from" --model $model --engine $engine -o "$WORK/${model%% *}-$engine.png" 2>&1 | tail -1
    done
    "$PYTHON" - "$WORK/${model%% *}-$ENGINE.png" "$WORK/${model%% *}-go.png" <<'P' || return 1
import sys
import numpy as np
from PIL import Image
a, b = (np.asarray(Image.open(name).convert("RGB")).astype(int) for name in sys.argv[1:])
worst = abs(a - b).max()
print(f"the pictures differ by at most {worst} of 255 levels")
sys.exit(int(worst > 2))
P
  done
}
export -f probe bench float32 bfloat16 run_tests numbers rest pictures
export core without

"$PYTHON" -c 'import jax, numpy, PIL, torch' || { echo "$PYTHON lacks what this script needs: name another in PYTHON"; exit 1; }
[ -x "$BIN/srdiff" ] || { echo "there is no $BIN/srdiff: run 'make gpu-pack' on a machine with Go"; exit 1; }
nproc; grep -m1 'model name' /proc/cpuinfo
if [ "$ENGINE" = xla:cuda ]; then
  nvidia-smi --query-gpu=name,memory.total,driver_version,compute_cap --format=csv,noheader || exit 1
  # JAX's plugin, by links as in docs/gpu.md.
  found=$("$PYTHON" -c '
import importlib.util as u, pathlib
plugin = next(filter(None, (u.find_spec("jax_plugins." + n) for n in ("xla_cuda13", "xla_cuda12"))))
print(pathlib.Path(plugin.origin).resolve().parent / "xla_cuda_plugin.so", *u.find_spec("nvidia").submodule_search_locations)') ||
    { echo "Python has no plugin of JAX for CUDA: install jax[cuda13]"; exit 1; }
  mkdir "$WORK/plugins"
  ln -s "${found%% *}" "$WORK/plugins/pjrt_c_api_cuda_plugin.so"
  ln -s "${found##* }" "$WORK/nvidia"
  export PJRT_PLUGIN_LIBRARY_PATH=$WORK/plugins
fi
stage probe 90 || exit 1
stage float32 200
stage numbers 100
stage bfloat16 150
stage pictures 100
stage rest 400
echo; echo "### done after $SECONDS s; failed or out of time:${failed:- none}"
[ -z "$failed" ]
