# Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0
"""Writes the Fréchet distances that the tests of srdiff/features expect.

From the repository root:

    python -m venv /tmp/goldens
    /tmp/goldens/bin/pip install -r srdiff/metrics/testdata/requirements.txt
    /tmp/goldens/bin/python srdiff/features/testdata/goldens.py
"""

import json
import pathlib

import numpy as np
from scipy import linalg

HERE = pathlib.Path(__file__).parent


def features(count, dimensions, seed):
    """Numbers without a pattern that matters, the later ones larger and shifted. The Go tests compute the same."""
    i, j = np.meshgrid(np.arange(count, dtype=np.int64), np.arange(dimensions, dtype=np.int64), indexing="ij")
    k = i * dimensions + j + seed
    noise = ((k * k * k * 7919 + k * 104729) % 8191) / 4095 - 1
    return noise * (j + 1) / dimensions + seed * j / 1000 + np.roll(noise, 1, axis=1) / 2


def distance(a, b):
    """Heusel et al. 2017, equation 6, as the authors' fid.py has it."""
    ca, cb = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    difference = a.mean(axis=0) - b.mean(axis=0)
    root = linalg.sqrtm(ca @ cb)
    return float(difference @ difference + np.trace(ca + cb - 2 * np.real(root)))


def golden(dimensions, counts, seeds):
    sets = [features(count, dimensions, seed) for count, seed in zip(counts, seeds)]
    return {"dimensions": dimensions, "counts": counts, "seeds": seeds, "distance": distance(*sets)}


goldens = [
    golden(2, [40, 60], [0, 9]),
    golden(8, [64, 16], [3, 40]),
    golden(32, [64, 64], [1, 2]),
    golden(32, [300, 200], [5, 77]),
]
(HERE / "goldens.json").write_text(json.dumps(goldens, indent=1) + "\n")
