# Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0
"""Jobs for `srdiff worker`, and a process of it: what spark.py and ray_run.py share.

It needs nothing but Python, since it also runs on the machines of a cluster.
"""

import collections
import contextlib
import itertools
import json
import os
import pathlib
import shlex
import socket
import subprocess

# The ends of the names of pictures, as `srdiff upscale` takes them in a folder.
PICTURES = {".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".gif", ".bmp", ".dib", ".tif", ".tiff", ".webp"}

# Failures that may pass: of the network or a disk, and of a process that ended before it answered. All others stay.
PASSING = ("read", "write", "worker")

# The columns of the table of results, with the types of Parquet. `run` counts the calls of the script, from 1.
COLUMNS = {
    "input": "string", "output": "string", "ok": "bool", "made": "bool", "kind": "string", "error": "string",
    "width": "int64", "height": "int64", "model": "string", "seed": "int64", "seconds": "double",
    "bytes_in": "int64", "bytes_out": "int64", "sha256": "string", "host": "string", "run": "int64",
}  # fmt: skip


def pictures(source):
    """The pictures of a folder and the folders below it, or the paths and URLs in a file, one a line; with their names.

    The name of a picture is its path within the folder, or a URL's path after the bucket.
    """
    if os.path.isdir(source):
        for folder, folders, files in os.walk(source):
            folders[:] = sorted(f for f in folders if not f.startswith("."))
            for file in sorted(files):
                path = os.path.join(folder, file)
                if pathlib.Path(file).suffix.lower() in PICTURES and not file.startswith("."):
                    yield path, os.path.relpath(path, source).replace(os.sep, "/")
        return
    with open(source, encoding="utf-8") as lines:
        for line in lines:
            if line := line.strip():
                yield line, line.split("://", 1)[-1].split("?", 1)[0].lstrip("/")


def under(folder, name):
    """The path or URL of the result of the picture of this name: two names never have the same."""
    place, mark, options = folder.partition("?") if "://" in folder else (folder, "", "")
    return f"{place.rstrip('/')}/{name}.png{mark}{options}"


class Worker:
    """A process of `srdiff worker`. It starts with the first job, and again after it was lost."""

    AHEAD = 4  # jobs that the worker has at a time: it reads one while it computes another and writes a third

    def __init__(self, command, cores):
        """The command line of the worker, and the number of processor cores that it may use."""
        self.command, self.cores, self.process = shlex.split(command), str(cores), None

    def work(self, jobs):
        """Yields the row of the table for each job, in order."""
        jobs, waiting = iter(jobs), collections.deque()
        try:
            while True:
                for job in itertools.islice(jobs, self.AHEAD - len(waiting)):
                    waiting.append(job)
                    self.send(job)
                if not waiting:
                    return
                answer = self.process.stdout.readline()
                job = waiting.popleft()
                row = dict.fromkeys(COLUMNS)
                row.update(input=job["input"], output=job["output"], ok=False, host=socket.gethostname())
                if answer.endswith(b"\n"):
                    row.update((k, float(v) if COLUMNS[k] == "double" else v) for k, v in json.loads(answer).items() if k in COLUMNS)
                else:  # The first job without an answer may have ended it, so it is not tried again now. The others are.
                    status = self.end()
                    row.update(kind="worker", error=f"{job['input']}: the worker ended before it answered, with status {status}")
                    for other in waiting:
                        self.send(other)
                yield row
        finally:
            if waiting:  # The caller wants no more answers, so that those to come would be taken for those of other jobs.
                self.process.kill()
                self.end()

    def send(self, job):
        if not self.process:
            # Go takes its number of threads from GOMAXPROCS, XLA on the processor from NPROC and PJRT_NPROC, and oneDNN
            # from OMP_NUM_THREADS. Each of them would take all cores of the machine otherwise.
            threads = dict.fromkeys(("GOMAXPROCS", "NPROC", "PJRT_NPROC", "OMP_NUM_THREADS"), self.cores)
            self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ | threads)
        with contextlib.suppress(BrokenPipeError):  # The missing answer tells that it has ended.
            self.process.stdin.write(json.dumps(job).encode() + b"\n")
            self.process.stdin.flush()

    def end(self):
        """Closes the process's input, which ends it, and returns its exit status."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.stdout.close()
        status, self.process = self.process.wait(), None
        return status


def summary(results, made, failed, some):
    """Prints the numbers of results, and of failures of each kind, and some failures. Returns the exit status."""
    for row in some:
        print(f"{row['error']} ({row['kind']})")
    passing = sum(count for kind, count in failed.items() if kind in PASSING)
    print(f"{results} results, {made} of them made now; {sum(failed.values())} failures, of which another call tries {passing} again")
    return 1 if failed else 0
