# Copyright 2026 The srdiff Authors. SPDX-License-Identifier: Apache-2.0
"""Writes the sharpness, diversity and intervals that the tests of srdiff/metrics expect.

From the repository root:

    python -m venv /tmp/goldens
    /tmp/goldens/bin/pip install -r srdiff/metrics/testdata/requirements.txt
    /tmp/goldens/bin/python srdiff/metrics/testdata/measures.py
"""

import json
import pathlib

import numpy as np
from scipy import ndimage, stats

HERE = pathlib.Path(__file__).parent


def noisy(width, height, strength):
    """A ramp with noise that leaves [-1, 1], as in metrics_test.go."""
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    ramp = ((x * 5 + y * 3 + c * 40) % 256).astype(np.float32) / np.float32(127.5) - np.float32(1)
    i = np.arange(height * width * 3, dtype=np.int64)
    noise = ((i * i * 7919 + i * 104729) % 511).astype(np.float32) / np.float32(255) - np.float32(1)
    return ramp + np.float32(strength) * noise.reshape(height, width, 3)


def unit(picture):
    return np.clip((picture.astype(np.float64) + 1) / 2, 0, 1)


def sharpness(picture):
    channels = np.moveaxis(unit(picture), 2, 0)  # one at a time: sobel smooths along every other axis
    slopes = [[ndimage.sobel(c, axis)[1:-1, 1:-1] / 8 for c in channels] for axis in (0, 1)]
    return float(np.mean(np.square(slopes[0]) + np.square(slopes[1])))


def golden(width, height, strengths):
    pictures = [noisy(width, height, s) for s in strengths]
    values = [sharpness(p) for p in pictures]
    return {
        "size": [width, height],
        "strengths": strengths,
        "sharpness": values,
        "diversity": float(np.mean(np.std([unit(p) for p in pictures], axis=0, ddof=1))),
        "mean": float(np.mean(values)),
        "half": float(1.96 * stats.sem(values)),
    }


goldens = [
    golden(3, 3, [0, 0.25]),
    golden(32, 32, [0.0625, 0.125, 0.5]),
    golden(23, 41, [0.5, 1, 2, 0, 0.25]),
]
(HERE / "measures.json").write_text(json.dumps(goldens, indent=1) + "\n")
