# Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0
"""Enlarges pictures with Ray, one of whose actors dies, and compares every result with `srdiff upscale`.

    make test-ray
"""

import argparse
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile

import pyarrow.parquet
import trial


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--srdiff", default=".lab/bin/srdiff", help="the program")
    parser.add_argument("--engine", default="auto", help="engine of the workers and of srdiff upscale")
    parser.add_argument("--small", type=int, default=100, help="number of pictures of 32x32")
    parser.add_argument("--large", type=int, default=2, help="number of pictures of 256x256")
    options = parser.parse_args()
    os.environ["SRDIFF_ENGINE"] = options.engine
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the processes end, too

    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as closing:
        folder, srdiff = pathlib.Path(folder), os.path.abspath(options.srdiff)
        pictures, results = folder / "pictures", folder / "results"
        bad = trial.make_pictures(pictures, options.small, options.large)
        trial.upscale(srdiff, pictures, folder / "wanted")
        command = [sys.executable, trial.ROOT / "srdiff/cluster/ray_run.py", pictures, results, "--table", folder / "table"]
        command += ["--worker", f"{srdiff} worker", "--job", json.dumps({"seed": int(trial.SEED)})]
        with open(folder / "driver.log", "w+") as log:
            driver = subprocess.Popen(command, stdout=log, stderr=log)
        closing.callback(lambda: trial.kill(driver.pid))

        def begun():
            if driver.poll() is not None:
                raise SystemExit(f"FAILED: the driver ended\n{(folder / 'driver.log').read_text()[-4000:]}")
            return results.exists() and len(list(results.glob("*.png"))) > options.small * 0.2

        trial.wait(begun, 600, "the first results")
        processes = trial.tree(driver.pid)
        actor = trial.wait(lambda: next((p for p in processes if "srdiff" in map(trial.name_of, trial.tree(p)[1:2])), None), 60, "an actor")
        killed = trial.kill(actor)
        there = len(list(results.glob("*.png")))
        print(f"killed an actor after {there} results: {', '.join(killed)}", flush=True)
        status = driver.wait()
        said = (folder / "driver.log").read_text()
        print(next(line for line in said.splitlines() if "of them made now" in line))

        rows = {pathlib.Path(row["input"]).name: row for row in pyarrow.parquet.read_table(folder / "table").to_pylist()}
        count = options.small + options.large
        trial.require(there < count and status == 1, "the work went on after the loss, and the exit status reports the bad pictures")
        trial.require(len(rows) == count + len(bad) and {n for n, r in rows.items() if not r["ok"]} == set(bad), f"the table has all {len(rows)} pictures")
        wanted, made = trial.hashes(folder / "wanted"), trial.hashes(results)
        good = [name for name in rows if name not in bad]
        same = all(made.get(f"{name}.png") == wanted[f"{pathlib.Path(name).stem}-x4.png"] == rows[name]["sha256"] for name in good)
        trial.require(same, f"{len(good)} results have the bytes of srdiff upscale's")
    print("passed")


main()
