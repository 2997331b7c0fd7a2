# Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0
"""Enlarges pictures on a Ray cluster, with actors that hold a process of `srdiff worker` each.

    python srdiff/cluster/ray_run.py PICTURES RESULTS --table TABLE
    python srdiff/cluster/ray_run.py urls.txt 's3://bucket/large?region=...' --table s3://bucket/table --cores 4

It starts Ray on this machine, or joins the cluster that RAY_ADDRESS names. PICTURES, RESULTS and TABLE are those of spark.py,
and so is the table: either script goes on where the other stopped.
"""

import argparse
import collections
import json
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import pyarrow
import pyarrow.fs
import pyarrow.parquet
import ray
import workers

SCHEMA = pyarrow.schema(list(workers.COLUMNS.items()))


class Enlarge:
    """An actor with a worker's process, which lives as long as the actor."""

    def __init__(self, command, cores, common, run):
        self.worker, self.common, self.run = workers.Worker(command, cores), common, run

    def __call__(self, batch):
        rows = self.worker.work({**self.common, **picture} for picture in batch.to_pylist())
        return pyarrow.Table.from_pylist([row | {"run": self.run} for row in rows], SCHEMA)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("pictures", help="folder, or file with one path or URL a line")
    parser.add_argument("results", help="folder or URL for the results")
    parser.add_argument("--table", required=True, help="folder or URL of the table of results")
    parser.add_argument("--worker", default="srdiff worker", help="command line of the worker (default: %(default)s)")
    parser.add_argument("--job", type=json.loads, default={}, help='what all jobs have in common, such as \'{"model": "clean", "seed": 7}\'')
    parser.add_argument("--cores", type=int, default=1, help="cores of each worker (default: 1)")
    options = parser.parse_args()

    # Ray starts programs in folders of its own.
    command, table = options.worker, options.table if "://" in options.table else os.path.abspath(options.table)
    ray.init(runtime_env={"py_modules": [workers.__file__]})
    last = latest(table)
    run = 1 + max((row["run"] for row in last.values()), default=0)
    jobs = [{"input": picture, "output": workers.under(options.results, name)} for picture, name in workers.pictures(options.pictures)]
    jobs = [job for job in jobs if not (row := last.get(job["output"])) or not row["ok"] and row["kind"] in workers.PASSING]
    if jobs:
        slots = max(1, int(ray.cluster_resources()["CPU"]) // options.cores)
        blocks = max(min(len(jobs), 8 * slots), len(jobs) // 256)
        rows = ray.data.from_items(jobs, override_num_blocks=blocks).map_batches(
            Enlarge,
            fn_constructor_args=(command, options.cores, options.job, run),
            batch_size=None,
            batch_format="pyarrow",
            concurrency=(1, slots),
            num_cpus=options.cores,
        )
        rows.write_parquet(table, mode="append")
        last = latest(table)
    failures = [row for row in last.values() if not row["ok"]]
    made = sum(row["run"] == run and bool(row["made"]) for row in last.values())
    sys.exit(workers.summary(len(last) - len(failures), made, collections.Counter(row["kind"] for row in failures), failures[:20]))


def latest(table):
    """The last row of each result."""
    files, path = pyarrow.fs.FileSystem.from_uri(table)
    if files.get_file_info(path).type == pyarrow.fs.FileType.NotFound:
        return {}
    rows = pyarrow.parquet.read_table(path, filesystem=files, schema=SCHEMA).to_pylist()
    return {row["output"]: row for row in sorted(rows, key=lambda row: row["run"])}


main()
