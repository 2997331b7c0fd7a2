# Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0
"""Measures a worker on one core, and computes from that what a million pictures take; both into docs/scale.md.

    .lab/cluster-venv/bin/python srdiff/cluster/measure.py

A worker gets pictures of 0.06, 0.25 and 1 megapixels, and makes PNG files that are 4 times larger in each direction, and JPEG files of
the last. The first picture of each size, with which the model is compiled, counts as the start. Seconds are those of the processor, which other work
on the machine changes less than the clock's. Spark gets jobs that a program answers at once, so that its own time for a job is left.
"""

import argparse
import itertools
import json
import math
import os
import pathlib
import shlex
import statistics
import struct
import subprocess
import sys
import tempfile
import time

import pyspark
import trial
from PIL import Image

SIDES = (250, 500, 1000)
MILLION = 1_000_000

# Peaks of an H100 SXM without sparsity, in operations a second (NVIDIA H100 Tensor Core GPU data sheet).
PEAKS = {"TF32": 495e12, "bfloat16": 989e12}

# Answers each job at once, without doing it.
NOTHING = """
import json, sys
for line in sys.stdin:
    print(json.dumps({"ok": True, "made": True}), flush=True)
"""


def operations(model):
    """Multiplications and additions of the model's convolutions for a pixel of the input: each weight is used once there."""
    with open(model, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    return 2 * sum(math.prod(tensor["shape"]) for name, tensor in header.items() if name != "__metadata__" and len(tensor["shape"]) == 4)


def processor_seconds(process):
    """Seconds of the processor that a process has had."""
    fields = pathlib.Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def mosaic(side):
    """Photographs side by side at their own size: a picture as large as is wanted, whose files are as large as those of photographs."""
    picture, left, top, high = Image.new("RGB", (side, side)), 0, 0, 0
    for path in itertools.cycle(trial.PHOTOS):
        if top >= side:
            return picture
        photo = Image.open(path).convert("RGB")
        picture.paste(photo, (left, top))
        left, high = left + photo.width, min(high or photo.height, photo.height)
        if left >= side:
            left, top, high = 0, top + high, 0


def measure(options, folder, sides, suffix):
    """For each size of pictures the seconds of the processor for one, and for the start; bytes; and the most memory of the worker."""
    command = [options.srdiff, "worker", "--engine", options.engine]
    env = os.environ | dict.fromkeys(("GOMAXPROCS", "NPROC", "PJRT_NPROC", "OMP_NUM_THREADS"), "1")
    sizes = {}
    for side in sides:
        print(f"{side}x{side} to {suffix}", file=sys.stderr, flush=True)
        source = folder / f"{side}.jpg"
        mosaic(side).save(source, quality=92)
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env, text=True)
        times = []
        for i in range(1 + options.pictures):
            process.stdin.write(json.dumps({"input": str(source), "output": str(folder / f"{side}-{i}{suffix}")}) + "\n")
            process.stdin.flush()
            answer = json.loads(process.stdout.readline())
            if not answer["ok"]:
                raise SystemExit(answer["error"])
            times.append(processor_seconds(process.pid))
        process.stdin.close()
        _, _, usage = os.wait4(process.pid, 0)
        seconds = statistics.median(b - a for a, b in zip(times, times[1:]))
        sizes[side] = {"seconds": seconds, "start": times[0] - seconds, "memory": usage.ru_maxrss * 1024}
        sizes[side].update({"in": answer["bytes_in"], "out": answer["bytes_out"]})
    return sizes


def spark_seconds(folder, jobs):
    """Seconds on the clock of a job that takes no time, in Spark with one slot: its share of a task, its answer, its row of the table."""
    (folder / "list.txt").write_text("".join(f"{i}.png\n" for i in range(jobs)))
    command = [pathlib.Path(pyspark.__file__).parent / "bin/spark-submit", "--master", "local[1]", trial.ROOT / "srdiff/cluster/spark.py"]
    program = f"{shlex.quote(sys.executable)} -c {shlex.quote(NOTHING)}"
    env = os.environ | {"PYSPARK_PYTHON": sys.executable}
    took = []
    for count in (0, jobs):  # the start is left out of the difference
        source = folder / "none.txt" if count == 0 else folder / "list.txt"
        (folder / "none.txt").write_text("0.png\n")
        print(f"Spark, {max(count, 1)} jobs", file=sys.stderr, flush=True)
        began = time.monotonic()
        arguments = [source, folder / "made", "--table", folder / f"table{count}", "--worker", program]
        done = subprocess.run([*command, *arguments], capture_output=True, text=True, env=env)
        if done.returncode != 0:
            raise SystemExit(f"Spark failed: {done.stderr[-3000:]}")
        took.append(time.monotonic() - began)
    return (took[1] - took[0]) / (jobs - 1)


def duration(seconds):
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:.3g} seconds"


def number(x):
    return f"{x:.3g}" if x < 1000 else f"{x:,.0f}"


def table(*rows):
    rows = [[str(cell) for cell in row] for row in rows]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0].replace("|  |", "| |"), "|" + "---|" * len(rows[0]), *lines[1:]])


def report(options, measured, job, work):
    png, jpeg = measured[".png"][1000], measured[".jpg"][1000]
    rows = [("result", "input", "core seconds a picture", "input megapixels a second", "start, core seconds", "memory, MB", "bytes in", "bytes out")]
    for suffix, sizes in measured.items():
        for side, m in sizes.items():
            megapixels = side * side / 1e6
            start = f"{m['start']:.3g}" if side == SIDES[0] else ""  # that of large pictures is lost in the differences between them
            numbers = [f"{m['seconds']:.3g}", f"{megapixels / m['seconds']:.3g}", start, f"{m['memory'] / 1e6:.0f}"]
            rows.append((suffix[1:].upper().replace("JPG", "JPEG"), f"{side}x{side}", *numbers, f"{m['in']:,}", f"{m['out']:,}"))
    yield f"{options.conditions}\nOne core, engine {options.engine}, the default model; the median of {options.pictures} for each size.\n"
    yield table(*rows)
    yield f"\nSpark itself adds {1000 * job:.3g} ms to a job.\n"

    yield f"Pictures of 1 megapixel to PNG, at ${options.core_hour:.2f} for the hour of a core (assumed):\n"
    rows = [("pictures", "cores", "pictures a second", "time", "cost", "read, MB/s", "written, MB/s", "results, TB")]
    for pictures, cores in ((MILLION, 10), (MILLION, 100), (MILLION, 1000), (100 * MILLION, 10_000)):
        rate = cores / (png["seconds"] + job)
        cost = f"${pictures / rate * cores / 3600 * options.core_hour:,.0f}"
        traffic = (number(rate * png["in"] / 1e6), number(rate * png["out"] / 1e6), number(pictures * png["out"] / 1e12))
        rows.append((f"{pictures:,}", f"{cores:,}", number(rate), duration(pictures / rate), cost, *traffic))
    yield table(*rows)
    yield f"\nAs JPEG, a million results take {MILLION * jpeg['out'] / 1e12:.3g} TB.\n"

    yield (
        f"**Computed, not measured**, for H100s: the network needs {work / 1e6:.3g} million operations for a pixel of the input. It is taken to\n"
        f"reach {options.share:.0%} of the published peak, in the precision that the row names, at ${options.gpu_hour:.2f} for the hour of a GPU (assumed).\n"
        f"Reading, decoding and encoding stay with the processor. They are taken to need what Pillow needs on a core here: {options.decode:.2g} s to decode\n"
        f"the picture, and {options.encode:.2g} s to encode the result as PNG.\n"
    )
    rows = [("H100s", "precision", "pictures a second", "time", "cost", "cores beside them", "written, GB/s")]
    for gpus in (1, 8, 64):
        for precision, peak in PEAKS.items():
            rate = gpus * options.share * peak / (work * MILLION)
            seconds = MILLION / rate
            cost = seconds * gpus / 3600 * options.gpu_hour
            needs = (number(rate * (options.decode + options.encode)), number(rate * png["out"] / 1e9))
            rows.append((gpus, precision, number(rate), duration(seconds), f"${cost:,.0f}", *needs))
    yield table(*rows)


def pillow_seconds(folder, side):
    """Seconds of a core for Pillow to decode a picture, and to encode one that is 4 times larger in each direction as PNG."""
    began = time.process_time()
    picture = Image.open(folder / f"{side}.jpg").convert("RGB")
    decoded = time.process_time()
    larger = picture.resize((4 * side, 4 * side), Image.BICUBIC)
    resized = time.process_time()
    larger.save(folder / "pillow.png", compress_level=6)
    return decoded - began, time.process_time() - resized


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--srdiff", default=".lab/bin/srdiff", help="the program")
    parser.add_argument("--engine", default="xla:cpu")
    parser.add_argument("--model", default=trial.ROOT / "notebooks/models/photo-x4.safetensors", help="file of the default model")
    parser.add_argument("--pictures", type=int, default=5, help="pictures of each size")
    parser.add_argument("--jobs", type=int, default=20000, help="jobs for the time of Spark")
    parser.add_argument("--core-hour", type=float, default=0.04, help="dollars")
    parser.add_argument("--gpu-hour", type=float, default=3.0, help="dollars")
    parser.add_argument("--share", type=float, default=0.3, help="share of the GPU's peak")
    parser.add_argument("--conditions", default="On a machine without other work.", help="a sentence for the document")
    parser.add_argument("--doc", default=trial.ROOT / "docs/scale.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        measured = {".png": measure(options, folder, SIDES, ".png"), ".jpg": measure(options, folder, SIDES[-1:], ".jpg")}
        options.decode, options.encode = pillow_seconds(folder, SIDES[-1])
        lines = list(report(options, measured, spark_seconds(folder, options.jobs), operations(options.model)))
    text = pathlib.Path(options.doc).read_text(encoding="utf-8")
    begin, end = "<!-- bench: scale begin -->\n", "<!-- bench: scale end -->"
    before, after = text.split(begin)[0], text.split(end)[1]
    pathlib.Path(options.doc).write_text(f"{before}{begin}{chr(10).join(lines)}\n{end}{after}", encoding="utf-8")


main()
