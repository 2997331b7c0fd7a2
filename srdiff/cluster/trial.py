# Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0
"""What test_cluster.py and test_slurm.py share: pictures, results to compare with, and processes that end."""

import contextlib
import hashlib
import os
import pathlib
import random
import signal
import subprocess
import time

from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parents[2]
PHOTOS = sorted((ROOT / "notebooks/photos/test").glob("*.jpg"))
SEED = "7"  # of all results: `srdiff worker` and `srdiff upscale` have different ones otherwise


def make_pictures(folder, small, large):
    """Writes crops of photographs, 32x32 and 256x256 pixels, and three files that are no pictures. Returns the names of these."""
    folder.mkdir(parents=True)
    draw = random.Random(1)
    for i in range(small + large):
        side = 32 if i < small else 256
        photo = Image.open(PHOTOS[i % len(PHOTOS)]).convert("RGB")
        photo = photo.resize([max(side, n) for n in photo.size])
        left, top = draw.randrange(photo.width - side + 1), draw.randrange(photo.height - side + 1)
        photo.crop((left, top, left + side, top + side)).save(folder / f"{i:04}.png")
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.png").write_bytes(b"no picture\n")
    (folder / "truncated.png").write_bytes((folder / "0000.png").read_bytes()[:-40])
    return ["empty.png", "text.png", "truncated.png"]


def upscale(srdiff, pictures, results):
    """Makes the results to compare with, by `srdiff upscale`."""
    command = [srdiff, "upscale", "--seed", SEED, str(pictures), "-o", str(results)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode not in (0, 1):  # 1: for the bad pictures
        raise SystemExit(f"srdiff upscale failed: {done.stderr}")


def hashes(folder):
    """The SHA-256 of every file in a folder, by its name."""
    return {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in sorted(folder.iterdir())}


def parent(process):
    """The id of a process's parent."""
    return int(pathlib.Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])


def tree(root):
    """The ids of a process and of all processes that it started, with those that these started."""
    children = {}
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            children.setdefault(parent(int(folder.name)), []).append(int(folder.name))
    found = [root]
    for process in found:
        found += children.get(process, [])
    return found


def name_of(process):
    """The name of a process's program, or nothing if it has ended."""
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{process}/comm").read_text().strip()


def kill(root):
    """Ends a process and all that it started at once, as a machine that loses power, and returns the names of the programs."""
    processes = tree(root)
    names = [name_of(process) for process in processes]
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    return [name for name in names if name]


def wait(condition, seconds, what):
    """Waits until the condition is true, and returns what it returned."""
    until = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > until:
            raise SystemExit(f"FAILED: {what} did not happen in {seconds} s")
        time.sleep(0.2)
    return found


def require(condition, what):
    """Ends the test if a condition is false, and otherwise prints what holds."""
    if not condition:
        raise SystemExit(f"FAILED: {what}")
    print(f"ok: {what}", flush=True)
