# Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0
"""Throughput of Spark with two workers beside two processes of `srdiff upscale --shard`, in turns.

    .lab/cluster-venv/bin/python srdiff/cluster/throughput.py

All processes of srdiff have a core each. A rate is that of the pictures after the first result of each process: so it leaves out
the start of the driver, and the compilation of the model. The shares of --shard are not equally large, so its rate is the sum of both
processes' rates, each until its own end. Spark's rate is until the last result of both workers: so the comparison favours --shard.
"""

import argparse
import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import standalone
import trial
from PIL import Image


def rate(folder, processes):
    """Results a second after the first one of each process, from the first result of a folder to the last."""
    times = sorted(f.stat().st_mtime for f in folder.iterdir())
    if len(times) < 3:
        raise SystemExit(f"{len(times)} results are too few: give more --pictures")
    return (len(times) - processes) / (times[-1] - times[0])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--srdiff", default=".lab/bin/srdiff", help="the program")
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--pictures", type=int, default=36)
    parser.add_argument("--side", type=int, default=500, help="pixels of a side of the pictures")
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    os.environ["SRDIFF_ENGINE"] = options.engine
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the processes end, too

    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as closing:
        folder, srdiff = pathlib.Path(folder), os.path.abspath(options.srdiff)
        pictures = folder / "pictures"
        pictures.mkdir()
        for i in range(options.pictures):
            photo = Image.open(trial.PHOTOS[i % len(trial.PHOTOS)]).convert("RGB")
            photo.resize((options.side, options.side), Image.BICUBIC).rotate(90 * (i // len(trial.PHOTOS))).save(pictures / f"{i:03}.png")
        cluster = standalone.Cluster(folder, 2)
        closing.callback(cluster.close)

        def spark(results):
            driver = cluster.submit(str(pictures), str(results), "--table", f"{results}-table", "--worker", f"{srdiff} worker")
            said = driver.communicate()[0]
            if driver.returncode != 0:
                raise SystemExit(f"Spark failed: {said}\n{(folder / 'driver.log').read_text()[-3000:]}")
            return rate(results, 2)

        def shards(results):
            one = os.environ | dict.fromkeys(("GOMAXPROCS", "NPROC", "PJRT_NPROC", "OMP_NUM_THREADS"), "1")
            parts = [pathlib.Path(f"{results}-{i}") for i in (1, 2)]
            processes = []
            for i, part in enumerate(parts):
                command = [srdiff, "upscale", str(pictures), "-o", str(part), "--shard", f"{i + 1}/2"]
                processes.append(subprocess.Popen(command, env=one, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
                closing.callback(processes[-1].kill)
            if any([process.wait() for process in processes]):
                raise SystemExit("srdiff upscale failed")
            return sum(rate(part, 1) for part in parts)

        rates = {spark: [], shards: []}
        for i in range(options.rounds):
            for way in (spark, shards) if i % 2 == 0 else (shards, spark):
                began = time.monotonic()
                rates[way].append(way(folder / f"{way.__name__}{i}"))
                took = time.monotonic() - began
                print(f"round {i + 1}, {way.__name__}: {rates[way][-1]:.3f} pictures/s; {took:.1f} s with the start", flush=True)
        print(f"Spark's rate is {sum(rates[spark]) / sum(rates[shards]):.3f} of that of two processes of --shard")


main()
