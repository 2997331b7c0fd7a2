# Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0
"""Enlarges pictures on a Spark cluster, one of whose machines dies, and compares every result with `srdiff upscale`.

    make test-cluster

The cluster is Spark's standalone master with three workers, as processes on this machine with a core each. While the pictures
are enlarged, one worker is killed with its executor and its process of srdiff. A second call must make only what can pass.
"""

import argparse
import contextlib
import json
import os
import pathlib
import signal
import sys
import tempfile
import time

import pyarrow.parquet
import standalone
import trial


def table(folder):
    return pyarrow.parquet.read_table(folder).to_pylist()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--srdiff", default=".lab/bin/srdiff", help="the program")
    parser.add_argument("--engine", default="auto", help="engine of the workers and of srdiff upscale")
    parser.add_argument("--small", type=int, default=500, help="number of pictures of 32x32")
    parser.add_argument("--large", type=int, default=2, help="number of pictures of 256x256")
    parser.add_argument("--workers", type=int, default=3)
    options = parser.parse_args()
    os.environ["SRDIFF_ENGINE"] = options.engine
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the processes end, too

    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as closing:
        folder, srdiff = pathlib.Path(folder), os.path.abspath(options.srdiff)
        pictures, results = folder / "pictures", folder / "results"
        bad = trial.make_pictures(pictures, options.small, options.large)
        good = {f.name for f in pictures.iterdir()} - set(bad)
        (pictures / "late.png").symlink_to(folder / "late.png")  # which is there at the second call only
        began = time.monotonic()
        trial.upscale(srdiff, pictures, folder / "wanted")
        print(f"srdiff upscale: {len(good)} pictures in {time.monotonic() - began:.0f} s", flush=True)

        cluster = standalone.Cluster(folder, options.workers)
        closing.callback(cluster.close)
        arguments = [str(pictures), str(results), "--table", str(folder / "table"), "--worker", f"{srdiff} worker"]
        arguments += ["--job", json.dumps({"seed": int(trial.SEED)})]
        began = time.monotonic()
        driver = cluster.submit(*arguments)
        closing.callback(lambda: trial.kill(driver.pid))

        def half():
            if driver.poll() is not None:
                raise SystemExit(f"FAILED: the driver ended\n{driver.stdout.read()}\n{(folder / 'driver.log').read_text()[-4000:]}")
            return results.exists() and len(list(results.glob("*.png"))) > options.small * 0.3

        trial.wait(half, 1200, "the first results")
        victim = trial.wait(
            lambda: next((w for n, w in cluster.processes.items() if "worker" in n and "srdiff" in map(trial.name_of, trial.tree(w.pid))), None),
            60, "a worker with a process of srdiff",
        )  # fmt: skip
        killed = trial.kill(victim.pid)
        there = len(list(results.glob("*.png")))
        print(f"killed one of {options.workers} workers after {there} results: {', '.join(killed)}", flush=True)
        said = driver.communicate()[0]
        print(said.strip())
        print(f"Spark: {time.monotonic() - began:.0f} s, with the start of the driver and the executors", flush=True)
        trial.require(there < len(good), "the loss was in the middle of the work")
        failures = len(bad) + 1
        ended = said.strip().endswith(f"{failures} failures, of which another call tries 1 again") and driver.returncode == 1
        trial.require(ended, "the work went on to its end, and the exit status reports the bad pictures")

        rows = {pathlib.Path(row["input"]).name: row for row in table(folder / "table")}
        trial.require(len(table(folder / "table")) == len(rows) == len(good) + failures, f"the table has one row for each of {len(rows)} pictures")
        trial.require({n for n, row in rows.items() if row["ok"]} == good, f"all {len(good)} good pictures have a result, and no other")
        trial.require(all(rows[name]["kind"] == "picture" for name in bad), f"{len(bad)} bad pictures are reported as such")
        compare(folder, rows, good)

        (folder / "late.png").write_bytes((pictures / "0001.png").read_bytes())
        again = cluster.submit(*arguments)
        print(again.communicate()[0].strip(), flush=True)
        new = [pathlib.Path(row["input"]).name for row in table(folder / "table") if row["run"] == 2]
        trial.require(new == ["late.png"], "a second call tried only the picture that could not be read")
        wanted = trial.hashes(folder / "wanted")["0001-x4.png"]
        trial.require(trial.hashes(results)["late.png.png"] == wanted, "and made its result")
    print("passed")


def compare(folder, rows, good):
    """Compares all results with those of srdiff upscale, byte for byte, and with the hashes in the table."""
    wanted, made = trial.hashes(folder / "wanted"), trial.hashes(folder / "results")
    results = {name: made.pop(f"{name}.png") for name in good}
    different = [name for name in good if results[name] != wanted[f"{pathlib.Path(name).stem}-x4.png"]]
    trial.require(not different, f"{len(results)} results have the bytes of srdiff upscale's {different[:5] or ''}".strip())
    trial.require(all(rows[name]["sha256"] == results[name] for name in good), "the hashes in the table are those of the files")
    trial.require(not [name for name in made if not name.startswith(".")], "there are no other files")
    if made:
        print(f"the killed worker left {len(made)} temporary files: {' '.join(made)}")


main()
